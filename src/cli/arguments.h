// Reading the small languages of the command line.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/json_types.h"
#include "skua/build_config.h"
#include "skua/runtime_config.h"

namespace skua {

/// InvalidArgumentError.
Error invalid_argument(Reason reason, std::string message);

using KeyValues = std::vector<std::pair<std::string, std::string>>;

/// "KEY=VALUE" each; InvalidArgumentError naming `option` and the `form` that was expected.
Result<KeyValues> parse_key_values(const std::vector<std::string>& texts, std::string_view option,
                                   std::string_view form = "KEY=VALUE");
/// "NAME:MIN:OPT:MAX" with shapes as 1x3x224x224. The name may hold colons itself.
Result<OptimizationProfile> parse_profile(const std::string& text);
/// --set: applies each pair to `config`.
Status apply_settings(RuntimeConfig& config, const std::vector<std::string>& texts);

/// The absolute, normal form of a path. InvalidArgumentError: an empty path, or no working folder.
Result<std::filesystem::path> absolute_path(const std::filesystem::path& path);

/// A JSON file of at most 1 MiB. InvalidArgumentError naming the file.
Result<Json> read_json_file(const std::filesystem::path& file);
/// BUILD.json; relative paths in it count from its folder.
Result<BuildConfig> read_build_json(const std::filesystem::path& file);
/// Makes a folder that a command was told to write to, with its parents. InvalidArgumentError.
Result<std::filesystem::path> make_output_folder(const std::filesystem::path& folder);

}  // namespace skua
