// The three files of a calibration cache in the engine cache: the text, its digest, and the digest of the
// data set that it was made from. docs/formats/calibration-cache.md. What they say is believed only together
// with the build record of the engine that they were made for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "calibration/cache_text.h"
#include "calibration/cache_trust.h"
#include "core/filesystem.h"
#include "skua/engine_cache_entry.h"

namespace skua::calibration {

inline constexpr std::string_view kCacheSuffix = ".calib_cache";
inline constexpr std::string_view kDataSetSuffix = ".dataset_sha256";
inline constexpr std::string_view kRejectedFolder = "rejected";

/// What caches and plans of one engine are called by: its file name without the extension.
inline std::string stem_of(std::string_view engine_file) {
  return std::string(engine_file.substr(0, engine_file.rfind('.')));
}

/// What a cache would be made from if calibration ran now.
struct Expectation {
  Sha256 dataset_sha256;
  std::uint64_t sample_count = 0;  ///< of the data set, that calibrate: others may be held out
  Sha256 model_sha256;             ///< as in build records
  Algorithm algorithm = Algorithm::kEntropy2;
  std::uint32_t library_version = 0;   ///< getInferLibVersion() of the TensorRT that builds
  std::vector<std::string> producers;  ///< whose caches the policy allows
};

/// What the build record of the engine says; nothing where there is no record, or none that speaks of a
/// cache.
struct RecordedOrigin {
  Sha256 model_sha256;
  CalibrationProvenance calibration;
};

struct JudgedCache {
  Findings findings;
  Verdict verdict = Verdict::kCalibrate;
  std::string why;   ///< one sentence for the log: what is damaged, missing or different
  std::string text;  ///< kReuse only: the bytes that were judged, and no others
};

/// Judges `<stem>.calib_cache` in `folder`, without changing anything. A cache that cannot be read for an
/// error of the disk is no damaged one: CalibrationCacheError (io_error and the like), OutOfMemoryError.
/// Cost: reads the cache once. Thread-safe.
Result<JudgedCache> judge_cache(Folder& folder, const std::string& stem,
                                const std::optional<RecordedOrigin>& recorded, const Expectation& expected);

/// Moves the cache and the digests beside it into rejected/, durably, under the cache's name with its digest
/// (where it can be read) and random digits behind; what is there already stays. The new name of the cache.
/// CalibrationCacheError: the file system's; OutOfMemoryError. Under the folder's lock.
Result<std::string> set_aside(Folder& folder, const std::string& stem);

/// Publishes a cache that can be read back (else malformed, too_large): the old digest goes first and the new
/// one comes last, so that whoever is interrupted leaves one that is not used; so does whoever never
/// publishes the build record that names this digest. The digest of the text. CalibrationCacheError: the file
/// system's; OutOfMemoryError. Under the folder's lock.
Result<Sha256> publish_cache(Folder& folder, const std::string& stem, std::string_view text,
                             const Sha256& dataset_sha256);

}  // namespace skua::calibration
