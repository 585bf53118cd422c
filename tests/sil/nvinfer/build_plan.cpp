#include <algorithm>

#include "builder.h"
#include "onnx_edit.h"
#include "onnx_graph.h"
#include "ort_model.h"
#include "shapes.h"

namespace sil::infer {
namespace {

using nvinfer1::BuilderFlag;
using nvinfer1::DataType;
using nvinfer1::Dims;

constexpr const char* kBuild = "IBuilder::buildSerializedNetwork";

bool holds_half(const OnnxModel& model) {
  const auto is_half = [](const OnnxTensor& tensor) { return tensor.type == kOnnxHalf; };
  return std::any_of(model.graph.initializers.begin(), model.graph.initializers.end(), is_half);
}

PlanTensor plan_tensor(const Tensor& tensor, bool is_input) {
  PlanTensor planned;
  planned.name = tensor.name;
  planned.onnx_name = tensor.onnx_name;
  planned.onnx_type = tensor.onnx_type;
  planned.type = tensor.type;
  planned.dims = tensor.dims;
  planned.is_input = is_input;
  planned.is_shape = is_input && tensor.is_shape;
  return planned;
}

PlanRange range_of(const Tensor& input, const ProfileEntries* entries) {
  PlanRange range;
  range.name = input.name;
  range.dims.fill(input.dims);
  const auto found = entries == nullptr ? ProfileEntries::const_iterator{} : entries->find(input.name);
  if (entries == nullptr || found == entries->end()) return range;
  for (std::size_t i = 0; i < 3; ++i) {
    if (found->second.dims[i] && !input.is_shape) range.dims[i] = *found->second.dims[i];
    if (found->second.values[i]) range.values[i] = *found->second.values[i];
  }
  return range;
}

PlanProfile profile_of(const Network& network, const ProfileEntries* entries) {
  PlanProfile profile;
  for (const Tensor* input : network.inputs) profile.ranges.push_back(range_of(*input, entries));
  return profile;
}

/// The inputs at one end of a profile: 0 min, 1 opt, 2 max.
InputFacts facts_at(const Network& network, const PlanProfile& profile, std::size_t end) {
  InputFacts facts;
  for (const Tensor* input : network.inputs) {
    const PlanRange& range = *profile.find(input->name);
    facts.dims[input->onnx_name] = vector_of(range.dims[end]);
    if (!input->is_shape) continue;
    facts.values[input->onnx_name].assign(range.values[end].begin(), range.values[end].end());
  }
  return facts;
}

/// Bounds of the outputs and the need of memory, both at the largest shapes.
bool settle_sizes(const ErrorSink& sink, const Network& network, const OnnxModel& model, Plan& plan) {
  for (PlanProfile& profile : plan.profiles) {
    const InputFacts facts = facts_at(network, profile, 2);
    ShapeTable shapes;
    std::string error;
    if (!infer_shapes(model, facts, node_outputs(model.graph), shapes, error)) {
      sink.error(4, kBuild, error);
      return false;
    }
    profile.device_bytes = activation_bytes(model, shapes, facts);
    const std::int64_t bound = data_dependent_bound(model, shapes, facts);
    for (PlanTensor& tensor : plan.tensors) {
      const auto found = shapes.find(tensor.onnx_name);
      Dims dims = tensor.is_input || found == shapes.end() ? tensor.dims : dims_of(found->second);
      if (!tensor.is_input && !is_static(dims)) tensor.is_data_dependent = true;
      for (int axis = 0; axis < dims.nbDims; ++axis) dims.d[axis] = dims.d[axis] < 0 ? bound : dims.d[axis];
      tensor.max_elements = std::max(tensor.max_elements, volume_of(dims));
    }
  }
  return true;
}

// The type that a layer's floating-point results have: half when the flag allows it and nothing pins them.
DataType chosen_type(const Layer& layer, std::size_t output, const BuilderConfig& config) {
  const DataType type = layer.outputs[output]->type;
  const bool is_pinned = layer.precision == DataType::kFLOAT;
  const bool is_half = config.getFlag(BuilderFlag::kFP16) && !is_pinned && !layer.outputs[output]->is_output;
  return type == DataType::kFLOAT && is_half ? DataType::kHALF : type;
}

std::vector<PlanLayer> layers_of(const Network& network, const BuilderConfig& config) {
  std::vector<PlanLayer> layers;
  std::map<std::string, DataType> chosen;
  for (const Layer& layer : network.layers) {
    PlanLayer& planned = layers.emplace_back();
    planned.name = layer.name;
    planned.op = layer.op;
    for (const Tensor* input : layer.inputs) {
      const auto found = chosen.find(input->name);
      const DataType type = found == chosen.end() ? input->type : found->second;
      planned.inputs.push_back({input->name, input->dims, inspector_name(type)});
    }
    for (std::size_t i = 0; i < layer.outputs.size(); ++i) {
      const Tensor& output = *layer.outputs[i];
      chosen[output.name] = chosen_type(layer, i, config);
      planned.outputs.push_back({output.name, output.dims, inspector_name(chosen[output.name])});
    }
  }
  return layers;
}

bool make_models(const ErrorSink& sink, const Network& network, const OnnxModel& model, Plan& plan) {
  ModelEdit edit;
  for (const Tensor* output : network.outputs) edit.outputs.push_back(output->onnx_name);
  // The levels are the ones of Skua's own ONNX strategy: results are the same to the bit.
  std::string error;
  plan.model = optimised_model(edited_model(model, edit),
                               holds_half(model) ? OrtLevel::kExtended : OrtLevel::kAll, error);
  if (plan.model.empty()) {
    sink.error(10, kBuild, "Could not find any implementation: " + error);
    return false;
  }
  edit.drops_weights = true;
  plan.shape_model = edited_model(model, edit);
  return true;
}

}  // namespace

bool make_plan(const ErrorSink& sink, const Network& network, const BuilderConfig& config, Plan& plan) {
  OnnxModel model;
  read_onnx(network.model, model);
  plan.network_name = network.name;
  plan.memory_budget =
      static_cast<std::int64_t>(config.getMemoryPoolLimit(nvinfer1::MemoryPoolType::kWORKSPACE));
  plan.is_refittable = config.getFlag(BuilderFlag::kREFIT) || config.getFlag(BuilderFlag::kREFIT_IDENTICAL) ||
                       config.getFlag(BuilderFlag::kREFIT_INDIVIDUAL);
  plan.verbosity = config.getProfilingVerbosity();
  plan.compatibility = config.getHardwareCompatibilityLevel();
  for (const Tensor* input : network.inputs) plan.tensors.push_back(plan_tensor(*input, true));
  for (const Tensor* output : network.outputs) plan.tensors.push_back(plan_tensor(*output, false));
  for (const ProfileEntries& entries : config.profiles())
    plan.profiles.push_back(profile_of(network, &entries));
  if (plan.profiles.empty()) plan.profiles.push_back(profile_of(network, nullptr));
  plan.layers = layers_of(network, config);
  return settle_sizes(sink, network, model, plan) && make_models(sink, network, model, plan);
}

}  // namespace sil::infer
