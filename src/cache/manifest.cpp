#include "cache/manifest.h"

#include <algorithm>

#include "cache/json_fields.h"
#include "cache/manifest_check.h"
#include "core/hash.h"
#include "core/json_strict.h"
#include "core/text.h"

namespace skua {
namespace {

constexpr std::string_view kKind = "skua.flight-manifest";
constexpr std::size_t kMaxArtifacts = 256;
constexpr std::size_t kMaxFiles = 8192;
constexpr std::size_t kMaxFigures = 256;

Json file_to_json(const ManifestFile& file) {
  Json json = Json::object();
  json["name"] = file.name;
  json["size_bytes"] = file.size_bytes;
  json["sha256"] = file.sha256.hex();
  return json;
}

Result<ManifestFile> file_from_json(const Json& json, const std::string& path) {
  ObjectReader reader(json, path);
  ManifestFile file;
  file.name = reader.text("name", kMaxNameBytes);
  file.size_bytes = reader.unsigned_integer("size_bytes");
  file.sha256 = reader.digest("sha256");
  SKUA_RETURN_IF_ERROR(reader.finish());
  return file;
}

Json figure_to_json(const AccuracyFigure& figure) {
  Json json = Json::object();
  json["output"] = figure.output;
  json["metric"] = figure.metric;
  json["value"] = figure.value;
  json["threshold"] = figure.threshold;
  return json;
}

Result<AccuracyFigure> figure_from_json(const Json& json, const std::string& path) {
  ObjectReader reader(json, path);
  AccuracyFigure figure;
  figure.output = reader.text("output", kMaxNameBytes);
  figure.metric = reader.text("metric", kMaxNameBytes);
  figure.value = reader.number("value");
  figure.threshold = reader.number("threshold");
  SKUA_RETURN_IF_ERROR(reader.finish());
  return figure;
}

Json artifact_to_json(const ManifestArtifact& artifact) {
  Json json = Json::object();
  json["name"] = artifact.name;
  json["criticality"] = artifact.criticality;
  json["engine"] = to_json(artifact.engine);
  json["accuracy"] = list_to_json(artifact.accuracy, figure_to_json);
  return json;
}

Result<ManifestArtifact> artifact_from_json(const Json& json, const std::string& path) {
  ObjectReader reader(json, path);
  ManifestArtifact artifact;
  artifact.name = reader.text("name", kMaxNameBytes);
  artifact.criticality = reader.unsigned_integer("criticality");
  artifact.engine = read_object<EngineRecord>(reader, "engine", engine_record_from_json);
  artifact.accuracy = read_list<AccuracyFigure>(reader, "accuracy", kMaxFigures, figure_from_json);
  SKUA_RETURN_IF_ERROR(reader.finish());
  return artifact;
}

std::optional<std::string> read_not_after(ObjectReader& reader, const Json& object) {
  if (object.is_object() && !object.contains("not_after"))
    reader.fail("not_after", "a date or null", "nothing");
  const Json* const json = reader.optional("not_after");
  if (json == nullptr) return std::nullopt;
  if (json->is_string()) return json->get<std::string>();
  reader.fail("not_after", "a date or null", json->type_name());
  return std::nullopt;
}

/// What stays the same when equal content is provisioned again under another id and date. The list of files
/// follows from the records and is left out, so that a draft can be compared before anything is copied.
void write_content(Json& json, const Manifest& manifest) {
  json["runtime_label"] = manifest.runtime_label;
  json["runtime_options"] = text_map_to_json(manifest.runtime_options);
  json["host"] = to_json(manifest.host);
  json["artifacts"] = list_to_json(manifest.artifacts, artifact_to_json);
  json["builder"] = manifest.builder;
  json["builder_options"] = text_map_to_json(manifest.builder_options);
}

Error malformed(const Error& cause) {
  return make_error(ErrorCode::kManifest, Reason::kManifestMalformed,
                    "manifest: " + cause.message + "; provision the set again");
}

/// Another version may mean something else by every other field, so this is judged before them.
Status check_version(const Json& json) {
  ObjectReader reader(json, "");
  const std::string kind = reader.text("kind", kMaxNameBytes);
  if (reader.ok() && kind != kKind) reader.fail("kind", kKind, quote(kind));
  const std::uint64_t schema = reader.unsigned_integer("schema");
  // finish() would complain of the fields that are not read here; fail() keeps the first error alone.
  if (!reader.ok()) return malformed(reader.finish().error());
  if (schema == kManifestSchema) return {};
  return make_error(ErrorCode::kManifest, Reason::kManifestSchemaVersion,
                    "manifest: expected schema " + std::to_string(kManifestSchema) + ", found " +
                        std::to_string(schema) + "; provision the set with the Skua release that flies it");
}

Result<Manifest> decode_fields(const Json& json) {
  ObjectReader reader(json, "");
  Manifest manifest;
  reader.text("kind");
  reader.unsigned_integer("schema");
  manifest.set_id = reader.text("set_id", kMaxNameBytes);
  manifest.release_sequence = reader.unsigned_integer("release_sequence");
  manifest.created = reader.text("created", kMaxNameBytes);
  manifest.not_after = read_not_after(reader, json);
  manifest.runtime_label = reader.text("runtime_label", kMaxNameBytes);
  manifest.runtime_options = read_text_map(reader, "runtime_options");
  manifest.host = read_object<HostTuple>(reader, "host", host_from_json);
  manifest.artifacts = read_list<ManifestArtifact>(reader, "artifacts", kMaxArtifacts, artifact_from_json);
  manifest.builder = reader.text("builder");
  manifest.builder_options = read_text_map(reader, "builder_options");
  manifest.files = read_list<ManifestFile>(reader, "files", kMaxFiles, file_from_json);
  SKUA_RETURN_IF_ERROR(reader.finish());
  SKUA_RETURN_IF_ERROR(check_manifest(manifest));
  return manifest;
}

}  // namespace

std::string encode_manifest(const Manifest& manifest) {
  Json json = Json::object();
  json["kind"] = kKind;
  json["schema"] = kManifestSchema;
  json["set_id"] = manifest.set_id;
  json["release_sequence"] = manifest.release_sequence;
  json["created"] = manifest.created;
  json["not_after"] = manifest.not_after.has_value() ? Json(*manifest.not_after) : Json(nullptr);
  write_content(json, manifest);
  json["files"] = list_to_json(manifest.files, file_to_json);
  return file_text_of(json);
}

Result<Manifest> decode_manifest(std::string_view text) {
  if (text.size() > kManifestMaxBytes) {
    return make_error(ErrorCode::kManifest, Reason::kManifestTooLarge,
                      "manifest: expected at most " + std::to_string(kManifestMaxBytes) +
                          " bytes, found more; "
                          "provision the set again");
  }
  const Result<Json> json = parse_json(text, {.max_bytes = kManifestMaxBytes, .max_depth = 12});
  if (!json.ok()) return malformed(json.error());
  SKUA_RETURN_IF_ERROR(check_version(*json));
  Result<Manifest> manifest = decode_fields(*json);
  if (!manifest.ok()) return malformed(manifest.error());
  return manifest;
}

Sha256 content_digest(const Manifest& manifest) {
  Manifest content = manifest;
  // An engine that was compiled again from the same source to the same bytes is the same content.
  for (ManifestArtifact& artifact : content.artifacts) artifact.engine.created.clear();
  Json json = Json::object();
  write_content(json, content);
  const std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return sha256_of(std::as_bytes(std::span(text)));
}

}  // namespace skua
