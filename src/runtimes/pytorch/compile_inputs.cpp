// Names, element types and shapes of the inputs: the file's own word, the build configuration's, or both
// where they agree.
#include <algorithm>

#include "core/text.h"
#include "runtimes/pytorch/compile_steps.h"

namespace skua::pytorch {
namespace {

using compile::build_error;

Error input_error(Reason reason, const std::string& input, const std::string& expected,
                  const std::string& found, const std::string& remedy) {
  return build_error(reason,
                     "input " + quote(input) + ": expected " + expected + ", found " + found + "; " + remedy);
}

/// The file's declaration must be of this forward().
Status check_declared(const CompileState& state) {
  std::vector<std::string> names;
  for (const DeclaredInput& input : state.declared->inputs) names.push_back(input.name);
  if (names == state.converted.interface.inputs) return {};
  return build_error(Reason::kModelMalformed, "the model's extra file skua.io names the inputs " +
                                                  join(names) + ", but forward() takes " +
                                                  join(state.converted.interface.inputs) +
                                                  "; export the model again");
}

template <typename Named>
Status check_names(const CompileState& state, const Named& given, const char* option) {
  const auto& known = state.converted.interface.inputs;
  for (const auto& name : given) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                      std::string(option) + "[" + quote(name) +
                          "]: no input has this name; forward() takes " + join(known));
  }
  return {};
}

Status check_given_names(const CompileState& state) {
  const BuildConfig& build = state.request.build;
  std::vector<std::string> profiled, typed;
  for (const OptimizationProfile& profile : build.optimization_profiles)
    profiled.push_back(profile.input_name);
  for (const auto& [name, dtype] : build.input_dtypes) typed.push_back(name);
  SKUA_RETURN_IF_ERROR(check_names(state, profiled, "optimization_profiles"));
  return check_names(state, typed, "input_dtypes");
}

const OptimizationProfile* profile_of(const BuildConfig& build, const std::string& name) {
  for (const OptimizationProfile& profile : build.optimization_profiles) {
    if (profile.input_name == name) return &profile;
  }
  return nullptr;
}

Result<DType> dtype_of_input(const CompileState& state, std::size_t index) {
  const std::string& name = state.converted.interface.inputs[index];
  const auto given = state.request.build.input_dtypes.find(name);
  const bool is_given = given != state.request.build.input_dtypes.end();
  if (!state.declared) return is_given ? given->second : DType::kFloat32;
  const DType declared = state.declared->inputs[index].dtype;
  if (!is_given || given->second == declared) return declared;
  return input_error(Reason::kProfileMismatch, name,
                     std::string(to_string(declared)) + " as the model declares",
                     std::string(to_string(given->second)) + " in input_dtypes", "leave input_dtypes out");
}

/// Fixed where the profile leaves no choice.
Shape shape_of(const OptimizationProfile& profile) {
  Shape shape = profile.opt;
  for (std::size_t axis = 0; axis < shape.rank(); ++axis) {
    if (profile.min[axis] != profile.max[axis]) shape.set(axis, -1);
  }
  return shape;
}

bool covers(const Shape& declared, const OptimizationProfile& profile) {
  if (declared.rank() != profile.opt.rank()) return false;
  for (std::size_t axis = 0; axis < declared.rank(); ++axis) {
    const bool is_fixed = declared[axis] >= 0;
    if (is_fixed && (profile.min[axis] != declared[axis] || profile.max[axis] != declared[axis]))
      return false;
  }
  return true;
}

Status settle_shape(CompileState& state, const Shape* declared, TensorSpec& spec) {
  const OptimizationProfile* profile = profile_of(state.request.build, spec.name);
  if (profile == nullptr && declared != nullptr && declared->is_static()) {
    spec.shape = spec.max_shape = *declared;
    return {};
  }
  if (profile == nullptr) {
    const std::string found = declared != nullptr ? "the shape " + declared->to_string() + " and no profile"
                                                  : "no profile, and a file that declares no shapes";
    return input_error(Reason::kProfileMismatch, spec.name, "a profile", found,
                       "give --profile " + spec.name + ":MIN:OPT:MAX (all the same for a fixed shape)");
  }
  if (declared != nullptr && !covers(*declared, *profile)) {
    return input_error(Reason::kProfileMismatch, spec.name, "a profile within " + declared->to_string(),
                       profile->min.to_string() + " to " + profile->max.to_string(), "correct the profile");
  }
  spec.shape = shape_of(*profile);
  spec.max_shape = profile->max;
  if (!spec.shape.is_static()) state.record.profiles.push_back(*profile);
  return {};
}

}  // namespace

Status settle_inputs(CompileState& state) {
  if (state.declared) SKUA_RETURN_IF_ERROR(check_declared(state));
  SKUA_RETURN_IF_ERROR(check_given_names(state));
  for (std::size_t i = 0; i < state.converted.interface.inputs.size(); ++i) {
    TensorSpec spec;
    spec.name = state.converted.interface.inputs[i];
    SKUA_ASSIGN_OR_RETURN(spec.dtype, dtype_of_input(state, i));
    const Shape* declared = state.declared ? &state.declared->inputs[i].shape : nullptr;
    SKUA_RETURN_IF_ERROR(settle_shape(state, declared, spec));
    state.record.inputs.push_back(std::move(spec));
  }
  return {};
}

}  // namespace skua::pytorch
