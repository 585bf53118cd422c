// One batch of a calibration, computed by ONNX Runtime with every activation as an output.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "calibration.h"
#include "onnx_edit.h"
#include "onnx_graph.h"
#include "types.h"

namespace sil::infer {
namespace {

float widened(std::uint16_t half) {
  const int exponent = half >> 10U & 0x1F;
  const float fraction = static_cast<float>(half & 0x3FFU);
  const float size = exponent == 0x1F ? (fraction == 0 ? INFINITY : NAN)
                     : exponent == 0  ? std::ldexp(fraction, -24)
                                      : std::ldexp(fraction + 1024, exponent - 25);
  return (half & 0x8000U) != 0 ? -size : size;
}

/// Not a number stays one.
void grow(float& largest, float value) {
  const float size = std::abs(value);
  if (std::isnan(size) || size > largest) largest = size;
}

void grow(float& largest, int onnx_type, const char* bytes, std::size_t size) {
  const std::size_t width = onnx_type_bytes(onnx_type);
  for (std::size_t at = 0; at + width <= size; at += width) {
    float value = 0;
    std::uint16_t half = 0;
    if (onnx_type == kOnnxHalf) {
      std::memcpy(&half, bytes + at, sizeof half);
      value = widened(half);
    } else {
      std::memcpy(&value, bytes + at, sizeof value);
    }
    grow(largest, value);
  }
}

}  // namespace

BatchRun::BatchRun(const Network& network, const BuilderConfig& config) : network_(network), config_(config) {
  for (const Tensor* tensor : activations_of(network)) {
    if (!tensor->is_input) inner_.push_back(tensor);
  }
}

// Without a profile of its own a calibration takes the first one of the build.
std::vector<std::int64_t> BatchRun::sizes_of(const Tensor& input) const {
  const Profile* const own = config_.calibration_profile();
  if (own == nullptr && config_.profiles().empty()) return vector_of(input.dims);
  const ProfileEntries& entries = own == nullptr ? config_.profiles().front() : own->entries();
  const auto found = entries.find(input.name);
  return found == entries.end() || !found->second.dims[1] ? vector_of(input.dims)
                                                          : vector_of(*found->second.dims[1]);
}

std::string BatchRun::open() {
  OnnxModel model;
  read_onnx(network_.model, model);
  ModelEdit edit;
  for (const Tensor* input : network_.inputs) {
    if (input->is_shape) return "no calibration with shape input " + input->name;
    if (input->onnx_type == kOnnxDouble) return "no calibration with double input " + input->name;
    edit.input_dims[input->onnx_name] = sizes_of(*input);
    if (!is_static(dims_of(sizes_of(*input)))) return "no size is known of input " + input->name;
  }
  for (const Tensor* tensor : inner_) edit.outputs.push_back(tensor->onnx_name);
  std::string error;
  model_ = OrtModel::open(edited_model(model, edit), OrtLevel::kDisabled, error);
  return error;
}

std::string BatchRun::run(const std::vector<void*>& bindings, std::map<std::string, float>& largest) {
  std::vector<OrtBuffer> inputs;
  for (std::size_t i = 0; i < bindings.size(); ++i) {
    const Tensor& input = *network_.inputs[i];
    const std::vector<std::int64_t> sizes = sizes_of(input);
    const auto bytes = static_cast<std::size_t>(volume_of(dims_of(sizes)) * bytes_of(input.type));
    void* const data = sil::host_view(bindings[i], bytes);
    if (data == nullptr) return "an illegal memory access was encountered (input " + input.name + ")";
    inputs.push_back({input.onnx_name, input.onnx_type, sizes, data, bytes});
    if (input.onnx_type != kOnnxFloat && input.onnx_type != kOnnxHalf) continue;
    grow(largest[input.name], input.onnx_type, static_cast<const char*>(data), bytes);
  }
  std::vector<std::string> wanted;
  for (const Tensor* tensor : inner_) wanted.push_back(tensor->onnx_name);
  std::vector<OrtResult> results;
  const std::string error = model_->run(inputs, {}, wanted, results);
  for (std::size_t i = 0; i < results.size() && error.empty(); ++i)
    grow(largest[inner_[i]->name], results[i].onnx_type, results[i].bytes.data(), results[i].bytes.size());
  return error;
}

}  // namespace sil::infer
