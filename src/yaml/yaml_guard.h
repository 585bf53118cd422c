// What a YAML text may be before a tree is built of it: text, not deep, not many values, no aliases. yaml-cpp
// itself sets no such bounds, and its recursion and its memory are the file's to choose.
#pragma once

#include <cstddef>
#include <string>

#include "skua/result.h"

namespace skua {

inline constexpr std::size_t kYamlDepthLimit = 32;     ///< mappings and lists within each other
inline constexpr std::size_t kYamlMessageShown = 200;  ///< of what the library says, which quotes the file
inline constexpr std::size_t kYamlValueLimit = 65536;  ///< keys, values, mappings and lists together

/// InvalidArgumentError (malformed) with file, line and, but for bytes that are no text, column: not UTF-8, a
/// control character, not YAML, deeper than kYamlDepthLimit, more than kYamlValueLimit values, an alias
/// (`*name`). Aliases are refused, wherever in the file they stand: a few lines of them can mean billions of
/// values, and a value is easier to check where it is written. Cost: one pass, memory in proportion to the
/// depth.
Status check_yaml_shape(const std::string& text, const std::string& file);

}  // namespace skua
