// What a calibration cache that lies outside of an engine cache was made from: `<cache>.json` beside it.
// docs/formats/calibration-cache.md specifies it. In an engine cache the build record says the same.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "skua/engine_cache_entry.h"

namespace skua::calibration {

/// Who makes caches, as records name them.
inline constexpr std::string_view kTensorRtProducer = "tensorrt";
inline constexpr std::string_view kCpuProducer = "skua quantize (CPU ranges)";

inline constexpr std::string_view kOriginSuffix = ".json";  ///< behind the cache's whole name
inline constexpr std::size_t kMaxOriginBytes = std::size_t{16} << 10U;

struct CacheOrigin {
  Sha256 model_sha256;                ///< as in build records
  CalibrationProvenance calibration;  ///< `algorithm` as the cache's first line has it
  std::uint32_t library_version = 0;  ///< the number of the cache's first line
  friend bool operator==(const CacheOrigin&, const CacheOrigin&) = default;
};

/// Text that decode_cache_origin reads. Thread-safe.
std::string encode_cache_origin(const CacheOrigin& origin);

/// CalibrationCacheError (malformed): the field, what was expected there, and what was found. Bounded, every
/// key once and none besides. Thread-safe.
Result<CacheOrigin> decode_cache_origin(std::string_view text);

}  // namespace skua::calibration
