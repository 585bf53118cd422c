#include "skua/engine_filename.h"

#include "skua_runtimes.h"

#include <algorithm>
#include <charconv>

#include "core/known_runtimes.h"
#include "core/text.h"
#include "skua/build_config.h"

namespace skua {
namespace {

constexpr int kMaxSm = 9999;
constexpr std::size_t kMaxVersionParts = 4;
constexpr std::size_t kMaxVersionDigits = 5;
constexpr std::string_view kForm = "<model>__sm<SM>_jp<JP>_trt<TRT>_<precision>.<extension>";

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// Decimal digits without a leading zero, so that one number has one spelling.
bool is_number(std::string_view text, std::size_t max_digits) noexcept {
  if (text.empty() || text.size() > max_digits) return false;
  if (text.size() > 1 && text.front() == '0') return false;
  return std::all_of(text.begin(), text.end(), is_digit);
}

bool is_version(std::string_view text) noexcept {
  std::size_t parts = 0;
  while (true) {
    const std::size_t dot = text.find('.');
    if (++parts > kMaxVersionParts || !is_number(text.substr(0, dot), kMaxVersionDigits)) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

Error malformed(std::string_view name, const std::string& what) {
  return make_error(ErrorCode::kEngineSchemaMismatch, Reason::kEngineNameMalformed,
                    "engine file name " + quote(name, 200) + ": " + what + "; expected " +
                        std::string(kForm) + "; compile the engine again instead of renaming it");
}

/// Cuts `prefix` and everything up to `end` off the front of `rest`; npos: all that is left.
Result<std::string_view> take_field(std::string_view name, std::string_view& rest, std::string_view prefix) {
  if (rest.substr(0, prefix.size()) != prefix) {
    return malformed(name, quote(prefix) + " expected at " + quote(rest, 40));
  }
  rest.remove_prefix(prefix.size());
  const std::size_t end = rest.find('_');
  const std::string_view field = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return field;
}

Status check_parts(std::string_view name, const EngineFilenameSchema& parts) {
  if (!is_legal_model_name(parts.model)) {
    return malformed(name, "the model name " + quote(parts.model) +
                               " is not 1 to 64 of a-z, 0-9, '_' without a double underscore");
  }
  if (parts.sm < 0 || parts.sm > kMaxSm) {
    return malformed(name, "SM " + std::to_string(parts.sm) + " is not a number from 0 to 9999");
  }
  if (!is_version(parts.jetpack))
    return malformed(name, "JetPack " + quote(parts.jetpack) + " is not dotted digits");
  if (!is_version(parts.tensorrt))
    return malformed(name, "TensorRT " + quote(parts.tensorrt) + " is not dotted digits");
  if (!is_engine_extension(parts.extension)) {
    return malformed(name, "the extension " + quote(parts.extension) + " is not " SKUA_ENGINE_EXTENSIONS);
  }
  return {};
}

}  // namespace

Result<std::string> EngineFilenameSchema::build() const {
  std::string name = model + "__sm" + std::to_string(sm) + "_jp" + jetpack + "_trt" + tensorrt + "_" +
                     std::string(to_string(precision)) + "." + extension;
  SKUA_RETURN_IF_ERROR(check_parts(name, *this));
  return name;
}

Result<EngineFilenameSchema> EngineFilenameSchema::parse(std::string_view file_name) {
  const std::size_t dot = file_name.rfind('.');
  if (dot == std::string_view::npos) return malformed(file_name, "it has no extension");
  // The last double underscore: nothing after it may hold one, and a model name may end in a single
  // underscore.
  const std::size_t split = file_name.rfind("__");
  if (split == std::string_view::npos || split > dot)
    return malformed(file_name, "no '__' ends the model name");

  EngineFilenameSchema parts;
  parts.model = file_name.substr(0, split);
  parts.extension = file_name.substr(dot + 1);
  std::string_view rest = file_name.substr(split + 2, dot - split - 2);
  SKUA_ASSIGN_OR_RETURN(const std::string_view sm, take_field(file_name, rest, "sm"));
  if (!is_number(sm, 4)) return malformed(file_name, "SM " + quote(sm) + " is not a number from 0 to 9999");
  std::from_chars(sm.data(), sm.data() + sm.size(), parts.sm);
  SKUA_ASSIGN_OR_RETURN(parts.jetpack, take_field(file_name, rest, "jp"));
  SKUA_ASSIGN_OR_RETURN(parts.tensorrt, take_field(file_name, rest, "trt"));
  const Result<Precision> precision = precision_from_string(rest);
  if (!precision.ok()) {
    return malformed(file_name, "the precision " + quote(rest) + " is not fp16, int8, mixed or fp32");
  }
  parts.precision = *precision;
  SKUA_RETURN_IF_ERROR(check_parts(file_name, parts));
  return parts;
}

bool EngineFilenameSchema::matches_host(const HostTuple& host) const noexcept {
  return sm == host.sm && jetpack == host.jetpack && tensorrt == host.tensorrt;
}

}  // namespace skua
