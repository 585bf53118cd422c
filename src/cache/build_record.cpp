#include "cache/build_record.h"

#include "cache/json_fields.h"
#include "cache/manifest.h"
#include "cache/record_tensors.h"
#include "cache/utc_text.h"
#include "core/json_strict.h"
#include "core/text.h"
#include "skua/engine_filename.h"

namespace skua {
namespace {

Error malformed(const std::string& path, const std::string& what) {
  return make_error(ErrorCode::kIo, Reason::kMalformed, path + ": " + what);
}

bool is_plain_name(std::string_view name) noexcept {
  return is_plain_relative(name) && name.find('/') == std::string_view::npos;
}

/// The gate judges the name itself; here only what it shares with the record.
Status check_names(const EngineRecord& record, const std::string& path) {
  if (!is_plain_name(record.file)) {
    return malformed(path + ".file", "expected a plain file name, found " + quote(record.file));
  }
  if (!is_plain_name(record.golden.file)) {
    return malformed(path + ".golden.file", "expected a plain file name, found " + quote(record.golden.file));
  }
  const Result<EngineFilenameSchema> name = EngineFilenameSchema::parse(record.file);
  if (name.ok() && name->model != record.model) {
    return malformed(path + ".model", "expected " + quote(name->model) + ", as the file name says, found " +
                                          quote(record.model));
  }
  return {};
}

Status check_tolerances(const EngineRecord& record, const std::string& path) {
  bool is_complete = record.golden.tolerances.size() == record.outputs.size();
  for (const TensorSpec& output : record.outputs) {
    is_complete = is_complete && record.golden.tolerances.count(output.name) == 1;
  }
  if (!is_complete)
    return malformed(path + ".golden.tolerances", "expected one entry per output, found others");
  BuildConfig build;  // what may be asked for is what may be recorded
  build.tolerances = record.golden.tolerances;
  const Status valid = build.validate();
  if (valid.ok()) return {};
  return malformed(path + ".golden.tolerances", valid.error().message);
}

Result<EngineRecord> decode_fields(std::string_view text) {
  SKUA_ASSIGN_OR_RETURN(Json json, parse_json(text, {.max_bytes = kBuildRecordMaxBytes, .max_depth = 12}));
  // The envelope first: what another version means by the other fields is not ours to guess.
  ObjectReader envelope(json, "");
  const std::uint64_t schema = envelope.unsigned_integer("schema");
  const std::string kind = envelope.text("kind", kMaxNameBytes);
  const Json& body = envelope.object("engine");
  if (envelope.ok() && schema != kBuildRecordSchema) {
    envelope.fail("schema", std::to_string(kBuildRecordSchema), std::to_string(schema));
  }
  if (envelope.ok() && kind != kBuildRecordKind) envelope.fail("kind", kBuildRecordKind, quote(kind));
  SKUA_RETURN_IF_ERROR(envelope.finish());
  SKUA_ASSIGN_OR_RETURN(EngineRecord record, engine_record_from_json(body, "engine"));
  SKUA_RETURN_IF_ERROR(check_record(record, "engine"));
  return record;
}

}  // namespace

std::string build_record_name(std::string_view engine_file) { return std::string(engine_file) + ".json"; }

Status check_record(const EngineRecord& record, const std::string& path) {
  SKUA_RETURN_IF_ERROR(check_names(record, path));
  SKUA_RETURN_IF_ERROR(check_tensors(record, path));
  SKUA_RETURN_IF_ERROR(check_tolerances(record, path));
  if (record.size_bytes == 0) return malformed(path + ".size_bytes", "expected a size above 0, found 0");
  if (record.outputs.empty()) return malformed(path + ".outputs", "expected at least one output, found none");
  if (record.sources.empty())
    return malformed(path + ".sources", "expected at least the model file, found none");
  if (!record.weights_sha256.empty() && !Sha256::from_hex(record.weights_sha256).ok()) {
    return malformed(path + ".weights_sha256", "expected 64 lower-case hex digits or nothing");
  }
  if (is_utc_text(record.created)) return {};
  return malformed(path + ".created",
                   "expected a date like 2026-03-01T12:00:00Z, found " + quote(record.created));
}

std::string encode_build_record(const EngineRecord& record) {
  Json json = Json::object();
  json["kind"] = kBuildRecordKind;
  json["schema"] = kBuildRecordSchema;
  json["engine"] = to_json(record);
  return file_text_of(json);
}

Result<EngineRecord> decode_build_record(std::string_view text) {
  Result<EngineRecord> record = decode_fields(text);
  if (record.ok()) return record;
  return make_error(ErrorCode::kEngineDeserialize, Reason::kBuildRecordMalformed,
                    "build record: " + record.error().message + "; compile the engine again");
}

EngineCacheEntry to_entry(const EngineRecord& record, const std::filesystem::path& folder) {
  EngineCacheEntry entry;
  entry.engine_path = folder / record.file;
  entry.model = record.model;
  entry.runtime_label = record.runtime_label;
  entry.host = record.host;
  entry.precision = record.precision;
  entry.engine_sha256 = record.engine_sha256;
  entry.size_bytes = record.size_bytes;
  entry.device_memory_bytes = record.device_memory_bytes;
  entry.model_sha256 = record.model_sha256;
  entry.build_config_sha256 = record.build_config_sha256;
  entry.calibration = record.calibration;
  entry.inputs = record.inputs;
  entry.outputs = record.outputs;
  return entry;
}

}  // namespace skua
