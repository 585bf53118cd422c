// Whether a calibration cache that lies there may be used: one table, which docs/design/calibration.md
// repeats row by row. A pure function; what it is asked about is found out in cache_files.h.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace skua::calibration {

/// What the files say by themselves.
enum class CacheState : std::uint8_t {
  kAbsent,    ///< there is none
  kDamaged,   ///< not the bytes of its sidecar, no cache text, or not a file of ours alone
  kUnproven,  ///< whole, but nothing says what it was made from, or two files say different things
  kProven,    ///< whole, and its origin is known
};

/// What its origin is compared in, with what the coming build would make one from.
enum class Origin : std::uint8_t {
  kDataSet,    ///< digest of the data set, preprocessing included
  kModel,      ///< digest of the model file
  kAlgorithm,  ///< entropy or minmax
  kLibrary,    ///< TensorRT's version, from the cache's first line
  kProducer,   ///< who made it: the policy allows him
};
inline constexpr std::size_t kOrigins = 5;

struct Findings {
  CacheState state = CacheState::kAbsent;
  std::array<bool, kOrigins> differs{};  ///< by Origin; means something for a proven cache alone
};

enum class Verdict : std::uint8_t {
  kReuse,      ///< the builder may have these bytes
  kCalibrate,  ///< the cache is not used; calibration runs and replaces it
  kSetAside,   ///< evidence: moved aside, told as an error, then calibration runs; `strict` stops instead
};

std::string_view to_string(CacheState state) noexcept;
std::string_view to_string(Origin origin) noexcept;
std::string_view to_string(Verdict verdict) noexcept;

/// By the first row that fits. Whatever no row speaks for is set aside.
Verdict decide(const Findings& findings) noexcept;

/// "data set, model": in what a proven cache differs; empty where in nothing.
std::string differences(const Findings& findings);

}  // namespace skua::calibration
