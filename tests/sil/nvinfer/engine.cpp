#include "engine.h"

#include <algorithm>

#include "context.h"
#include "sil/control/settings.h"

namespace sil::infer {

using nvinfer1::DataType;
using nvinfer1::Dims;
using nvinfer1::OptProfileSelector;
using nvinfer1::TensorIOMode;

// The real one may wait for the whole device, when it gives its memory back; so may the making of a context.
Engine::~Engine() {
  static_cast<void>(sil::injected_fault("ICudaEngine::~ICudaEngine"));  // counted: the real one calls CUDA
  static_cast<void>(cudaDeviceSynchronize());
  core_->has_engine = false;
}

const PlanTensor* Engine::tensor(char const* name, const char* where) const {
  const int index = core_->find(name);
  if (index >= 0) return &core_->plan.tensors[static_cast<std::size_t>(index)];
  sink_.error(3, where, std::string("no tensor has the name ") + (name == nullptr ? "null" : name));
  return nullptr;
}

const PlanRange* Engine::range(char const* name, int32_t profile, const char* where) const {
  if (tensor(name, where) == nullptr) return nullptr;
  if (profile < 0 || static_cast<std::size_t>(profile) >= core_->plan.profiles.size()) {
    sink_.error(3, where, "Parameter check failed, condition: profileIndex < getNbOptimizationProfiles()");
    return nullptr;
  }
  return core_->plan.profiles[static_cast<std::size_t>(profile)].find(name);
}

Dims Engine::getTensorShape(char const* name) const noexcept {
  SIL_ENTER_TELLING(sink_, "ICudaEngine::getTensorShape", Dims{-1, {}});
  const PlanTensor* const found = tensor(name, "ICudaEngine::getTensorShape");
  return found == nullptr ? Dims{-1, {}} : found->dims;
}

DataType Engine::getTensorDataType(char const* name) const noexcept {
  SIL_ENTER_TELLING(sink_, "ICudaEngine::getTensorDataType", DataType::kFLOAT);
  const PlanTensor* const found = tensor(name, "ICudaEngine::getTensorDataType");
  return found == nullptr ? DataType::kFLOAT : found->type;
}

int32_t Engine::getNbLayers() const noexcept {
  SIL_ENTER_TELLING(sink_, "ICudaEngine::getNbLayers", 0);
  return static_cast<int32_t>(core_->plan.layers.size());
}

nvinfer1::IHostMemory* Engine::serialize() const noexcept {
  sink_.error(10, "ICudaEngine::serialize", "sil keeps no copy of the plan");
  return nullptr;
}

nvinfer1::IExecutionContext* Engine::createExecutionContext(
    nvinfer1::ExecutionContextAllocationStrategy strategy) noexcept {
  SIL_ENTER_TELLING(sink_, "ICudaEngine::createExecutionContext", nullptr);
  cudaError_t lost = cudaSuccess;
  if (sil::is_device_lost(lost)) {
    sink_.cuda_error("ICudaEngine::createExecutionContext", lost);
    return nullptr;
  }
  constexpr const char* kWhere = "ICudaEngine::createExecutionContext";
  if (const cudaError_t status = cudaDeviceSynchronize(); status != cudaSuccess) {
    sink_.cuda_error(kWhere, status);
    return nullptr;
  }
  auto context = std::make_unique<Context>(sink_, core_, *this, strategy);
  const bool has_memory = context->allocate_persistent(kWhere) && context->allocate(kWhere, nullptr);
  return has_memory ? context.release() : nullptr;
}

nvinfer1::TensorLocation Engine::getTensorLocation(char const* name) const noexcept {
  SIL_ENTER_TELLING(sink_, "ICudaEngine::getTensorLocation", nvinfer1::TensorLocation::kDEVICE);
  const PlanTensor* const found = tensor(name, "ICudaEngine::getTensorLocation");
  const bool is_host = found != nullptr && found->is_shape;
  return is_host ? nvinfer1::TensorLocation::kHOST : nvinfer1::TensorLocation::kDEVICE;
}

bool Engine::isShapeInferenceIO(char const* name) const noexcept {
  SIL_ENTER_TELLING(sink_, "ICudaEngine::isShapeInferenceIO", false);
  const PlanTensor* const found = tensor(name, "ICudaEngine::isShapeInferenceIO");
  return found != nullptr && found->is_shape;
}

TensorIOMode Engine::getTensorIOMode(char const* name) const noexcept {
  SIL_ENTER_TELLING(sink_, "ICudaEngine::getTensorIOMode", TensorIOMode::kNONE);
  const int index = core_->find(name);
  if (index < 0) return TensorIOMode::kNONE;
  return core_->plan.tensors[static_cast<std::size_t>(index)].is_input ? TensorIOMode::kINPUT
                                                                       : TensorIOMode::kOUTPUT;
}

size_t Engine::getDeviceMemorySize() const noexcept { return static_cast<size_t>(getDeviceMemorySizeV2()); }

int64_t Engine::getDeviceMemorySizeV2() const noexcept {
  SIL_ENTER_TELLING(sink_, "ICudaEngine::getDeviceMemorySizeV2", 0);
  int64_t most = 0;
  for (const PlanProfile& profile : core_->plan.profiles) most = std::max(most, profile.device_bytes);
  return most;
}

int64_t Engine::getDeviceMemorySizeForProfileV2(int32_t profile) const noexcept {
  SIL_ENTER_TELLING(sink_, "ICudaEngine::getDeviceMemorySizeForProfileV2", 0);
  if (profile < 0 || static_cast<std::size_t>(profile) >= core_->plan.profiles.size()) return 0;
  return core_->plan.profiles[static_cast<std::size_t>(profile)].device_bytes;
}

bool Engine::isRefittable() const noexcept {
  SIL_ENTER_TELLING(sink_, "ICudaEngine::isRefittable", false);
  return core_->plan.is_refittable;
}

// Every tensor is linear: no components packed into vectors.
int32_t Engine::getTensorBytesPerComponent(char const*) const noexcept { return -1; }
int32_t Engine::getTensorComponentsPerElement(char const*) const noexcept { return -1; }
int32_t Engine::getTensorVectorizedDim(char const*) const noexcept { return -1; }

nvinfer1::TensorFormat Engine::getTensorFormat(char const* name) const noexcept {
  SIL_ENTER_TELLING(sink_, "ICudaEngine::getTensorFormat", nvinfer1::TensorFormat::kLINEAR);
  (void)tensor(name, "ICudaEngine::getTensorFormat");
  if (sil::settings().oddity == Oddity::format) return nvinfer1::TensorFormat::kCHW32;
  return nvinfer1::TensorFormat::kLINEAR;
}

char const* Engine::getTensorFormatDesc(char const*) const noexcept {
  SIL_ENTER_TELLING(sink_, "ICudaEngine::getTensorFormatDesc", nullptr);
  return sil::settings().oddity == Oddity::format ? "vectors of 32 channels" : "linear";
}

char const* Engine::getName() const noexcept {
  SIL_ENTER_TELLING(sink_, "ICudaEngine::getName", nullptr);
  return core_->plan.network_name.c_str();
}

int32_t Engine::getNbOptimizationProfiles() const noexcept {
  SIL_ENTER_TELLING(sink_, "ICudaEngine::getNbOptimizationProfiles", 0);
  return static_cast<int32_t>(core_->plan.profiles.size());
}

Dims Engine::getProfileShape(char const* name, int32_t profile, OptProfileSelector select) const noexcept {
  SIL_ENTER_TELLING(sink_, "ICudaEngine::getProfileShape", Dims{-1, {}});
  const PlanRange* const found = range(name, profile, "ICudaEngine::getProfileShape");
  return found == nullptr ? Dims{-1, {}} : found->dims[static_cast<std::size_t>(select)];
}

int32_t const* Engine::getProfileTensorValues(char const* name, int32_t profile,
                                              OptProfileSelector select) const noexcept {
  SIL_ENTER_TELLING(sink_, "ICudaEngine::getProfileTensorValues", nullptr);
  const PlanRange* const found = range(name, profile, "ICudaEngine::getProfileTensorValues");
  if (found == nullptr || found->values[0].empty()) return nullptr;
  return found->values[static_cast<std::size_t>(select)].data();
}

nvinfer1::ProfilingVerbosity Engine::getProfilingVerbosity() const noexcept {
  SIL_ENTER_TELLING(sink_, "ICudaEngine::getProfilingVerbosity",
                    nvinfer1::ProfilingVerbosity::kLAYER_NAMES_ONLY);
  return core_->plan.verbosity;
}

int32_t Engine::getNbAuxStreams() const noexcept {
  SIL_ENTER_TELLING(sink_, "ICudaEngine::getNbAuxStreams", 0);
  return core_->plan.aux_streams;
}

nvinfer1::EngineCapability Engine::getEngineCapability() const noexcept {
  SIL_ENTER_TELLING(sink_, "ICudaEngine::getEngineCapability", nvinfer1::EngineCapability::kSTANDARD);
  if (sil::settings().oddity == Oddity::capability) return nvinfer1::EngineCapability::kSAFETY;
  return nvinfer1::EngineCapability::kSTANDARD;
}

nvinfer1::IEngineInspector* Engine::createEngineInspector() const noexcept {
  SIL_ENTER_TELLING(sink_, "ICudaEngine::createEngineInspector", nullptr);
  return make_inspector(sink_, core_);
}

int32_t Engine::getNbIOTensors() const noexcept {
  SIL_ENTER_TELLING(sink_, "ICudaEngine::getNbIOTensors", 0);
  return static_cast<int32_t>(core_->plan.tensors.size());
}

char const* Engine::getIOTensorName(int32_t index) const noexcept {
  SIL_ENTER_TELLING(sink_, "ICudaEngine::getIOTensorName", nullptr);
  if (index < 0 || static_cast<std::size_t>(index) >= core_->plan.tensors.size()) return nullptr;
  return core_->plan.tensors[static_cast<std::size_t>(index)].name.c_str();
}

nvinfer1::HardwareCompatibilityLevel Engine::getHardwareCompatibilityLevel() const noexcept {
  SIL_ENTER_TELLING(sink_, "ICudaEngine::getHardwareCompatibilityLevel",
                    nvinfer1::HardwareCompatibilityLevel::kNONE);
  return core_->plan.compatibility;
}

}  // namespace sil::infer
