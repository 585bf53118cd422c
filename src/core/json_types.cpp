#include "core/json_types.h"

#include <algorithm>
#include <limits>

#include "core/json_strict.h"
#include "core/text.h"

namespace skua {
namespace {

Error malformed(const std::string& path, std::string_view expected) {
  return make_error(ErrorCode::kInvalidArgument, Reason::kMalformed,
                    path + " is wrong; expected " + std::string(expected));
}

// A nested decoder's value, or a default once something failed.
template <typename Decode>
auto nested(ObjectReader& reader, std::string_view key, Decode decode) {
  using Value = typename decltype(decode(std::declval<const Json&>(), std::string()))::value_type;
  const Json* value = reader.optional(key);
  if (value == nullptr) {
    reader.fail(key, "a value", "missing");
    return Value{};
  }
  auto result = decode(*value, reader.path_of(key));
  if (result.ok()) return *std::move(result);
  reader.fail(result.error());
  return Value{};
}

template <typename Parse>
auto enumerator(ObjectReader& reader, std::string_view key, Parse parse) {
  using Value = typename decltype(parse(std::string_view()))::value_type;
  const std::string name = reader.text(key, 64);
  if (!reader.ok()) return Value{};
  const auto value = parse(name);
  if (value.ok()) return *value;
  reader.fail(malformed(reader.path_of(key), "a known name: " + value.error().message));
  return Value{};
}

}  // namespace

Json to_json(const Shape& shape) {
  Json json = Json::array();
  for (const std::int64_t dim : shape.dims()) json.push_back(dim);
  return json;
}

Result<Shape> shape_from_json(const Json& json, const std::string& path) {
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  const auto is_dimension = [](const Json& dim) {
    return dim.is_number_integer() && !(dim.is_number_unsigned() && dim.get<std::uint64_t>() > kMax);
  };
  if (!json.is_array() || json.size() > Shape::kMaxRank ||
      !std::all_of(json.begin(), json.end(), is_dimension)) {
    return malformed(path, "a shape: an array of at most 8 whole numbers");
  }
  std::vector<std::int64_t> dims;
  for (const Json& dim : json) dims.push_back(dim.get<std::int64_t>());
  auto shape = Shape::from(dims);
  if (!shape.ok()) return malformed(path, "a shape: " + shape.error().message);
  return shape;
}

Json to_json(const TensorSpec& spec) {
  Json json = Json::object();
  json["name"] = spec.name;
  json["dtype"] = to_string(spec.dtype);
  json["shape"] = to_json(spec.shape);
  json["max_shape"] = to_json(spec.max_shape);
  json["data_dependent"] = spec.data_dependent;
  return json;
}

Result<TensorSpec> tensor_spec_from_json(const Json& json, const std::string& path) {
  ObjectReader reader(json, path);
  TensorSpec spec;
  spec.name = reader.text("name");
  spec.dtype = enumerator(reader, "dtype", dtype_from_string);
  spec.shape = nested(reader, "shape", shape_from_json);
  spec.max_shape = nested(reader, "max_shape", shape_from_json);
  spec.data_dependent = reader.boolean("data_dependent");
  SKUA_RETURN_IF_ERROR(reader.finish());
  return spec;
}

Json to_json(const OptimizationProfile& profile) {
  Json json = Json::object();
  json["input"] = profile.input_name;
  json["min"] = to_json(profile.min);
  json["opt"] = to_json(profile.opt);
  json["max"] = to_json(profile.max);
  return json;
}

Result<OptimizationProfile> profile_from_json(const Json& json, const std::string& path) {
  ObjectReader reader(json, path);
  OptimizationProfile profile;
  profile.input_name = reader.text("input");
  profile.min = nested(reader, "min", shape_from_json);
  profile.opt = nested(reader, "opt", shape_from_json);
  profile.max = nested(reader, "max", shape_from_json);
  SKUA_RETURN_IF_ERROR(reader.finish());
  return profile;
}

Json to_json(const HostTuple& host) {
  Json json = Json::object();
  json["sm"] = host.sm;
  json["jetpack"] = host.jetpack;
  json["tensorrt"] = host.tensorrt;
  json["l4t"] = host.l4t;
  json["module_name"] = host.module_name;
  json["sm_count"] = host.sm_count;
  json["tensorrt_build"] = host.tensorrt_build;
  json["cuda_driver"] = host.cuda_driver;
  json["cuda_runtime"] = host.cuda_runtime;
  json["cpu_arch"] = host.cpu_arch;
  json["cpu_features"] = host.cpu_features;
  return json;
}

Result<HostTuple> host_from_json(const Json& json, const std::string& path) {
  constexpr std::int64_t kMax = std::numeric_limits<int>::max();
  ObjectReader reader(json, path);
  HostTuple host;
  host.sm = static_cast<int>(reader.integer("sm", 0, kMax));
  host.jetpack = reader.text("jetpack");
  host.tensorrt = reader.text("tensorrt");
  host.l4t = reader.text("l4t");
  host.module_name = reader.text("module_name");
  host.sm_count = static_cast<int>(reader.integer("sm_count", 0, kMax));
  host.tensorrt_build = reader.text("tensorrt_build");
  host.cuda_driver = reader.text("cuda_driver");
  host.cuda_runtime = reader.text("cuda_runtime");
  host.cpu_arch = reader.text("cpu_arch");
  host.cpu_features = reader.text("cpu_features");
  SKUA_RETURN_IF_ERROR(reader.finish());
  return host;
}

Json to_json(const Tolerance& tolerance) {
  Json json = Json::object();
  json["absolute"] = tolerance.absolute;
  json["relative"] = tolerance.relative;
  json["as_set"] = tolerance.as_set;
  json["max_mismatch_fraction"] = tolerance.max_mismatch_fraction;
  return json;
}

Result<Tolerance> tolerance_from_json(const Json& json, const std::string& path) {
  ObjectReader reader(json, path);
  Tolerance tolerance;
  tolerance.absolute = reader.number("absolute");
  tolerance.relative = reader.number("relative");
  tolerance.as_set = reader.boolean("as_set");
  tolerance.max_mismatch_fraction = reader.number("max_mismatch_fraction");
  SKUA_RETURN_IF_ERROR(reader.finish());
  return tolerance;
}

Json to_json(const CalibrationProvenance& provenance) {
  Json json = Json::object();
  json["dataset_sha256"] = provenance.dataset_sha256.hex();
  json["sample_count"] = provenance.sample_count;
  json["cache_sha256"] = provenance.cache_sha256.hex();
  json["algorithm"] = provenance.algorithm;
  json["producer"] = provenance.producer;
  return json;
}

Result<CalibrationProvenance> calibration_from_json(const Json& json, const std::string& path) {
  ObjectReader reader(json, path);
  CalibrationProvenance provenance;
  provenance.dataset_sha256 = reader.digest("dataset_sha256");
  provenance.sample_count = reader.unsigned_integer("sample_count");
  provenance.cache_sha256 = reader.digest("cache_sha256");
  provenance.algorithm = reader.text("algorithm");
  provenance.producer = reader.text("producer");
  SKUA_RETURN_IF_ERROR(reader.finish());
  return provenance;
}

}  // namespace skua
