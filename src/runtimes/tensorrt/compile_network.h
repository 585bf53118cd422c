// The source model as TensorRT's parser understands it, and whether that is what the file says. The parser
// takes much in silence: it narrows types, gives unknown ranks up, renames, and calls a text file an empty
// network.
#pragma once

#include <NvInfer.h>
#include <NvOnnxParser.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "onnx/model_tensors.h"
#include "runtimes/tensorrt/trt_recorder.h"

namespace skua::tensorrt {

/// What is left when a network was parsed. Destroyed in the order that TensorRT wants: the parser, the
/// network, the builder.
struct ParsedNetwork {
  std::unique_ptr<nvinfer1::IBuilder> builder;
  std::unique_ptr<nvinfer1::INetworkDefinition> network;
  std::unique_ptr<nvonnxparser::IParser> parser;
};

/// Parses a whole model, without files of its own. `recorder` must outlive the result. EngineBuildError:
/// model_unsupported or model_malformed with every error of the parser (node, operator, reason);
/// RuntimeNotAvailableError where no builder can be made.
Result<ParsedNetwork> parse_network(std::span<const std::byte> model, const std::string& name,
                                    ErrorRecorder& recorder);

/// Why the nodes of `graph` have no order: a value that two nodes produce, or nodes that wait for each other;
/// empty when they have one.
std::string order_problem(const OnnxGraph& graph);

/// The network's inputs and outputs, in the file's order and with the file's names of dynamic dimensions,
/// when they are what the file says: names, element types, ranks, fixed dimensions. EngineBuildError:
/// model_empty (no layer, no output), contract_mismatch with every difference, model_unsupported (an input
/// whose values decide a shape).
Result<ModelTensors> network_contract(const nvinfer1::INetworkDefinition& network, const OnnxModel& source);

}  // namespace skua::tensorrt
