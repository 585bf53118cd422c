#include "compile/output_bounds.h"

#include <algorithm>
#include <utility>

#include "core/text.h"

namespace skua::compile {
namespace {

using SymbolBounds = std::map<std::string, std::int64_t>;

// What each named dimension can be at most. One name on several inputs means one and the same size at run
// time; the larger bound is taken, which is safe.
SymbolBounds bounds_of(const std::vector<ModelTensor>& inputs,
                       const std::vector<OptimizationProfile>& profiles) {
  SymbolBounds bounds;
  for (const ModelTensor& input : inputs) {
    const auto profile = std::find_if(
        profiles.begin(), profiles.end(),
        [&input](const OptimizationProfile& each) { return each.input_name == input.spec.name; });
    if (profile == profiles.end()) continue;
    for (std::size_t axis = 0; axis < input.symbols.size() && axis < profile->max.rank(); ++axis) {
      if (input.symbols[axis].empty()) continue;
      std::int64_t& bound = bounds[input.symbols[axis]];
      bound = std::max(bound, profile->max[axis]);
    }
  }
  return bounds;
}

Error bad_bound(const std::string& name, const std::string& expected, const std::string& found) {
  return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                    "max_output_shapes[" + quote(name) + "]: expected " + expected + ", found " + found);
}

Status check_names(const std::vector<ModelTensor>& outputs, const std::map<std::string, Shape>& bounds) {
  std::vector<std::string> known;
  for (const ModelTensor& output : outputs) known.push_back(output.spec.name);
  for (const auto& [name, shape] : bounds) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    return bad_bound(name, "one of the outputs " + join(known), "no such output");
  }
  return {};
}

// The user's bound, which must not contradict what is known.
Status apply_user_bound(TensorSpec& spec, const Shape& bound) {
  const std::string known = spec.max_shape.to_string();
  if (bound.rank() != spec.max_shape.rank() || !bound.is_static()) {
    return bad_bound(spec.name, "a static shape of rank " + std::to_string(spec.max_shape.rank()),
                     bound.to_string());
  }
  for (std::size_t axis = 0; axis < bound.rank(); ++axis) {
    const bool is_fixed = spec.shape[axis] >= 0;
    const std::int64_t least = spec.max_shape[axis];
    if ((is_fixed && bound[axis] != least) || bound[axis] < least || bound[axis] < 0) {
      return bad_bound(spec.name, "a shape that covers " + known + " (-1: free)", bound.to_string());
    }
  }
  spec.max_shape = bound;
  return {};
}

Error unbounded(const TensorSpec& spec) {
  return make_error(ErrorCode::kEngineBuild, Reason::kOutputUnbounded,
                    "output " + quote(spec.name) + ": expected an upper bound for each dimension, found " +
                        spec.max_shape.to_string() + "; give max_output_shapes[" + quote(spec.name) + "]");
}

}  // namespace

std::vector<TensorSpec> bounded_inputs(const std::vector<ModelTensor>& inputs,
                                       const std::vector<OptimizationProfile>& profiles) {
  std::vector<TensorSpec> specs;
  for (const ModelTensor& input : inputs) {
    TensorSpec spec = input.spec;
    spec.max_shape = spec.shape;
    for (const OptimizationProfile& profile : profiles) {
      if (profile.input_name == spec.name) spec.max_shape = profile.max;
    }
    specs.push_back(std::move(spec));
  }
  return specs;
}

Result<std::vector<TensorSpec>> bounded_outputs(const ModelTensors& tensors,
                                                const std::vector<OptimizationProfile>& profiles,
                                                const std::map<std::string, Shape>& max_output_shapes) {
  SKUA_RETURN_IF_ERROR(check_names(tensors.outputs, max_output_shapes));
  const SymbolBounds bounds = bounds_of(tensors.inputs, profiles);
  std::vector<TensorSpec> specs;
  for (const ModelTensor& output : tensors.outputs) {
    TensorSpec spec = output.spec;
    if (spec.max_shape.rank() != spec.shape.rank()) spec.max_shape = spec.shape;
    for (std::size_t axis = 0; axis < spec.shape.rank(); ++axis) {
      const auto bound = bounds.find(output.symbols[axis]);
      if (spec.max_shape[axis] < 0 && bound != bounds.end()) spec.max_shape.set(axis, bound->second);
    }
    spec.data_dependent = !spec.max_shape.is_static();
    const auto given = max_output_shapes.find(spec.name);
    if (given != max_output_shapes.end()) SKUA_RETURN_IF_ERROR(apply_user_bound(spec, given->second));
    if (!spec.max_shape.is_static()) return unbounded(spec);
    specs.push_back(std::move(spec));
  }
  return specs;
}

}  // namespace skua::compile
