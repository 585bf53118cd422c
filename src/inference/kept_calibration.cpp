#include "inference/kept_calibration.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "cache/engine_verify.h"
#include "cache/publish.h"
#include "cache/safe_file.h"
#include "cache/sidecar_file.h"
#include "core/hash.h"
#include "core/text.h"

namespace skua {
namespace {

std::string cache_name(const std::string& artifact) {
  return calibration::stem_of(artifact) + std::string(calibration::kCacheSuffix);
}

Error calibration_error(const Error& cause, const std::string& doing) {
  return make_error(refusal_class(cause, ErrorCode::kCalibrationCache), cause.reason,
                    doing + ": " + cause.message, cause.native_code);
}

Status remove_if_there(Folder& folder, const std::string& name) {
  const Status removed = folder.remove(name);
  if (removed.ok() || removed.error().reason == Reason::kNotFound) return {};
  return calibration_error(removed.error(), "cannot remove the calibration cache of another build");
}

}  // namespace

Result<std::optional<calibration::RecordedOrigin>> recorded_calibration(Folder& folder,
                                                                        const std::string& artifact) {
  using Origin = std::optional<calibration::RecordedOrigin>;
  const auto record = read_build_record(folder, artifact);
  if (record.ok() && record->calibration)
    return Origin(calibration::RecordedOrigin{record->model_sha256, *record->calibration});
  constexpr std::array kNone = {Reason::kBuildRecordMissing, Reason::kBuildRecordMalformed,
                                Reason::kNotRegularFile};
  const bool is_none = record.ok() || is_unsafe(record.error()) ||
                       std::find(kNone.begin(), kNone.end(), record.error().reason) != kNone.end();
  if (is_none) return Origin();
  return calibration_error(record.error(), "the build record of " + artifact + " cannot be read");
}

Result<std::optional<std::string>> reject_untrusted_calibration(WriterLock& cache,
                                                                const std::string& artifact,
                                                                const CompileContext& context) {
  SKUA_ASSIGN_OR_RETURN(const auto recorded, recorded_calibration(cache.folder(), artifact));
  const std::string stem = calibration::stem_of(artifact);
  // Whether it is damaged or unproven does not depend on what is built now.
  SKUA_ASSIGN_OR_RETURN(const calibration::JudgedCache judged,
                        calibration::judge_cache(cache.folder(), stem, recorded, {}));
  if (judged.verdict != calibration::Verdict::kSetAside) return std::optional<std::string>();
  if (context.strict_calibration) {
    return make_error(ErrorCode::kCalibrationCache, Reason::kMalformed,
                      judged.why +
                          "; it is not used, and --strict-calibration stops here: look at it and "
                          "remove it, or compile without the option");
  }
  SKUA_ASSIGN_OR_RETURN(const std::string kept, calibration::set_aside(cache.folder(), stem));
  context.events->emit(
      {Level::kError,
       "c7.calibration_cache_rejected",
       judged.why + "; it is not used, was moved to rejected/" + kept + ", and calibration runs again",
       {{"file", cache_name(artifact)}, {"reason", judged.why}}});
  return std::optional<std::string>(judged.why);
}

Error without_calibration(Error error, const std::string& why) {
  constexpr std::array kToBlame = {Reason::kDataSetMalformed,      Reason::kDataSetChanged,
                                   Reason::kCalibrationIncomplete, Reason::kNotFound,
                                   Reason::kPrecisionNotSupported, Reason::kPermissionDenied};
  if (std::find(kToBlame.begin(), kToBlame.end(), error.reason) == kToBlame.end()) return error;
  error.code = ErrorCode::kCalibrationCache;
  error.message = "no calibration to trust: " + why + "; calibrating anew failed: " + error.message;
  return error;
}

Result<std::string> staged_calibration(WriterLock& cache, const std::string& staging,
                                       const EngineRecord& record) {
  SKUA_ASSIGN_OR_RETURN(const auto folder, cache.folder().open_folder(staging));
  auto text =
      read_text(*folder, record.file + std::string(calibration::kCacheSuffix), calibration::kMaxCacheBytes);
  if (!text.ok() && text.error().reason == Reason::kNotFound) return std::string();
  if (!text.ok()) return calibration_error(text.error(), "what the build has calibrated cannot be read");
  SKUA_RETURN_IF_ERROR(calibration::parse_cache_text(*text));
  const Sha256 found = sha256_of(std::as_bytes(std::span(*text)));
  if (record.calibration && record.calibration->cache_sha256 == found) return text;
  return make_error(ErrorCode::kCalibrationCache, Reason::kMalformed,
                    "the build process left a calibration cache with SHA-256 " + found.hex() +
                        ", expected the one that its record names; nothing was published: compile again, and "
                        "report it when it happens again");
}

Status drop_calibration(WriterLock& cache, const EngineRecord& record) {
  Folder& folder = cache.folder();
  const std::string name = cache_name(record.file);
  const auto digest = read_sidecar(folder, name);
  const bool is_named = digest.ok() && record.calibration && record.calibration->cache_sha256 == *digest;
  if (is_named) return {};
  // The digest first: what is left by an interruption is then a cache without one.
  for (const std::string& file : {sidecar_name(name), name, name + std::string(calibration::kDataSetSuffix)})
    SKUA_RETURN_IF_ERROR(remove_if_there(folder, file));
  return {};
}

Status keep_calibration(WriterLock& cache, const std::string& text, const EngineRecord& record,
                        EventSink& events) {
  if (text.empty()) return {};
  SKUA_ASSIGN_OR_RETURN([[maybe_unused]] const Sha256 published,
                        calibration::publish_cache(cache.folder(), calibration::stem_of(record.file), text,
                                                   record.calibration->dataset_sha256));
  const auto why = record.proof.find(kCalibrationWhy);
  const std::string reason = why == record.proof.end() ? "" : why->second;
  events.emit({Level::kInfo,
               "c7.calibration_run",
               "calibrated: " + reason,
               {{"file", cache_name(record.file)}, {"reason", reason}}});
  return {};
}

}  // namespace skua
