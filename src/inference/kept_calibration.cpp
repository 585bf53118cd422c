#include "inference/kept_calibration.h"

#include <optional>
#include <span>

#include "cache/engine_verify.h"
#include "cache/publish.h"
#include "calibration/cache_files.h"
#include "core/hash.h"
#include "core/text.h"

namespace skua {
namespace {

std::string stem_of(const std::string& artifact) { return artifact.substr(0, artifact.rfind('.')); }

/// What the record of the engine that is there says of its cache. A record that cannot be read vouches for
/// nothing.
std::optional<calibration::RecordedOrigin> recorded_origin(Folder& folder, const std::string& artifact) {
  const auto record = read_build_record(folder, artifact);
  if (!record.ok() || !record->calibration) return std::nullopt;
  return calibration::RecordedOrigin{record->model_sha256, *record->calibration};
}

}  // namespace

Status reject_untrusted_calibration(WriterLock& cache, const std::string& artifact,
                                    const CompileContext& context) {
  const std::string stem = stem_of(artifact);
  // Whether it is damaged or unproven does not depend on what is built now.
  SKUA_ASSIGN_OR_RETURN(
      const calibration::JudgedCache judged,
      calibration::judge_cache(cache.folder(), stem, recorded_origin(cache.folder(), artifact), {}));
  if (judged.verdict != calibration::Verdict::kSetAside) return {};
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
       {{"file", stem + std::string(calibration::kCacheSuffix)}, {"reason", judged.why}}});
  return {};
}

Result<std::string> staged_calibration(WriterLock& cache, const std::string& staging,
                                       const std::string& artifact) {
  SKUA_ASSIGN_OR_RETURN(const auto folder, cache.folder().open_folder(staging));
  auto text =
      read_text(*folder, artifact + std::string(calibration::kCacheSuffix), calibration::kMaxCacheBytes);
  if (!text.ok() && text.error().reason == Reason::kNotFound) return std::string();
  return text;
}

Status keep_calibration(WriterLock& cache, const std::string& text, const EngineRecord& record,
                        EventSink& events) {
  if (text.empty()) return {};
  const Sha256 found = sha256_of(std::as_bytes(std::span(text)));
  if (!record.calibration || record.calibration->cache_sha256 != found) {
    return make_error(
        ErrorCode::kCalibrationCache, Reason::kMalformed,
        "the build process left a calibration cache with SHA-256 " + found.hex() +
            ", expected the one that its record names; it was not published: compile again, and "
            "report it when it happens again");
  }
  SKUA_ASSIGN_OR_RETURN([[maybe_unused]] const Sha256 published,
                        calibration::publish_cache(cache.folder(), stem_of(record.file), text,
                                                   record.calibration->dataset_sha256));
  const auto why = record.proof.find(kCalibrationWhy);
  const std::string reason = why == record.proof.end() ? "" : why->second;
  events.emit(
      {Level::kInfo,
       "c7.calibration_run",
       "calibrated: " + reason,
       {{"file", stem_of(record.file) + std::string(calibration::kCacheSuffix)}, {"reason", reason}}});
  return {};
}

}  // namespace skua
