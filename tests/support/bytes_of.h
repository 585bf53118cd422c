// Text as the bytes that functions under test take.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace skua::test {

/// A view of what `text` views.
inline std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

}  // namespace skua::test
