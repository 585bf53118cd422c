// Which layers compute in which precision, as the inspector will tell it. What is reformatted around a layer
// is not told, and the arithmetic stays the model's.
#include <algorithm>
#include <set>

#include "builder.h"

namespace sil::infer {
namespace {

using nvinfer1::BuilderFlag;
using nvinfer1::DataType;

/// What may choose.
struct Choice {
  const BuilderConfig& config;
  const Scales& scales;
  std::set<const Tensor*> dequantised;  ///< what DequantizeLinear gives
};

// Without one of the two flags a pin is no more than a wish.
bool is_held_in_float(const Layer& layer, int index, const BuilderConfig& config) {
  const bool counts = config.has(BuilderFlag::kOBEY_PRECISION_CONSTRAINTS) ||
                      config.has(BuilderFlag::kPREFER_PRECISION_CONSTRAINTS);
  const auto is_float = [](const std::optional<DataType>& type) { return type == DataType::kFLOAT; };
  const bool is_pinned = is_float(layer.precision) ||
                         std::any_of(layer.output_types.begin(), layer.output_types.end(), is_float);
  return is_pinned && counts && index != sil::unconstrained_layer();
}

/// Convolutions and matrix products whose values are all of a known scale; one that lacks a scale falls back.
bool computes_in_int8(const Layer& layer, const Choice& choice) {
  const std::set<std::string> kOperators = {"Conv", "ConvTranspose", "Gemm", "MatMul"};
  if (!choice.config.has(BuilderFlag::kINT8) || kOperators.count(layer.op) == 0) return false;
  if (layer.inputs.empty()) return false;
  const auto is_dequantised = [&choice](const Tensor* t) { return choice.dequantised.count(t) != 0; };
  if (std::all_of(layer.inputs.begin(), layer.inputs.end(), is_dequantised)) return true;
  const auto has_scale = [&choice](const Tensor* t) { return choice.scales.count(t->name) != 0; };
  return std::all_of(layer.inputs.begin(), layer.inputs.end(), has_scale) &&
         std::all_of(layer.outputs.begin(), layer.outputs.end(), has_scale);
}

DataType precision_of(const Layer& layer, int index, const Choice& choice) {
  if (is_held_in_float(layer, index, choice.config)) return DataType::kFLOAT;
  if (computes_in_int8(layer, choice)) return DataType::kINT8;
  return choice.config.has(BuilderFlag::kFP16) ? DataType::kHALF : DataType::kFLOAT;
}

std::vector<PlanPort> ports_of(const std::vector<Tensor*>& tensors, DataType precision) {
  std::vector<PlanPort> ports;
  for (const Tensor* tensor : tensors) {
    const bool is_real =
        tensor->type == DataType::kFLOAT || (tensor->type == DataType::kHALF && precision == DataType::kINT8);
    ports.push_back({tensor->name, tensor->dims, inspector_name(is_real ? precision : tensor->type)});
  }
  return ports;
}

}  // namespace

std::vector<PlanLayer> plan_layers(const Network& network, const BuilderConfig& config,
                                   const Scales& scales) {
  Choice choice{config, scales, {}};
  for (const Layer& layer : network.layers) {
    if (layer.op == "DequantizeLinear") choice.dequantised.insert(layer.outputs.begin(), layer.outputs.end());
  }
  std::vector<PlanLayer> layers;
  int index = 0;
  for (const Layer& layer : network.layers) {
    const DataType precision = precision_of(layer, index++, choice);
    // Who has the ranges from the graph gives what no QuantizeLinear has narrowed yet.
    const bool is_widened = precision == DataType::kINT8 && scales.empty();
    const DataType wide = config.has(BuilderFlag::kFP16) ? DataType::kHALF : DataType::kFLOAT;
    layers.push_back({layer.name, layer.op, ports_of(layer.inputs, precision),
                      ports_of(layer.outputs, is_widened ? wide : precision)});
  }
  return layers;
}

}  // namespace sil::infer
