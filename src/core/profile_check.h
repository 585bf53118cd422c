// Optimisation profiles against a model's inputs: what BuildConfig::validate cannot know.
#pragma once

#include <vector>

#include "skua/build_config.h"

namespace skua {

/// InvalidArgumentError, reason profile_mismatch: an input the model does not have (the known ones are
/// listed), another rank, a range over a dimension that is static in the model, a dynamic input without a
/// profile. Requires profiles that BuildConfig::validate accepts.
Status check_profiles(const std::vector<OptimizationProfile>& profiles,
                      const std::vector<TensorSpec>& model_inputs);

/// Whether every dimension of `shape` lies between the profile's min and max. Does not allocate.
bool is_within(const OptimizationProfile& profile, const Shape& shape) noexcept;

/// The shape that an input starts with: its profile's `opt`, or its own where it is static.
const Shape& opt_shape_of(const std::vector<OptimizationProfile>& profiles, const TensorSpec& input) noexcept;

}  // namespace skua
