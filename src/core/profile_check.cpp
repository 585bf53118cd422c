#include "core/profile_check.h"

#include <algorithm>

#include "core/text.h"

namespace skua {
namespace {

Error mismatch(std::string message) {
  return make_error(ErrorCode::kInvalidArgument, Reason::kProfileMismatch, std::move(message));
}

Error unknown_input(const std::string& name, const std::vector<TensorSpec>& inputs) {
  std::vector<std::string> known;
  for (const TensorSpec& input : inputs) known.push_back(input.name);
  return mismatch("optimization profile names input " + quote(name) +
                  ", which the model does not have; its inputs: " + join(known));
}

Status check_against(const OptimizationProfile& profile, const TensorSpec& input) {
  const std::string thing = "optimization profile of " + quote(profile.input_name);
  for (const Shape* shape : {&profile.min, &profile.opt, &profile.max}) {
    if (shape->rank() != input.shape.rank()) {
      return mismatch(thing + " has rank " + std::to_string(shape->rank()) + " (" + shape->to_string() +
                      "); the model's input has rank " + std::to_string(input.shape.rank()) + " (" +
                      input.shape.to_string() + ")");
    }
    for (std::size_t axis = 0; axis < shape->rank(); ++axis) {
      const bool is_fixed = input.shape[axis] >= 0;
      if (is_fixed && (*shape)[axis] != input.shape[axis]) {
        return mismatch(thing + " has " + std::to_string((*shape)[axis]) + " in axis " +
                        std::to_string(axis) + ", which is static in the model; expected " +
                        std::to_string(input.shape[axis]));
      }
    }
  }
  return {};
}

}  // namespace

Status check_profiles(const std::vector<OptimizationProfile>& profiles,
                      const std::vector<TensorSpec>& model_inputs) {
  for (const OptimizationProfile& profile : profiles) {
    const auto input = std::find_if(model_inputs.begin(), model_inputs.end(),
                                    [&](const TensorSpec& spec) { return spec.name == profile.input_name; });
    if (input == model_inputs.end()) return unknown_input(profile.input_name, model_inputs);
    SKUA_RETURN_IF_ERROR(check_against(profile, *input));
  }
  for (const TensorSpec& input : model_inputs) {
    const bool has_profile =
        std::any_of(profiles.begin(), profiles.end(),
                    [&](const OptimizationProfile& profile) { return profile.input_name == input.name; });
    if (!input.shape.is_static() && !has_profile) {
      return mismatch("input " + quote(input.name) + " is dynamic in the model (" + input.shape.to_string() +
                      ") and has no optimization profile; give its min, opt and max shapes");
    }
  }
  return {};
}

bool is_within(const OptimizationProfile& profile, const Shape& shape) noexcept {
  if (shape.rank() != profile.min.rank() || shape.rank() != profile.max.rank()) return false;
  for (std::size_t axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] < profile.min[axis] || shape[axis] > profile.max[axis]) return false;
  }
  return true;
}

const Shape& opt_shape_of(const std::vector<OptimizationProfile>& profiles,
                          const TensorSpec& input) noexcept {
  for (const OptimizationProfile& profile : profiles) {
    if (profile.input_name == input.name) return profile.opt;
  }
  return input.shape;
}

}  // namespace skua
