#include "cli/inspect_file.h"

#include <algorithm>

#include "bootstrap/file_metadata.h"
#include "bootstrap/published_sets.h"
#include "cache/dsse_bundle.h"
#include "cache/golden.h"
#include "cache/manifest.h"
#include "cache/plan_header.h"
#include "cache/set_statement.h"
#include "calibration/cache_origin.h"
#include "calibration/cache_text.h"
#include "calibration/data_set.h"
#include "cli/arguments.h"
#include "cli/cache_entries.h"
#include "core/json_strict.h"
#include "core/posix_error.h"
#include "core/text.h"
#include "skua/engine_filename.h"
#include "skua/sidecar.h"

namespace skua {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kTextLimit = 8U << 20U;
constexpr std::size_t kGoldenLimit = 1U << 30U;

fs::path folder_of(const fs::path& file) {
  return file.has_parent_path() ? file.parent_path() : fs::path(".");
}

Result<std::string> read_file(const fs::path& file, std::size_t limit) {
  SKUA_ASSIGN_OR_RETURN(auto folder, posix_file_system().open_folder(folder_of(file)));
  return read_text(*folder, file.filename().string(), limit);
}

void show_json(const Json& json, const std::string& indent, Console& console) {
  for (const auto& [key, value] : json.items()) {
    const std::string label = json.is_array() ? "[" + key + "]" : key;
    if (value.is_object() || (value.is_array() && !value.empty() && value[0].is_structured())) {
      console.line(indent + label);
      show_json(value, indent + "  ", console);
    } else {
      console.line(indent + label + ": " + (value.is_string() ? value.get<std::string>() : value.dump()));
    }
  }
}

/// The one way out for a thing that was recognised: a heading, and its content for readers and scripts.
Status show(const std::string& kind, const fs::path& path, Json content, Console& console) {
  console.line(kind + "  " + path.string());
  show_json(content, "  ", console);
  console.report()["kind"] = kind;
  console.report()["path"] = path.string();
  console.report()["content"] = std::move(content);
  return {};
}

/// What a signature says of itself: nothing here has been verified.
Result<Json> signature_json(const fs::path& file) {
  SKUA_ASSIGN_OR_RETURN(const std::string text, read_file(file, kSignatureMaxBytes));
  SKUA_ASSIGN_OR_RETURN(const DsseBundle bundle, decode_bundle(text));
  SKUA_ASSIGN_OR_RETURN(const SetStatement statement, decode_statement(bundle.payload));
  return Json{{"note", "not verified: skua verify --trust PUBLIC_KEY judges it"},
              {"signer_hint", bundle.key_hint.hex()},
              {"subject", statement.subject},
              {"file_count", statement.files.size()}};
}

Status inspect_signature(const fs::path& file, Console& console) {
  SKUA_ASSIGN_OR_RETURN(Json json, signature_json(file));
  return show("signature", file, std::move(json), console);
}

/// Beside a set's manifest: its signature, or why it says nothing; null for a set that has none.
Status inspect_signature_of(const fs::path& set_dir, Console& console) {
  Json& json = console.report()["signature"] = nullptr;
  auto signature = signature_json(set_dir / kSignatureName);
  if (!signature.ok() && signature.error().reason == Reason::kNotFound) {
    console.line("signature  none");
    return {};
  }
  json = signature.ok() ? *std::move(signature) : Json{{"error", error_json(signature.error())}};
  console.line("signature  " + (set_dir / kSignatureName).string());
  show_json(json, "  ", console);
  return {};
}

Status inspect_public_key(const fs::path& file, Console& console) {
  SKUA_ASSIGN_OR_RETURN(const std::string text, read_file(file, kTextLimit));
  SKUA_ASSIGN_OR_RETURN(const PublicKey key, PublicKey::from_pem(text));
  return show("public key", file,
              {{"algorithm", "ECDSA P-256 with SHA-256"}, {"fingerprint", key.fingerprint().hex()}}, console);
}

Status inspect_manifest(const fs::path& file, Console& console) {
  SKUA_ASSIGN_OR_RETURN(const std::string text, read_file(file, kManifestMaxBytes));
  SKUA_ASSIGN_OR_RETURN(const Manifest manifest, decode_manifest(text));
  JsonLimits limits;
  limits.max_bytes = kManifestMaxBytes;
  SKUA_ASSIGN_OR_RETURN(Json json, parse_json(encode_manifest(manifest), limits));
  return show("flight set manifest", file, std::move(json), console);
}

Status inspect_record(const fs::path& file, Console& console) {
  SKUA_ASSIGN_OR_RETURN(const std::string text, read_file(file, kTextLimit));
  SKUA_ASSIGN_OR_RETURN(const EngineRecord record, decode_build_record(text));
  return show("build record", file, to_json(record), console);
}

Status inspect_sidecar(const fs::path& file, Console& console) {
  const fs::path payload = fs::path(file).replace_extension();
  SKUA_ASSIGN_OR_RETURN(const std::string text, read_file(file, kTextLimit));
  SKUA_ASSIGN_OR_RETURN(const Sha256 recorded, Sha256::from_hex(text));
  SKUA_ASSIGN_OR_RETURN(const bool is_good, Sha256Sidecar::verify(payload));
  return show("sidecar", file,
              {{"payload", payload.string()}, {"sha256", recorded.hex()}, {"payload_matches", is_good}},
              console);
}

Json tensors_of(const TensorMap& map) {
  Json tensors = Json::array();
  for (const auto& [name, tensor] : map) {
    tensors.push_back({{"name", name},
                       {"dtype", to_string(tensor.view().dtype)},
                       {"shape", tensor.view().shape.to_string()}});
  }
  return tensors;
}

Status inspect_golden(const fs::path& file, Console& console) {
  SKUA_ASSIGN_OR_RETURN(const std::string bytes, read_file(file, kGoldenLimit));
  SKUA_ASSIGN_OR_RETURN(const GoldenVectors golden, decode_golden(std::as_bytes(std::span(bytes))));
  return show("golden vectors", file,
              {{"inputs", tensors_of(golden.inputs)}, {"expected_outputs", tensors_of(golden.outputs)}},
              console);
}

Json metadata_json(const Result<ModelMetadata>& metadata) {
  Json json = Json::object();
  if (!metadata.ok()) return json;
  for (const auto& [key, value] : *metadata) json[key] = value;
  return json;
}

Status inspect_model(const fs::path& file, Console& console) {
  const bool is_onnx = file.extension() == ".onnx";
  const auto metadata = is_onnx ? read_onnx_metadata(file) : read_torchscript_metadata(file);
  if (!metadata.ok()) return metadata.error();
  SKUA_ASSIGN_OR_RETURN(const Sha256 digest, Sha256Sidecar::digest_file(file));
  std::error_code error;
  const std::uintmax_t size_bytes = fs::file_size(file, error);
  if (error)
    return invalid_argument(Reason::kIo, file.string() + ": " + error.message() + "; check the path");
  return show(is_onnx ? "ONNX model" : "TorchScript model", file,
              {{"sha256", digest.hex()}, {"size_bytes", size_bytes}, {"metadata", metadata_json(metadata)}},
              console);
}

/// What a TensorRT plan's first bytes say; null for anything that is no plan.
Json plan_header_of(const fs::path& file) {
  constexpr std::size_t kHeaderBytes = 32, kVersionAt = 24;
  auto folder = posix_file_system().open_folder(folder_of(file));
  if (!folder.ok()) return nullptr;
  auto open = (*folder)->open_read(file.filename().string());
  std::string bytes(kHeaderBytes, '\0');
  const auto count =
      open.ok() ? (*open)->read(std::as_writable_bytes(std::span(bytes))) : Result<std::size_t>(0);
  if (!count.ok() || *count < kHeaderBytes || !bytes.starts_with("ftrt")) return nullptr;
  std::string version;
  for (std::size_t i = kVersionAt; i < kVersionAt + 4; ++i) {
    version += (version.empty() ? "" : ".") + std::to_string(static_cast<unsigned char>(bytes[i]));
  }
  return {{"magic", "ftrt"}, {"tensorrt", version}};
}

Json sidecar_json(const fs::path& engine) {
  const auto verdict = Sha256Sidecar::verify(engine);
  if (!verdict.ok()) return {{"error", error_json(verdict.error())}};
  return {{"payload_matches", *verdict}};
}

Status inspect_engine(const fs::path& file, const EngineFilenameSchema& name, Console& console) {
  Json json = {{"model", name.model},
               {"sm", name.sm},
               {"jetpack", name.jetpack},
               {"tensorrt", name.tensorrt},
               {"precision", to_string(name.precision)}};
  json["plan_header"] = plan_header_of(file);
  json["sidecar"] = sidecar_json(file);
  const auto text = read_file(file.string() + ".json", kTextLimit);
  const auto record = text.ok() ? decode_build_record(*text) : Result<EngineRecord>(text.error());
  json["build_record"] = record.ok() ? to_json(*record) : Json{{"error", error_json(record.error())}};
  return show("engine", file, std::move(json), console);
}

Status inspect_cache(const fs::path& folder, Console& console) {
  SKUA_ASSIGN_OR_RETURN(const auto records, cache_records(posix_file_system(), folder));
  if (records.empty()) {
    return invalid_argument(
        Reason::kNotFound,
        folder.string() +
            " holds neither a flight set, nor CURRENT, nor an engine with a build record, nor "
            ".npz samples or preprocess.yaml");
  }
  Json engines = Json::array();
  for (const EngineRecord& record : records) {
    engines.push_back({{"file", record.file},
                       {"model", record.model},
                       {"runtime", record.runtime_label},
                       {"precision", to_string(record.precision)},
                       {"size_bytes", record.size_bytes},
                       {"created", record.created}});
  }
  return show("engine cache", folder, {{"engines", std::move(engines)}}, console);
}

/// By one name that nothing else of ours has: whether all is as it should be is for the reader to say.
bool is_data_set(FileSystem& files, const fs::path& path) {
  const auto folder = files.open_folder(path);
  const auto names = folder.ok() ? (*folder)->list() : Result<std::vector<std::string>>(folder.error());
  return names.ok() && std::any_of(names->begin(), names->end(), [](const std::string& name) {
           return name == calibration::kPreprocessName || name.ends_with(".npz") || name.ends_with(".NPZ");
         });
}

Status inspect_data_set(const fs::path& path, Console& console) {
  SKUA_ASSIGN_OR_RETURN(const auto folder, posix_file_system().open_folder(path));
  calibration::DataSetOptions options;
  options.on_progress = [&](std::size_t done, std::size_t all) {
    console.progress("hashing " + std::to_string(done) + " of " + std::to_string(all) + " files");
  };
  SKUA_ASSIGN_OR_RETURN(const calibration::DataSet set, calibration::read_data_set(*folder, options));
  const bool is_image = set.kind == calibration::SampleKind::kImage;
  return show("calibration data set", path,
              {{"kind", is_image ? "images" : "npz"},
               {"samples", set.samples.size()},
               {"size_bytes", set.size_bytes},
               {"sha256", set.digest.hex()}},
              console);
}

Status inspect_folder(const fs::path& folder, Console& console) {
  FileSystem& files = posix_file_system();
  if (is_data_set(files, folder)) return inspect_data_set(folder, console);
  if (!is_flight_set(files, folder) && !is_sets_folder(files, folder)) return inspect_cache(folder, console);
  SKUA_ASSIGN_OR_RETURN(const fs::path set_dir, find_set(files, folder));
  SKUA_RETURN_IF_ERROR(inspect_manifest(set_dir / kManifestName, console));
  return inspect_signature_of(set_dir, console);
}

/// What the text says. What it was made from, it does not.
Status inspect_calibration_cache(const fs::path& file, Console& console) {
  SKUA_ASSIGN_OR_RETURN(const std::string text, read_file(file, calibration::kMaxCacheBytes));
  SKUA_ASSIGN_OR_RETURN(const calibration::CacheText cache, calibration::parse_cache_text(text));
  Json scales = Json::object();
  for (const calibration::TensorScale& scale : cache.scales) scales[scale.tensor] = scale.scale;
  return show("calibration cache", file,
              {{"library_version", cache.library_version},
               {"algorithm", to_string(cache.algorithm)},
               {"tensors", cache.scales.size()},
               {"scales", std::move(scales)}},
              console);
}

/// What its own bytes say: whether it is the cache beside it is for the reader to compare.
Status inspect_calibration_origin(const fs::path& file, Console& console) {
  SKUA_ASSIGN_OR_RETURN(const std::string text, read_file(file, calibration::kMaxOriginBytes));
  SKUA_ASSIGN_OR_RETURN(const calibration::CacheOrigin origin, calibration::decode_cache_origin(text));
  return show("origin of a calibration cache", file,
              {{"model_sha256", origin.model_sha256.hex()},
               {"dataset_sha256", origin.calibration.dataset_sha256.hex()},
               {"sample_count", origin.calibration.sample_count},
               {"cache_sha256", origin.calibration.cache_sha256.hex()},
               {"algorithm", origin.calibration.algorithm},
               {"producer", origin.calibration.producer},
               {"library_version", origin.library_version}},
              console);
}

Status inspect_data_set_digest(const fs::path& file, Console& console) {
  SKUA_ASSIGN_OR_RETURN(const std::string text, read_file(file, kTextLimit));
  SKUA_ASSIGN_OR_RETURN(const Sha256 digest, Sha256::from_hex(text));
  return show("digest of a calibration data set", file, {{"sha256", digest.hex()}}, console);
}

Status inspect_regular(const fs::path& file, Console& console) {
  const std::string name = file.filename().string();
  if (name.ends_with(".calib_cache")) return inspect_calibration_cache(file, console);
  if (name.ends_with(".calib_cache.dataset_sha256")) return inspect_data_set_digest(file, console);
  if (name.ends_with(".calib_cache.json")) return inspect_calibration_origin(file, console);
  if (name == kManifestName) return inspect_manifest(file, console);
  if (name == kSignatureName) return inspect_signature(file, console);
  if (name.ends_with(".pub")) return inspect_public_key(file, console);
  if (name.ends_with(".sha256")) return inspect_sidecar(file, console);
  if (name.ends_with(".golden")) return inspect_golden(file, console);
  if (name.ends_with(".json")) return inspect_record(file, console);
  if (const auto schema = EngineFilenameSchema::parse(name); schema.ok())
    return inspect_engine(file, *schema, console);
  if (file.extension() == ".onnx" || file.extension() == ".pt") return inspect_model(file, console);
  return invalid_argument(Reason::kInvalidArgument,
                          file.string() +
                              " is none of Skua's files: expected an engine, sidecar, "
                              "build record, manifest, golden vectors, calibration "
                              "cache, signature, public key, .onnx or .pt");
}

}  // namespace

Status inspect_path(const fs::path& path, Console& console) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (fs::is_directory(status)) return inspect_folder(path, console);
  if (fs::is_regular_file(status)) return inspect_regular(path, console);
  if (error && status.type() != fs::file_type::not_found) {
    return invalid_argument(reason_of_errno(error.value()),
                            path.string() + ": " + error.message() + "; check the path");
  }
  return invalid_argument(Reason::kNotFound,
                          path.string() + (fs::exists(status) ? " is neither a file nor a folder"
                                                              : " does not exist; check the path"));
}

}  // namespace skua
