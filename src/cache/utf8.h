// Names of tensors come from model files: they are held to printable UTF-8 before they travel any further.
#pragma once

#include <string_view>

namespace skua {

/// Well-formed UTF-8 (no overlong form, no surrogate, nothing above U+10FFFF) without control characters
/// (U+0000 to U+001F, U+007F to U+009F).
bool is_printable_utf8(std::string_view text) noexcept;

}  // namespace skua
