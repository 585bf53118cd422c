#include "compile/onnx_source.h"

#include <algorithm>
#include <limits>
#include <map>

#include "compile/source_file.h"
#include "core/hash.h"
#include "core/text.h"

namespace skua::compile {
namespace {

// What one protobuf file can hold; the artifact has the weights inside.
constexpr std::uint64_t kMaxModelBytes = std::numeric_limits<std::int32_t>::max();

bool is_plain_relative(const std::filesystem::path& path) {
  if (path.empty() || path.is_absolute() || !path.has_filename()) return false;
  return std::none_of(path.begin(), path.end(), [](const std::filesystem::path& part) {
    return part == ".." || part == "." || part.empty();
  });
}

// Whether any folder on the way to the file is a link: it could lead outside.
bool stays_inside(const std::filesystem::path& folder, const std::filesystem::path& relative) {
  std::error_code error;
  const auto real_folder = std::filesystem::canonical(folder, error);
  const auto real_file = std::filesystem::weakly_canonical(folder / relative, error);
  return !error && real_file == real_folder / relative;
}

Error external_error(const std::string& location, const std::string& found) {
  return build_error(Reason::kExternalWeights,
                     "external weights " + quote(location) +
                         ": expected a file inside the model's folder, named by a plain "
                         "relative path, found " +
                         found + "; export the model with its weights beside or inside it");
}

std::vector<std::string> external_locations(const OnnxModel& model) {
  std::vector<std::string> locations;
  for (const OnnxTensor* tensor : all_tensors(model)) {
    if (!tensor->is_external) continue;
    const auto location = tensor->external.find("location");
    locations.push_back(location == tensor->external.end() ? "" : location->second);
  }
  std::sort(locations.begin(), locations.end());
  locations.erase(std::unique(locations.begin(), locations.end()), locations.end());
  return locations;
}

Status read_external(Compilation& compilation, OnnxSource& source) {
  const std::filesystem::path folder = compilation.request.model_path.parent_path();
  std::uint64_t rest = kMaxModelBytes - compilation.source_bytes.size();
  for (const std::string& location : external_locations(source.model)) {
    if (!is_plain_relative(location)) return external_error(location, "another kind of path");
    if (!stays_inside(folder, location)) return external_error(location, "a link that leads elsewhere");
    auto bytes = read_file(folder / location, rest, Reason::kExternalWeights);
    if (!bytes.ok()) {
      if (bytes.error().reason == Reason::kModelTooLarge) return std::move(bytes).error();
      return external_error(location, bytes.error().message);
    }
    rest -= bytes->size();
    compilation.record.sources.push_back(source_file(location, *bytes));
    source.external.push_back({location, *std::move(bytes)});
  }
  return {};
}

// An SDK reads at the offsets that the model gives: they must lie inside the file.
Status check_external_ranges(const OnnxSource& source) {
  for (const OnnxTensor* tensor : all_tensors(source.model)) {
    if (!tensor->is_external) continue;
    const auto number = [tensor](const char* key) {
      const auto found = tensor->external.find(key);
      return found == tensor->external.end() ? std::optional<std::uint64_t>(0) : parse_uint64(found->second);
    };
    const std::string& location = tensor->external.at("location");
    const auto file = std::find_if(source.external.begin(), source.external.end(),
                                   [&](const ExternalFile& each) { return each.location == location; });
    const auto offset = number("offset");
    const auto length = number("length");
    const std::uint64_t size = file->bytes.size();
    if (offset && length && *offset <= size && *length <= size - *offset) continue;
    return external_error(location, "a file of " + std::to_string(size) + " bytes that ends before weight " +
                                        quote(tensor->name) + " does");
  }
  return {};
}

}  // namespace

Result<Sha256> aggregate_of(const std::vector<SourceFile>& sources) {
  std::map<std::string, Sha256> by_name;
  for (const SourceFile& source : sources) {
    const std::string name = std::filesystem::path(source.name).filename().string();
    if (by_name.emplace(name, source.sha256).second && name.find_first_of("\n\r") == std::string::npos)
      continue;
    return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                      "source file " + quote(source.name) +
                          ": expected a base name of its own, without line ends; rename it");
  }
  Sha256Hasher hasher;
  for (const auto& [name, digest] : by_name) {
    const std::string line = digest.hex() + " " + name + "\n";
    hasher.update(std::as_bytes(std::span(line)));
  }
  return hasher.finish();
}

Result<OnnxSource> read_onnx_source(Compilation& compilation) {
  const std::filesystem::path& path = compilation.request.model_path;
  EngineRecord& record = compilation.record;
  OnnxSource source;
  SKUA_ASSIGN_OR_RETURN(compilation.source_bytes, read_file(path, kMaxModelBytes, Reason::kModelMissing));
  auto model = parse_onnx(compilation.source_bytes);
  if (!model.ok()) return build_error(model.error().reason, path.string() + ": " + model.error().message);
  source.model = *std::move(model);
  record.sources.push_back(source_file(path.filename().string(), compilation.source_bytes));
  SKUA_RETURN_IF_ERROR(read_external(compilation, source));
  SKUA_RETURN_IF_ERROR(check_external_ranges(source));
  record.model_sha256 = record.sources.front().sha256;
  if (!source.external.empty()) {
    SKUA_ASSIGN_OR_RETURN(record.model_sha256, aggregate_of(record.sources));
  }
  return source;
}

}  // namespace skua::compile
