// `skua quantize --calibration-cache`: TensorRT's cache of the ranges that the project's Python tool found on
// the CPU, with what says so beside it. docs/formats/calibration-cache.md.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "calibration/cache_origin.h"
#include "cli/file_group.h"
#include "cli/quantize_tool.h"

namespace skua {

/// Of an answer that the tool never gives: InternalError.
Error tool_defect(const std::string& what);

/// Refuses what may not be replaced by a file called `path`, which lies in `folder`: IoError exists,
/// not_regular_file.
Status check_replaceable(Folder& folder, const std::filesystem::path& path, bool may_overwrite);
/// The same of the cache and of the three files beside it.
Status check_cache_replaceable(Folder& folder, const std::filesystem::path& cache, bool may_overwrite);

/// A cache that has not been written yet.
struct PreparedCache {
  std::string text;  ///< printed by the one printer, which has read it back
  std::size_t tensors = 0;
  std::vector<std::string> unnamed;  ///< nodes inside of which TensorRT has tensors without a scale
  calibration::CacheOrigin origin;   ///< all but the text's digest
};

/// Takes `cache` out of the tool's result. `job` has data and a cache. CalibrationCacheError: names or scales
/// that the text does not hold; EngineBuildError model_unreadable: the model is not the one that was
/// calibrated.
Result<PreparedCache> prepare_cache(const QuantizeJob& job, Json& result);

/// Adds the cache, its digests and, last, its origin to `files`: without that nothing vouches for it. Adds
/// `cache` to the result: what scripts are told. Errors: FileGroup's.
Status add_cache(FileGroup& files, Folder& folder, const QuantizeCache& cache, PreparedCache prepared,
                 Json& result);

}  // namespace skua
