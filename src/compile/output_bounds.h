// The capacity of every output: static, bounded by an input's profile, or given by the user.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "onnx/model_tensors.h"
#include "skua/build_config.h"

namespace skua::compile {

/// Inputs with their max_shape: the profile's max, or the static shape.
std::vector<TensorSpec> bounded_inputs(const std::vector<ModelTensor>& inputs,
                                       const std::vector<OptimizationProfile>& profiles);

/// Where an output's max_shape is filled in already, as far as it is, it stands.
/// Outputs with max_shape and data_dependent. A dynamic dimension that bears an input dimension's name is
/// bounded by that input's profile; any other one needs `max_output_shapes`. EngineBuildError
/// (output_unbounded) naming output and option; InvalidArgumentError for a bound that names no output or does
/// not fit.
Result<std::vector<TensorSpec>> bounded_outputs(const ModelTensors& tensors,
                                                const std::vector<OptimizationProfile>& profiles,
                                                const std::map<std::string, Shape>& max_output_shapes);

}  // namespace skua::compile
