// EngineRecord to JSON and back. The order of the fields is the order in the file
// (docs/formats/build-record.md).
#include "cache/engine_record.h"

#include "cache/json_fields.h"
#include "core/json_strict.h"
#include "skua/build_config.h"

namespace skua {
namespace {

constexpr std::size_t kMaxTensors = 64;
constexpr std::size_t kMaxSources = 4096;

Json golden_to_json(const GoldenRef& golden) {
  Json tolerances = Json::object();
  for (const auto& [output, tolerance] : golden.tolerances) tolerances[output] = to_json(tolerance);
  Json json = Json::object();
  json["file"] = golden.file;
  json["sha256"] = golden.sha256.hex();
  json["size_bytes"] = golden.size_bytes;
  json["origin"] = golden.origin;
  json["tolerances"] = std::move(tolerances);
  return json;
}

std::map<std::string, Tolerance> read_tolerances(ObjectReader& reader) {
  std::map<std::string, Tolerance> tolerances;
  const Json& object = reader.object("tolerances");
  if (object.size() > kMaxTensors)
    reader.fail("tolerances", "at most 64 outputs", std::to_string(object.size()));
  for (const auto& [output, json] : object.items()) {
    if (!reader.ok()) break;
    Result<Tolerance> tolerance = tolerance_from_json(json, reader.path_of("tolerances") + "." + output);
    if (!tolerance.ok()) {
      reader.fail(tolerance.error());
      break;
    }
    tolerances[output] = *tolerance;
  }
  return tolerances;
}

Result<GoldenRef> golden_from_json(const Json& json, const std::string& path) {
  ObjectReader reader(json, path);
  GoldenRef golden;
  golden.file = reader.text("file", kMaxNameBytes);
  golden.sha256 = reader.digest("sha256");
  golden.size_bytes = reader.unsigned_integer("size_bytes");
  golden.origin = reader.text("origin");
  golden.tolerances = read_tolerances(reader);
  SKUA_RETURN_IF_ERROR(reader.finish());
  return golden;
}

Json to_json(const SourceFile& source) {
  Json json = Json::object();
  json["name"] = source.name;
  json["sha256"] = source.sha256.hex();
  json["size_bytes"] = source.size_bytes;
  return json;
}

Result<SourceFile> source_from_json(const Json& json, const std::string& path) {
  ObjectReader reader(json, path);
  SourceFile source;
  source.name = reader.text("name");
  source.sha256 = reader.digest("sha256");
  source.size_bytes = reader.unsigned_integer("size_bytes");
  SKUA_RETURN_IF_ERROR(reader.finish());
  return source;
}

Precision read_precision(ObjectReader& reader) {
  const std::string name = reader.text("precision", kMaxNameBytes);
  const Result<Precision> precision = precision_from_string(name);
  if (precision.ok()) return *precision;
  reader.fail("precision", "fp16, int8, mixed or fp32", "'" + name + "'");
  return Precision::kFp16;
}

std::optional<CalibrationProvenance> read_calibration(ObjectReader& reader, const Json& object) {
  // Always written, null when there is none: a field that can be left out is a field whose loss nobody
  // notices.
  if (object.is_object() && !object.contains("calibration")) {
    reader.fail("calibration", "an object or null", "nothing");
    return std::nullopt;
  }
  const Json* const json = reader.optional("calibration");
  if (json == nullptr) return std::nullopt;
  Result<CalibrationProvenance> calibration = calibration_from_json(*json, reader.path_of("calibration"));
  if (calibration.ok()) return *calibration;
  reader.fail(calibration.error());
  return std::nullopt;
}

void write_identity(Json& json, const EngineRecord& record) {
  json["file"] = record.file;
  json["model"] = record.model;
  json["runtime_label"] = record.runtime_label;
  json["host"] = to_json(record.host);
  json["precision"] = to_string(record.precision);
  json["engine_sha256"] = record.engine_sha256.hex();
  json["size_bytes"] = record.size_bytes;
  json["device_memory_bytes"] = record.device_memory_bytes;
  json["model_sha256"] = record.model_sha256.hex();
  json["build_config_sha256"] = record.build_config_sha256.hex();
}

void read_identity(ObjectReader& reader, EngineRecord& record) {
  record.file = reader.text("file", kMaxNameBytes);
  record.model = reader.text("model", kMaxNameBytes);
  record.runtime_label = reader.text("runtime_label", kMaxNameBytes);
  record.host = read_object<HostTuple>(reader, "host", host_from_json);
  record.precision = read_precision(reader);
  record.engine_sha256 = reader.digest("engine_sha256");
  record.size_bytes = reader.unsigned_integer("size_bytes");
  record.device_memory_bytes = reader.unsigned_integer("device_memory_bytes");
  record.model_sha256 = reader.digest("model_sha256");
  record.build_config_sha256 = reader.digest("build_config_sha256");
}

void write_origin(Json& json, const EngineRecord& record) {
  json["options"] = text_map_to_json(record.options);
  json["proof"] = text_map_to_json(record.proof);
  json["arithmetic"] = record.arithmetic;
  json["model_id"] = record.model_id;
  json["weights_sha256"] = record.weights_sha256;
  json["exporter"] = record.exporter;
  json["sources"] = list_to_json(record.sources, [](const SourceFile& source) { return to_json(source); });
  json["golden"] = golden_to_json(record.golden);
  json["proven"] = record.proven;
  json["builder"] = record.builder;
  json["created"] = record.created;
}

void read_origin(ObjectReader& reader, EngineRecord& record) {
  record.options = read_text_map(reader, "options");
  record.proof = read_text_map(reader, "proof");
  record.arithmetic = reader.text("arithmetic");
  record.model_id = reader.text("model_id");
  record.weights_sha256 = reader.text("weights_sha256", kMaxNameBytes);
  record.exporter = reader.text("exporter");
  record.sources = read_list<SourceFile>(reader, "sources", kMaxSources, source_from_json);
  record.golden = read_object<GoldenRef>(reader, "golden", golden_from_json);
  record.proven = reader.boolean("proven");
  record.builder = reader.text("builder");
  record.created = reader.text("created", kMaxNameBytes);
}

}  // namespace

Json to_json(const EngineRecord& record) {
  const auto spec = [](const TensorSpec& tensor) { return to_json(tensor); };
  Json json = Json::object();
  write_identity(json, record);
  json["calibration"] = record.calibration.has_value() ? to_json(*record.calibration) : Json(nullptr);
  json["inputs"] = list_to_json(record.inputs, spec);
  json["outputs"] = list_to_json(record.outputs, spec);
  json["profiles"] =
      list_to_json(record.profiles, [](const OptimizationProfile& profile) { return to_json(profile); });
  write_origin(json, record);
  return json;
}

Result<EngineRecord> engine_record_from_json(const Json& json, const std::string& path) {
  ObjectReader reader(json, path);
  EngineRecord record;
  read_identity(reader, record);
  record.calibration = read_calibration(reader, json);
  record.inputs = read_list<TensorSpec>(reader, "inputs", kMaxTensors, tensor_spec_from_json);
  record.outputs = read_list<TensorSpec>(reader, "outputs", kMaxTensors, tensor_spec_from_json);
  record.profiles = read_list<OptimizationProfile>(reader, "profiles", kMaxTensors, profile_from_json);
  read_origin(reader, record);
  SKUA_RETURN_IF_ERROR(reader.finish());
  return record;
}

}  // namespace skua
