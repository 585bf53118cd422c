// TensorRT's builder set up from BuildOptions. It takes wrong levels, unknown flags and absent devices in
// silence, so everything is read back and compared before anything is built.
#pragma once

#include <NvInfer.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtimes/tensorrt/compile_options.h"
#include "runtimes/tensorrt/trt_recorder.h"

namespace skua::tensorrt {

/// Layers whose name, or whose ONNX node's name or operator, matches one of `patterns`, and that compute in
/// floating point, which Cast and Q/DQ nodes do not. `operators`: by the nodes' names. InvalidArgumentError
/// for a pattern that matches none, and for more names than a record can hold.
Result<std::vector<std::string>> layers_to_keep(const nvinfer1::INetworkDefinition& network,
                                                const std::vector<std::string>& patterns,
                                                const std::map<std::string, std::string>& operators = {});

/// A tool would hold a Cast or Q/DQ node too that has the name of a layer to keep: EngineBuildError,
/// precision_not_supported.
Status check_no_cast(const nvinfer1::INetworkDefinition& network, const BuildOptions& options);

/// What trtexec is to be told of the outputs of `layers`: the type of each, where one of them is to be held
/// in fp32. Outputs of the network keep the type that the model declares. EngineBuildError,
/// precision_not_supported, for what its option cannot say: types without a name, layers of one name whose
/// outputs differ.
Result<std::map<std::string, std::string>> kept_outputs(const nvinfer1::INetworkDefinition& network,
                                                        const std::vector<std::string>& layers);

/// A configuration with `options`, the profile and the layer precisions, read back. Errors: EngineBuildError
/// (profile_mismatch; precision_not_supported where this TensorRT lacks a flag; internal with every
/// difference between asked and got).
Result<std::unique_ptr<nvinfer1::IBuilderConfig>> make_config(nvinfer1::IBuilder& builder,
                                                              nvinfer1::INetworkDefinition& network,
                                                              const BuildOptions& options,
                                                              const ErrorRecorder& recorder);

/// What `config` has instead of `options`: "builder_optimization_level expected 3, found 5"; empty when they
/// agree.
std::vector<std::string> config_differences(nvinfer1::IBuilderConfig& config, const BuildOptions& options);

}  // namespace skua::tensorrt
