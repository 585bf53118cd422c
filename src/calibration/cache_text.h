// TensorRT's text of an INT8 calibration cache: the scale of every activation tensor.
// docs/formats/calibration-cache.md specifies it. A text that is well formed says nothing of what it was made
// from: that is for the files beside it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "skua/result.h"

namespace skua::calibration {

/// How the ranges were chosen. TensorRT has three more, which Skua never uses.
enum class Algorithm : std::uint8_t {
  kEntropy2,  ///< IInt8EntropyCalibrator2
  kMinMax,    ///< IInt8MinMaxCalibrator
};

/// As in the first line: "EntropyCalibration2", "MinMaxCalibration".
std::string_view to_string(Algorithm algorithm) noexcept;

struct TensorScale {
  std::string tensor;
  float scale = 0;  ///< what the integer 1 stands for: the largest absolute value over 127
  bool operator==(const TensorScale&) const = default;
};

struct CacheText {
  std::uint32_t library_version = 0;  ///< getInferLibVersion() of the TensorRT that made it: 100300 is 10.3.0
  Algorithm algorithm = Algorithm::kEntropy2;
  std::vector<TensorScale> scales;  ///< in the order of the file; no tensor twice
  bool operator==(const CacheText&) const = default;
};

inline constexpr std::size_t kMaxCacheBytes = 64U << 20U;
inline constexpr std::size_t kMaxCacheTensors = 500'000;
inline constexpr std::size_t kMaxTensorNameBytes = 4096;
/// No network's activations have such scales: what lies outside is damage. Both bounds are allowed.
inline constexpr float kMinScale = 0x1p-64F;
inline constexpr float kMaxScale = 0x1p64F;

/// CalibrationCacheError (too_large, malformed): the line, what was expected there, and what was found. Reads
/// each byte once, and keeps the names. Thread-safe.
Result<CacheText> parse_cache_text(std::string_view text);

/// The same text that TensorRT writes. CalibrationCacheError as above, for what parse_cache_text would not
/// take back. Thread-safe.
Result<std::string> print_cache_text(const CacheText& cache);

}  // namespace skua::calibration
