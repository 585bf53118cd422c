// The words of the airborne bootstrap: what an operator reads when the aircraft does not start.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "skua/airborne_bootstrap.h"

namespace skua {

/// Whether `runtime` is one of C7_AIRBORNE_BUILD_FLAGS.
bool is_airborne_runtime(std::string_view runtime) noexcept;

/// Slugs of the table's consumers that the configuration has, in the table's order; all four where none is
/// known.
std::vector<std::string> configured_consumers(const AirborneConfig& config);

/// RuntimeNotAvailableError (runtime_not_airborne).
Error not_airborne(std::string_view runtime);

/// AirborneBootstrapError raised from `cause`, with its reason: no runtime for `c7_inference`.
Error no_inference(const AirborneConfig& config, const Error& cause);

/// AirborneBootstrapError (pre_constructed_missing): the set has no engine called `lightglue_model`.
Error no_matcher(const AirborneConfig& config, const EngineSet& engines);

struct MissingKey {
  std::string_view key;
  std::vector<std::string> consumers;
};
/// AirborneBootstrapError (pre_constructed_missing) naming each key with its consumers.
Error missing_keys(const AirborneConfig& config, const std::vector<MissingKey>& missing);

}  // namespace skua
