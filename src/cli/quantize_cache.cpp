#include "cli/quantize_cache.h"

#include <algorithm>
#include <span>
#include <vector>

#include "cache/sidecar_file.h"
#include "calibration/cache_files.h"
#include "core/hash.h"
#include "core/json_strict.h"
#include "skua/sidecar.h"

namespace skua {
namespace {

namespace fs = std::filesystem;
using calibration::TensorScale;

constexpr std::size_t kMaxFiles = 10'000;  // of one model's external weights

Result<std::vector<TensorScale>> scales_of(const std::vector<const Json*>& pairs) {
  std::vector<TensorScale> scales;
  for (const Json* const pair : pairs) {
    const bool is_pair =
        pair->is_array() && pair->size() == 2 && (*pair)[0].is_string() && (*pair)[1].is_number();
    if (!is_pair) return tool_defect("a scale that is no pair of name and number");
    scales.push_back({(*pair)[0].get<std::string>(), (*pair)[1].get<float>()});
  }
  return scales;
}

/// As build records name a model.
Result<Sha256> digest_of_model(const fs::path& model, const std::vector<const Json*>& external) {
  if (external.empty()) return Sha256Sidecar::digest_file(model);
  std::vector<fs::path> files = {model};
  for (const Json* const name : external) {
    if (!name->is_string()) return tool_defect("external weights without a name");
    files.push_back(model.parent_path() / name->get<std::string>());
  }
  return Sha256Sidecar::aggregate_hash(files);
}

/// What the tool calibrated must be what lies there: this names the cache's model for whoever trusts it.
Status check_model(const fs::path& model, const std::vector<const Json*>& external,
                   const Sha256& calibrated) {
  SKUA_ASSIGN_OR_RETURN(const Sha256 now, digest_of_model(model, external));
  if (now == calibrated) return {};
  return make_error(ErrorCode::kEngineBuild, Reason::kModelUnreadable,
                    model.string() +
                        ": expected the model as it was when it was calibrated, found another; let nobody "
                        "write to it and run the command again");
}

/// The data set as the tool used it.
Status read_provenance(const Json& result, CalibrationProvenance& provenance) {
  const auto found = result.find("provenance");
  if (found == result.end()) return tool_defect("no provenance");
  ObjectReader reader(*found, "provenance");
  provenance.dataset_sha256 = reader.digest("dataset_sha256");
  provenance.sample_count = reader.unsigned_integer("sample_count");
  if (!reader.ok()) return tool_defect(reader.finish().error().message);
  return {};
}

}  // namespace

Error tool_defect(const std::string& what) {
  return make_error(ErrorCode::kInternal, Reason::kInternal, "the precision tool's response: " + what);
}

Status check_replaceable(Folder& folder, const fs::path& path, bool may_overwrite) {
  const auto there = folder.info(path.filename().string());
  if (!there.ok()) return there.error().reason == Reason::kNotFound ? Status() : Status(there.error());
  if (there->kind != FileKind::kRegular) {
    return make_error(ErrorCode::kIo, Reason::kNotRegularFile,
                      path.string() + ": expected a regular file or none, found another kind");
  }
  if (may_overwrite) return {};
  return make_error(ErrorCode::kIo, Reason::kExists,
                    path.string() + " exists already; give --overwrite or another name");
}

Status check_cache_replaceable(Folder& folder, const fs::path& cache, bool may_overwrite) {
  for (const std::string_view ending :
       {std::string_view(), kSidecarSuffix, calibration::kDataSetSuffix, calibration::kOriginSuffix}) {
    SKUA_RETURN_IF_ERROR(check_replaceable(folder, cache.string() + std::string(ending), may_overwrite));
  }
  return {};
}

Result<PreparedCache> prepare_cache(const QuantizeJob& job, Json& result) {
  const auto found = result.find("cache");
  if (found == result.end()) return tool_defect("no scales");
  const Json part = std::move(*found);
  result.erase("cache");
  ObjectReader reader(part, "cache");
  const std::vector<const Json*> pairs = reader.array("scales", calibration::kMaxCacheTensors);
  const std::vector<const Json*> external = reader.array("external", kMaxFiles);
  const std::vector<const Json*> unnamed = reader.array("unnamed", calibration::kMaxCacheTensors);
  PreparedCache prepared;
  prepared.origin.model_sha256 = reader.digest("model_sha256");
  if (const Status status = reader.finish(); !status.ok()) return tool_defect(status.error().message);
  SKUA_RETURN_IF_ERROR(check_model(job.model, external, prepared.origin.model_sha256));
  calibration::CacheText text;
  text.library_version = prepared.origin.library_version = job.cache->library_version;
  text.algorithm =
      job.data->algorithm == "minmax" ? calibration::Algorithm::kMinMax : calibration::Algorithm::kEntropy2;
  SKUA_ASSIGN_OR_RETURN(text.scales, scales_of(pairs));
  SKUA_ASSIGN_OR_RETURN(prepared.text, calibration::print_cache_text(text));
  prepared.tensors = text.scales.size();
  for (const Json* const node : unnamed) {
    if (!node->is_string()) return tool_defect("a node without a name");
    prepared.unnamed.push_back(node->get<std::string>());
  }
  SKUA_RETURN_IF_ERROR(read_provenance(result, prepared.origin.calibration));
  prepared.origin.calibration.algorithm = to_string(text.algorithm);
  prepared.origin.calibration.producer = calibration::kCpuProducer;
  return prepared;
}

Status add_cache(FileGroup& files, Folder& folder, const QuantizeCache& cache, PreparedCache prepared,
                 Json& result) {
  const std::string name = cache.file.filename().string();
  CalibrationProvenance& provenance = prepared.origin.calibration;
  provenance.cache_sha256 = sha256_of(std::as_bytes(std::span(prepared.text)));
  const auto add = [&](std::string_view ending, std::string_view text, FileRole role) {
    return files.add(folder, name + std::string(ending), std::as_bytes(std::span(text)), role);
  };
  SKUA_RETURN_IF_ERROR(add("", prepared.text, FileRole::kContent));
  SKUA_RETURN_IF_ERROR(add(calibration::kDataSetSuffix, provenance.dataset_sha256.hex(), FileRole::kContent));
  SKUA_RETURN_IF_ERROR(add(kSidecarSuffix, provenance.cache_sha256.hex(), FileRole::kVoucher));
  SKUA_RETURN_IF_ERROR(
      add(calibration::kOriginSuffix, calibration::encode_cache_origin(prepared.origin), FileRole::kVoucher));
  result["cache"] = {{"path", cache.file.string()},
                     {"sha256", provenance.cache_sha256.hex()},
                     {"model_sha256", prepared.origin.model_sha256.hex()},
                     {"tensors", prepared.tensors},
                     {"unnamed", prepared.unnamed},
                     {"producer", provenance.producer}};
  return {};
}

}  // namespace skua
