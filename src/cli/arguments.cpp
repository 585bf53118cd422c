#include "cli/arguments.h"

#include <array>

#include "core/filesystem.h"
#include "core/json_strict.h"
#include "core/text.h"

namespace skua {
namespace {

namespace fs = std::filesystem;

Error in_file(const fs::path& file, const Error& error) {
  return make_error(ErrorCode::kInvalidArgument, error.reason, file.string() + ": " + error.message,
                    error.native_code);
}

/// An empty path stays empty: the validation refuses it.
fs::path beside(const fs::path& file, const fs::path& path) {
  std::error_code error;
  const fs::path whole = fs::absolute(file, error);
  return path.empty() ? path : (error ? file : whole).parent_path() / path;
}

}  // namespace

Error invalid_argument(Reason reason, std::string message) {
  return make_error(ErrorCode::kInvalidArgument, reason, std::move(message));
}

Result<KeyValues> parse_key_values(const std::vector<std::string>& texts, std::string_view option,
                                   std::string_view form) {
  KeyValues result;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
      return invalid_argument(Reason::kInvalidArgument,
                              std::string(option) + " " + quote(text) + ": expected " + std::string(form));
    }
    result.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return result;
}

Result<OptimizationProfile> parse_profile(const std::string& text) {
  std::array<std::string_view, 3> shapes;
  std::string_view rest = text;
  for (std::size_t i = shapes.size(); i > 0; --i) {
    const std::size_t colon = rest.rfind(':');
    if (colon == std::string_view::npos || colon == 0) {
      return invalid_argument(
          Reason::kInvalidArgument,
          "--profile " + quote(text) +
              ": expected NAME:MIN:OPT:MAX, e.g. image:1x3x64x64:1x3x224x224:1x3x512x512");
    }
    shapes[i - 1] = rest.substr(colon + 1);
    rest = rest.substr(0, colon);
  }
  OptimizationProfile profile;
  profile.input_name = rest;
  for (const auto& [shape, from] :
       {std::pair{&profile.min, shapes[0]}, {&profile.opt, shapes[1]}, {&profile.max, shapes[2]}}) {
    auto parsed = Shape::parse(from);
    if (!parsed.ok())
      return invalid_argument(Reason::kInvalidArgument,
                              "--profile " + quote(text) + ": " + parsed.error().message);
    *shape = *parsed;
  }
  return profile;
}

Status apply_settings(RuntimeConfig& config, const std::vector<std::string>& texts) {
  SKUA_ASSIGN_OR_RETURN(const KeyValues pairs, parse_key_values(texts, "--set"));
  for (const auto& [key, value] : pairs) SKUA_RETURN_IF_ERROR(set_field(config, key, value));
  return {};
}

Result<fs::path> absolute_path(const fs::path& path) {
  std::error_code error;
  const fs::path whole = fs::absolute(path, error);
  if (!error) return whole.lexically_normal();
  return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                    "path " + quote(path.string(), 4096) + " cannot be used: " + error.message() +
                        "; give the path of a folder",
                    error.value());
}

Result<Json> read_json_file(const fs::path& file) {
  constexpr std::size_t kLimit = 1U << 20U;
  auto folder = posix_file_system().open_folder(file.has_parent_path() ? file.parent_path() : fs::path("."));
  if (!folder.ok()) return in_file(file, folder.error());
  auto text = read_text(**folder, file.filename().string(), kLimit);
  if (!text.ok()) return in_file(file, text.error());
  auto json = parse_json(*text);
  if (!json.ok()) return in_file(file, json.error());
  return json;
}

Result<BuildConfig> read_build_json(const fs::path& file) {
  SKUA_ASSIGN_OR_RETURN(const Json json, read_json_file(file));
  auto config = build_config_from_json(json, "");
  if (!config.ok()) return in_file(file, config.error());
  for (std::optional<fs::path>* path : {&config->calibration_dataset, &config->accuracy_dataset,
                                        &config->fp32_source, &config->calibration_cache}) {
    if (*path) *path = beside(file, **path);
  }
  if (config->golden) config->golden->file = beside(file, config->golden->file);
  return config;
}

Result<fs::path> make_output_folder(const fs::path& folder) {
  std::error_code error;
  const fs::path absolute = fs::absolute(folder, error).lexically_normal();
  if (!error) fs::create_directories(absolute, error);
  if (!error && fs::is_directory(absolute, error)) return absolute;
  return make_error(ErrorCode::kInvalidArgument, Reason::kIo,
                    "cannot make the folder " + folder.string() + ": " +
                        (error ? error.message() : "something else has this name") +
                        "; name a folder you may write to",
                    error.value());
}

}  // namespace skua
