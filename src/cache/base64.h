// Base64 with the standard alphabet and padding (RFC 4648 section 4), strict.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skua {

std::string to_base64(std::span<const std::byte> bytes);
/// Nothing for any text that to_base64 would not have written: other alphabets, white space, missing padding,
/// bits set behind the end. Exactly one text stands for given bytes.
std::optional<std::vector<std::byte>> from_base64(std::string_view text);

}  // namespace skua
