#include "inference/reuse.h"

#include "cache/engine_verify.h"
#include "calibration/data_set.h"
#include "core/buffer.h"
#include "core/hash.h"
#include "inference/engine_folder.h"
#include "inference/module_loader.h"

namespace skua {
namespace {

namespace fs = std::filesystem;

/// Whether a record's source files, beside `model_path`, still have the recorded bytes.
Result<bool> has_same_sources(const fs::path& model_path, const EngineRecord& record, FileSystem& files,
                              DigestCache& digests) {
  if (record.sources.empty()) return false;
  for (std::size_t i = 0; i < record.sources.size(); ++i) {
    const fs::path file = i == 0 ? model_path : model_path.parent_path() / record.sources[i].name;
    SKUA_ASSIGN_OR_RETURN(const Sha256 found, digests.digest_of(files, file));
    if (found != record.sources[i].sha256) return false;
  }
  return true;
}

Result<std::string> sdk_version(const CompileContext& context, ReuseFacts& facts) {
  if (!facts.sdk_version) {
    SKUA_ASSIGN_OR_RETURN(const RuntimeModule* module, open_runtime_module(context.config.runtime));
    SKUA_ASSIGN_OR_RETURN(const SdkInfo sdk, module->probe(context.config));
    facts.sdk_version = sdk.version;
  }
  return *facts.sdk_version;
}

/// Of the data set as it is now: every byte of it is read, once a run.
Result<Sha256> data_set_digest(const fs::path& given, const CompileContext& context, ReuseFacts& facts) {
  const fs::path path = fs::absolute(given).lexically_normal();
  const auto known = facts.data_sets.find(path);
  if (known != facts.data_sets.end()) return known->second;
  SKUA_ASSIGN_OR_RETURN(const calibration::DataSet set, calibration::read_data_set_at(*context.files, path));
  facts.data_sets.emplace(path, set.digest);
  return set.digest;
}

/// Whether the engine was calibrated with, and judged by, these samples.
Result<bool> has_same_samples(const BuildConfig& build, const EngineRecord& record,
                              const CompileContext& context, ReuseFacts& facts) {
  if (!build.calibration_dataset) return true;
  if (!record.calibration) return false;
  SKUA_ASSIGN_OR_RETURN(const Sha256 found, data_set_digest(*build.calibration_dataset, context, facts));
  if (found != record.calibration->dataset_sha256 || !build.accuracy_dataset)
    return found == record.calibration->dataset_sha256;
  SKUA_ASSIGN_OR_RETURN(const Sha256 judged, data_set_digest(*build.accuracy_dataset, context, facts));
  const auto recorded = record.proof.find(kJudgedBy);
  return recorded != record.proof.end() && recorded->second == judged.hex();
}

/// Whether the float32 network that it was compared with has the bytes of then, its weights included.
Result<bool> has_same_reference(const BuildConfig& build, const EngineRecord& record, FileSystem& files,
                                DigestCache& digests) {
  if (!build.fp32_source) return true;
  const std::string prefix = kComparedWith;
  for (const auto& [key, digest] : record.proof) {
    if (!key.starts_with(prefix)) continue;
    const fs::path file = build.fp32_source->parent_path() / key.substr(prefix.size());
    SKUA_ASSIGN_OR_RETURN(const Sha256 found, digests.digest_of(files, file));
    if (found.hex() != digest) return false;
  }
  return true;
}

/// What the names and the host say. The engine gate would refuse the same, in other words.
Result<std::string> difference_of_host(const fs::path& model_path, const BuildConfig& build,
                                       const CompileContext& context, const EngineRecord& record) {
  SKUA_ASSIGN_OR_RETURN(const std::string artifact, artifact_name(model_path, build, context));
  if (record.file != artifact) return "it is called " + record.file + ", not " + artifact;
  const auto differences = finer_differences(record.host, context.host, uses_gpu(record));
  if (!differences.empty()) return "the host's " + differences.front().field + " changed";
  return std::string();
}

}  // namespace

// What is cheap to ask comes first, the model's bytes last.
Result<std::string> difference_of(const fs::path& model_path, const BuildConfig& build,
                                  const CompileContext& context, const EngineRecord& record,
                                  ReuseFacts& facts) {
  SKUA_RETURN_IF_ERROR(build.validate());
  SKUA_RETURN_IF_ERROR(check_model_file(model_path));
  if (record.runtime_label != context.config.runtime) return "runtime was " + record.runtime_label;
  if (!record.proven) return std::string("it was built with --unproven");
  SKUA_ASSIGN_OR_RETURN(const Sha256 key, build_key(build, context.config));
  if (record.build_config_sha256 != key) return std::string("the build configuration changed");
  if (record.builder != build_id()) return std::string("it was built by another Skua: ") + record.builder;
  SKUA_ASSIGN_OR_RETURN(std::string of_host, difference_of_host(model_path, build, context, record));
  if (!of_host.empty()) return of_host;
  SKUA_ASSIGN_OR_RETURN(const std::string version, sdk_version(context, facts));
  const auto built_with = record.options.find("sdk_version");
  if (built_with == record.options.end() || built_with->second != version) {
    return "the SDK is version " + version + " now";
  }
  SKUA_ASSIGN_OR_RETURN(const bool is_same,
                        has_same_sources(model_path, record, *context.files, facts.sources));
  if (!is_same) return std::string("the model changed");
  SKUA_ASSIGN_OR_RETURN(const bool is_same_reference,
                        has_same_reference(build, record, *context.files, facts.sources));
  if (!is_same_reference) return std::string("fp32_source changed");
  SKUA_ASSIGN_OR_RETURN(const bool is_same_data, has_same_samples(build, record, context, facts));
  return std::string(is_same_data ? "" : "the calibration data set changed");
}

Result<std::optional<EngineRecord>> find_reusable(const fs::path& model_path, const BuildConfig& build,
                                                  const CompileContext& context, ReuseFacts& facts,
                                                  std::string& why) {
  SKUA_RETURN_IF_ERROR(build.validate());
  SKUA_ASSIGN_OR_RETURN(const std::string artifact, artifact_name(model_path, build, context));
  SKUA_RETURN_IF_ERROR(check_model_file(model_path));
  auto folder = context.files->open_folder(context.config.engine_cache_dir);
  if (!folder.ok()) {
    why = "the engine cache does not exist yet";
    return std::optional<EngineRecord>();
  }
  auto record = read_build_record(**folder, artifact);
  if (!record.ok()) {
    why = record.error().message;
    return std::optional<EngineRecord>();
  }
  SKUA_ASSIGN_OR_RETURN(why, difference_of(model_path, build, context, *record, facts));
  if (!why.empty()) return std::optional<EngineRecord>();
  SKUA_ASSIGN_OR_RETURN(Buffer piece, Buffer::allocate(kHashPieceBytes));
  const EngineExpectation expected{artifact, std::nullopt, build.precision, context.host, uses_gpu(*record)};
  if (const Status good = judge_cached(**folder, expected, piece.bytes()); !good.ok()) {
    why = good.error().message;
    return std::optional<EngineRecord>();
  }
  return std::optional<EngineRecord>(*std::move(record));
}

}  // namespace skua
