#include "context.h"

#include <algorithm>
#include <cstring>

#include "sil/control/settings.h"

namespace sil::infer {

using nvinfer1::Dims;
using nvinfer1::ExecutionContextAllocationStrategy;

Context::Context(const ErrorSink& parent, std::shared_ptr<EngineCore> core,
                 const nvinfer1::ICudaEngine& engine, ExecutionContextAllocationStrategy strategy)
    : sink_(parent), core_(std::move(core)), engine_(engine), strategy_(strategy) {
  slots_.resize(core_->plan.tensors.size());
  forget_shapes();
}

Context::~Context() {
  *is_there_ = false;
  // It reaches into its engine.
  if (!core_->has_engine) sil::lose_device(cudaErrorIllegalAddress);
}

bool Context::allocate_persistent(const char* where) {
  constexpr std::uint64_t kBytes = 512;
  return DeviceBlock::make(sink_, where, core_->allocator, kBytes, nullptr, persistent_);
}

bool Context::fails(int code, const char* where, const std::string& text) const {
  sink_.error(code, where, text);
  return false;
}

void Context::forget_shapes() {
  for (std::size_t i = 0; i < slots_.size(); ++i) slots_[i].dims = planned(i).dims;
  has_run_ = false;
}

std::uint64_t Context::needed_bytes() const {
  std::int64_t bytes = profile().device_bytes;
  if (strategy_ == ExecutionContextAllocationStrategy::kSTATIC) {
    for (const PlanProfile& each : core_->plan.profiles) bytes = std::max(bytes, each.device_bytes);
  }
  return static_cast<std::uint64_t>(std::max<std::int64_t>(bytes, 0));
}

bool Context::allocate(const char* where, cudaStream_t stream) {
  if (strategy_ == ExecutionContextAllocationStrategy::kUSER_MANAGED) return true;
  own_memory_ = DeviceBlock();
  if (!DeviceBlock::make(sink_, where, core_->allocator, needed_bytes(), stream, own_memory_)) return false;
  memory_ = own_memory_.data();
  memory_bytes_ = own_memory_.bytes();
  return true;
}

int Context::find(char const* name, const char* where) const {
  const int index = core_->find(name);
  if (index < 0) fails(3, where, std::string("no tensor has the name ") + (name == nullptr ? "null" : name));
  return index;
}

void Context::setDeviceMemory(void* memory) noexcept {
  setDeviceMemoryV2(memory, static_cast<int64_t>(needed_bytes()));
}

void Context::setDeviceMemoryV2(void* memory, int64_t size) noexcept {
  constexpr const char* kWhere = "IExecutionContext::setDeviceMemoryV2";
  SIL_ENTER_TELLING(sink_, kWhere);
  if (strategy_ != ExecutionContextAllocationStrategy::kUSER_MANAGED) {
    fails(3, kWhere,
          "Parameter check failed, condition: the context was created to manage its memory itself");
    return;
  }
  if (size < static_cast<int64_t>(needed_bytes())) {
    fails(3, kWhere, "Parameter check failed, condition: size >= " + std::to_string(needed_bytes()));
    return;
  }
  memory_ = memory;
  memory_bytes_ = static_cast<std::uint64_t>(size);
}

Dims Context::getTensorStrides(char const* name) const noexcept {
  const Dims dims = getTensorShape(name);
  Dims strides = dims;
  std::int64_t step = 1;
  for (int axis = dims.nbDims - 1; axis >= 0; --axis) {
    strides.d[axis] = step;
    step *= dims.d[axis];
  }
  return strides;
}

bool Context::is_within_profile(const PlanTensor& tensor, const Dims& dims) const {
  const PlanRange& range = *profile().find(tensor.name);
  if (dims.nbDims != tensor.dims.nbDims) return false;
  for (int axis = 0; axis < dims.nbDims; ++axis) {
    if (dims.d[axis] < range.dims[0].d[axis] || dims.d[axis] > range.dims[2].d[axis]) return false;
  }
  return true;
}

bool Context::setInputShape(char const* name, Dims const& dims) noexcept {
  constexpr const char* kWhere = "IExecutionContext::setInputShape";
  SIL_ENTER_TELLING(sink_, kWhere, false);
  const int index = find(name, kWhere);
  if (index < 0) return false;
  const auto at = static_cast<std::size_t>(index);
  const PlanTensor& tensor = planned(at);
  if (!tensor.is_input)
    return fails(3, kWhere, std::string("Parameter check failed, condition: input. ") + name);
  if (!is_within_profile(tensor, dims)) {
    const PlanRange& range = *profile().find(tensor.name);
    return fails(3, kWhere,
                 "the shape " + text_of(dims) + " of " + tensor.name + " lies outside of profile " +
                     std::to_string(profile_) + ", which goes from " + text_of(range.dims[0]) + " to " +
                     text_of(range.dims[2]));
  }
  if (!is_same(slots_[at].dims, dims)) has_run_ = false;
  slots_[at].dims = dims;
  return true;
}

Dims Context::getTensorShape(char const* name) const noexcept {
  constexpr const char* kWhere = "IExecutionContext::getTensorShape";
  SIL_ENTER_TELLING(sink_, kWhere, Dims{-1, {}});
  const int index = find(name, kWhere);
  if (index < 0) return Dims{-1, {}};
  const PlanTensor& tensor = planned(static_cast<std::size_t>(index));
  if (tensor.is_input) return slots_[static_cast<std::size_t>(index)].dims;
  ShapeTable shapes;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (planned(i).is_input && is_missing(i)) return tensor.dims;
  }
  return infer_outputs(shapes) ? dims_of(shapes[tensor.onnx_name]) : Dims{-1, {}};
}

bool Context::is_missing(std::size_t input) const {
  return planned(input).is_shape ? slots_[input].address == nullptr : !is_static(slots_[input].dims);
}

bool Context::allInputDimensionsSpecified() const noexcept {
  SIL_ENTER_TELLING(sink_, "IExecutionContext::allInputDimensionsSpecified", false);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (planned(i).is_input && !is_static(slots_[i].dims)) return false;
  }
  return true;
}

bool Context::setOptimizationProfileAsync(int32_t index, cudaStream_t stream) noexcept {
  constexpr const char* kWhere = "IExecutionContext::setOptimizationProfileAsync";
  SIL_ENTER_TELLING(sink_, kWhere, false);
  if (index < 0 || static_cast<std::size_t>(index) >= core_->plan.profiles.size()) {
    return fails(3, kWhere, "Optimization profile index is out of range: " + std::to_string(index));
  }
  if (static_cast<std::size_t>(index) == profile_) return true;
  profile_ = static_cast<std::size_t>(index);
  forget_shapes();
  const bool is_resized = strategy_ == ExecutionContextAllocationStrategy::kON_PROFILE_CHANGE;
  return !is_resized || allocate(kWhere, stream);
}

bool Context::set_address(char const* name, void* data, const char* where) {
  const int index = find(name, where);
  if (index < 0) return false;
  constexpr std::uintptr_t kAlignment = 256;
  const bool is_host = planned(static_cast<std::size_t>(index)).is_shape;
  if (!is_host && reinterpret_cast<std::uintptr_t>(data) % kAlignment != 0) {
    sink_.log(Severity::kVERBOSE,
              std::string("sil: the address of ") + name + " is not aligned to 256 bytes");
  }
  slots_[static_cast<std::size_t>(index)].address = data;
  return true;
}

bool Context::setTensorAddress(char const* name, void* data) noexcept {
  SIL_ENTER_TELLING(sink_, "IExecutionContext::setTensorAddress", false);
  return set_address(name, data, "IExecutionContext::setTensorAddress");
}

bool Context::setInputTensorAddress(char const* name, void const* data) noexcept {
  constexpr const char* kWhere = "IExecutionContext::setInputTensorAddress";
  SIL_ENTER_TELLING(sink_, kWhere, false);
  return set_address(name, const_cast<void*>(data), kWhere);
}

bool Context::setOutputTensorAddress(char const* name, void* data) noexcept {
  constexpr const char* kWhere = "IExecutionContext::setOutputTensorAddress";
  SIL_ENTER_TELLING(sink_, kWhere, false);
  const int index = find(name, kWhere);
  if (index >= 0 && planned(static_cast<std::size_t>(index)).is_input) {
    return fails(3, kWhere, std::string("Parameter check failed, condition: output. ") + name);
  }
  return index >= 0 && set_address(name, data, kWhere);
}

void const* Context::getTensorAddress(char const* name) const noexcept {
  const int index = find(name, "IExecutionContext::getTensorAddress");
  return index < 0 ? nullptr : slots_[static_cast<std::size_t>(index)].address;
}

void* Context::getOutputTensorAddress(char const* name) const noexcept {
  const int index = find(name, "IExecutionContext::getOutputTensorAddress");
  return index < 0 ? nullptr : slots_[static_cast<std::size_t>(index)].address;
}

// Shape inputs are read from the host, each time they are needed.
std::vector<std::int64_t> Context::shape_values(std::size_t input) const {
  const auto count = static_cast<std::size_t>(volume_of(slots_[input].dims));
  const auto width = static_cast<std::size_t>(bytes_of(planned(input).type));
  std::vector<std::int64_t> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    const char* const from = static_cast<const char*>(slots_[input].address) + i * width;
    std::int32_t narrow = 0;
    std::memcpy(width == 4 ? static_cast<void*>(&narrow) : static_cast<void*>(&values[i]), from, width);
    if (width == 4) values[i] = narrow;
  }
  return values;
}

bool Context::are_shape_values_valid() const {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!planned(i).is_shape) continue;
    const PlanRange& range = *profile().find(planned(i).name);
    const std::vector<std::int64_t> values = shape_values(i);
    for (std::size_t j = 0; j < values.size() && j < range.values[0].size(); ++j) {
      if (values[j] < range.values[0][j] || values[j] > range.values[2][j]) return false;
    }
  }
  return true;
}

bool Context::infer_outputs(ShapeTable& shapes) const {
  InputFacts facts;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!planned(i).is_input) continue;
    facts.dims[planned(i).onnx_name] = vector_of(slots_[i].dims);
    if (planned(i).is_shape) facts.values[planned(i).onnx_name] = shape_values(i);
  }
  return core_->infer(sink_, facts, shapes);
}

int32_t Context::inferShapes(int32_t most, char const** names) noexcept {
  constexpr const char* kWhere = "IExecutionContext::inferShapes";
  SIL_ENTER_TELLING(sink_, kWhere, -1);
  int32_t missing = 0;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!planned(i).is_input || !is_missing(i)) continue;
    if (missing < most && names != nullptr) names[missing] = planned(i).name.c_str();
    ++missing;
  }
  if (missing > 0) return missing;
  if (!are_shape_values_valid()) {
    fails(3, kWhere, "Parameter check failed, condition: the values of shape tensors lie within the profile");
    return -1;
  }
  ShapeTable shapes;
  return infer_outputs(shapes) ? 0 : -1;
}

size_t Context::updateDeviceMemorySizeForShapes() noexcept {
  SIL_ENTER_TELLING(sink_, "IExecutionContext::updateDeviceMemorySizeForShapes", 0);
  return static_cast<size_t>(profile().device_bytes);
}

bool Context::setInputConsumedEvent(cudaEvent_t event) noexcept {
  SIL_ENTER_TELLING(sink_, "IExecutionContext::setInputConsumedEvent", false);
  consumed_ = event;
  return true;
}

bool Context::setOutputAllocator(char const* name, nvinfer1::IOutputAllocator* allocator) noexcept {
  constexpr const char* kWhere = "IExecutionContext::setOutputAllocator";
  SIL_ENTER_TELLING(sink_, kWhere, false);
  const int index = find(name, kWhere);
  if (index < 0 || planned(static_cast<std::size_t>(index)).is_input) return false;
  slots_[static_cast<std::size_t>(index)].allocator = allocator;
  return true;
}

nvinfer1::IOutputAllocator* Context::getOutputAllocator(char const* name) const noexcept {
  const int index = find(name, "IExecutionContext::getOutputAllocator");
  return index < 0 ? nullptr : slots_[static_cast<std::size_t>(index)].allocator;
}

int64_t Context::getMaxOutputSize(char const* name) const noexcept {
  constexpr const char* kWhere = "IExecutionContext::getMaxOutputSize";
  SIL_ENTER_TELLING(sink_, kWhere, -1);
  const int index = find(name, kWhere);
  if (index < 0 || planned(static_cast<std::size_t>(index)).is_input) return -1;
  const PlanTensor& tensor = planned(static_cast<std::size_t>(index));
  return std::max<int64_t>(tensor.max_elements, 1) * bytes_of(tensor.type);
}

bool Context::setTemporaryStorageAllocator(nvinfer1::IGpuAllocator* allocator) noexcept {
  SIL_ENTER_TELLING(sink_, "IExecutionContext::setTemporaryStorageAllocator", false);
  temporary_ = allocator;
  return true;
}

}  // namespace sil::infer
