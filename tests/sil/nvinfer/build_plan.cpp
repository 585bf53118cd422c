#include <algorithm>

#include "builder.h"
#include "onnx_edit.h"
#include "onnx_graph.h"
#include "ort_model.h"
#include "shapes.h"

namespace sil::infer {
namespace {

using nvinfer1::BuilderFlag;
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

bool make_plan(const ErrorSink& sink, const Network& network, const BuilderConfig& config,
               const Scales& scales, Plan& plan) {
  OnnxModel model;
  read_onnx(network.model, model);
  plan.network_name = network.name;
  plan.memory_budget = static_cast<std::int64_t>(config.pool(nvinfer1::MemoryPoolType::kWORKSPACE));
  plan.is_refittable = config.has(BuilderFlag::kREFIT) || config.has(BuilderFlag::kREFIT_IDENTICAL) ||
                       config.has(BuilderFlag::kREFIT_INDIVIDUAL);
  plan.verbosity = config.verbosity();
  plan.aux_streams = std::max(config.aux_streams(), 0);  // as many as it may
  plan.compatibility = config.compatibility();
  for (const Tensor* input : network.inputs) plan.tensors.push_back(plan_tensor(*input, true));
  for (const Tensor* output : network.outputs) plan.tensors.push_back(plan_tensor(*output, false));
  for (const ProfileEntries& entries : config.profiles())
    plan.profiles.push_back(profile_of(network, &entries));
  if (plan.profiles.empty()) plan.profiles.push_back(profile_of(network, nullptr));
  plan.layers = plan_layers(network, config, scales);
  return settle_sizes(sink, network, model, plan) && make_models(sink, network, model, plan);
}

}  // namespace sil::infer
