// A loaded engine. What it holds lives until the last context is gone too.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "device_block.h"
#include "ort_model.h"
#include "plan.h"
#include "shapes.h"

namespace sil::infer {

/// Shared by an engine and its contexts; nothing in it changes but the table of shapes and whether the engine
/// is there.
class EngineCore {
 public:
  /// nullptr with the error told.
  static std::shared_ptr<EngineCore> load(const ErrorSink& sink, nvinfer1::IGpuAllocator* allocator,
                                          Plan plan);

  /// The index of a tensor; -1 for none of this name.
  int find(char const* name) const;
  /// The outputs' shapes for these inputs; false with the error told.
  bool infer(const ErrorSink& sink, const InputFacts& facts, ShapeTable& shapes);
  bool has_data_dependent_output() const;

  Plan plan;
  std::unique_ptr<OrtModel> model;
  nvinfer1::IGpuAllocator* allocator = nullptr;
  std::atomic<bool> has_engine{true};  ///< nothing may run any more without it

 private:
  OnnxModel shape_model_;
  DeviceBlock weights_;
  std::mutex mutex_;
  std::map<InputFacts, ShapeTable> known_;
};

class Engine final : public nvinfer1::ICudaEngine {
 public:
  Engine(const ErrorSink& parent, std::shared_ptr<EngineCore> core) : sink_(parent), core_(std::move(core)) {}
  ~Engine() override;
  nvinfer1::Dims getTensorShape(char const* name) const noexcept override;
  nvinfer1::DataType getTensorDataType(char const* name) const noexcept override;
  int32_t getNbLayers() const noexcept override;
  nvinfer1::IHostMemory* serialize() const noexcept override;
  nvinfer1::IExecutionContext* createExecutionContext(
      nvinfer1::ExecutionContextAllocationStrategy strategy) noexcept override;
  nvinfer1::TensorLocation getTensorLocation(char const* name) const noexcept override;
  bool isShapeInferenceIO(char const* name) const noexcept override;
  nvinfer1::TensorIOMode getTensorIOMode(char const* name) const noexcept override;
  size_t getDeviceMemorySize() const noexcept override;
  int64_t getDeviceMemorySizeV2() const noexcept override;
  int64_t getDeviceMemorySizeForProfileV2(int32_t profile) const noexcept override;
  bool isRefittable() const noexcept override;
  int32_t getTensorBytesPerComponent(char const* name) const noexcept override;
  int32_t getTensorComponentsPerElement(char const* name) const noexcept override;
  nvinfer1::TensorFormat getTensorFormat(char const* name) const noexcept override;
  char const* getTensorFormatDesc(char const* name) const noexcept override;
  int32_t getTensorVectorizedDim(char const* name) const noexcept override;
  char const* getName() const noexcept override;
  int32_t getNbOptimizationProfiles() const noexcept override;
  nvinfer1::Dims getProfileShape(char const* name, int32_t profile,
                                 nvinfer1::OptProfileSelector select) const noexcept override;
  int32_t const* getProfileTensorValues(char const* name, int32_t profile,
                                        nvinfer1::OptProfileSelector select) const noexcept override;
  nvinfer1::EngineCapability getEngineCapability() const noexcept override;
  void setErrorRecorder(nvinfer1::IErrorRecorder* recorder) noexcept override {
    sink_.set_recorder(recorder);
  }
  nvinfer1::IErrorRecorder* getErrorRecorder() const noexcept override { return sink_.recorder(); }
  nvinfer1::TacticSources getTacticSources() const noexcept override { return 24; }
  nvinfer1::ProfilingVerbosity getProfilingVerbosity() const noexcept override;
  nvinfer1::IEngineInspector* createEngineInspector() const noexcept override;
  int32_t getNbIOTensors() const noexcept override;
  char const* getIOTensorName(int32_t index) const noexcept override;
  nvinfer1::HardwareCompatibilityLevel getHardwareCompatibilityLevel() const noexcept override;
  int32_t getNbAuxStreams() const noexcept override;
  int64_t getStreamableWeightsSize() const noexcept override { return 0; }

 private:
  /// nullptr with the error told.
  const PlanTensor* tensor(char const* name, const char* where) const;
  const PlanRange* range(char const* name, int32_t profile, const char* where) const;

  ErrorSink sink_;
  std::shared_ptr<EngineCore> core_;
};

nvinfer1::IEngineInspector* make_inspector(const ErrorSink& sink, std::shared_ptr<const EngineCore> core);

}  // namespace sil::infer
