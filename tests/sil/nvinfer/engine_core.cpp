#include <algorithm>

#include "engine.h"

namespace sil::infer {

std::shared_ptr<EngineCore> EngineCore::load(const ErrorSink& sink, nvinfer1::IGpuAllocator* allocator,
                                             Plan plan) {
  constexpr const char* kWhere = "IRuntime::deserializeCudaEngine";
  auto core = std::make_shared<EngineCore>();
  core->plan = std::move(plan);
  core->allocator = allocator;
  if (!DeviceBlock::make(sink, kWhere, allocator, core->plan.model.size(), nullptr, core->weights_))
    return nullptr;
  // The weights are there before anybody runs: that waits for the whole device.
  if (const cudaError_t status = cudaDeviceSynchronize(); status != cudaSuccess) {
    sink.cuda_error(kWhere, status);
    return nullptr;
  }
  std::string error;
  // The optimiser ran when the plan was built.
  core->model = OrtModel::open(core->plan.model, OrtLevel::kDisabled, error);
  if (core->model == nullptr || !read_onnx(core->plan.shape_model, core->shape_model_)) {
    sink.error(1, kWhere, error, "Serialization");
    return nullptr;
  }
  core->plan.model.clear();  // ONNX Runtime has its own copy
  core->plan.model.shrink_to_fit();
  return core;
}

int EngineCore::find(char const* name) const {
  if (name == nullptr) return -1;
  for (std::size_t i = 0; i < plan.tensors.size(); ++i) {
    if (plan.tensors[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

bool EngineCore::infer(const ErrorSink& sink, const InputFacts& facts, ShapeTable& shapes) {
  const std::lock_guard lock(mutex_);
  const auto found = known_.find(facts);
  if (found != known_.end()) {
    shapes = found->second;
    return true;
  }
  std::vector<std::string> outputs;
  for (const PlanTensor& tensor : plan.tensors) {
    if (!tensor.is_input) outputs.push_back(tensor.onnx_name);
  }
  std::string error;
  if (!infer_shapes(shape_model_, facts, outputs, shapes, error)) {
    sink.error(4, "IExecutionContext::inferShapes", error);
    return false;
  }
  known_[facts] = shapes;
  return true;
}

bool EngineCore::has_data_dependent_output() const {
  return std::any_of(plan.tensors.begin(), plan.tensors.end(),
                     [](const PlanTensor& tensor) { return tensor.is_data_dependent; });
}

}  // namespace sil::infer
