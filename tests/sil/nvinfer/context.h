// An execution context: shapes, addresses and device memory of one sequence of runs. One thread at a time.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine.h"
#include "job.h"

namespace sil::infer {

class Context final : public nvinfer1::IExecutionContext {
 public:
  Context(const ErrorSink& parent, std::shared_ptr<EngineCore> core, const nvinfer1::ICudaEngine& engine,
          nvinfer1::ExecutionContextAllocationStrategy strategy);
  ~Context() override;
  /// What every context keeps, whatever the strategy; false with the error told.
  bool allocate_persistent(const char* where);
  /// The device memory that the strategy asks for now; false with the error told.
  bool allocate(const char* where, cudaStream_t stream);

  nvinfer1::ICudaEngine const& getEngine() const noexcept override { return engine_; }
  void setName(char const* name) noexcept override { name_ = name == nullptr ? "" : name; }
  char const* getName() const noexcept override { return name_.c_str(); }
  void setDeviceMemory(void* memory) noexcept override;
  void setDeviceMemoryV2(void* memory, int64_t size) noexcept override;
  nvinfer1::Dims getTensorStrides(char const* name) const noexcept override;
  int32_t getOptimizationProfile() const noexcept override { return static_cast<int32_t>(profile_); }
  bool setInputShape(char const* name, nvinfer1::Dims const& dims) noexcept override;
  nvinfer1::Dims getTensorShape(char const* name) const noexcept override;
  bool allInputDimensionsSpecified() const noexcept override;
  void setErrorRecorder(nvinfer1::IErrorRecorder* recorder) noexcept override {
    sink_.set_recorder(recorder);
  }
  nvinfer1::IErrorRecorder* getErrorRecorder() const noexcept override { return sink_.recorder(); }
  bool setOptimizationProfileAsync(int32_t profile, cudaStream_t stream) noexcept override;
  bool setTensorAddress(char const* name, void* data) noexcept override;
  void const* getTensorAddress(char const* name) const noexcept override;
  bool setOutputTensorAddress(char const* name, void* data) noexcept override;
  bool setInputTensorAddress(char const* name, void const* data) noexcept override;
  void* getOutputTensorAddress(char const* name) const noexcept override;
  int32_t inferShapes(int32_t most, char const** names) noexcept override;
  size_t updateDeviceMemorySizeForShapes() noexcept override;
  bool setInputConsumedEvent(cudaEvent_t event) noexcept override;
  cudaEvent_t getInputConsumedEvent() const noexcept override { return consumed_; }
  bool setOutputAllocator(char const* name, nvinfer1::IOutputAllocator* allocator) noexcept override;
  nvinfer1::IOutputAllocator* getOutputAllocator(char const* name) const noexcept override;
  int64_t getMaxOutputSize(char const* name) const noexcept override;
  bool setTemporaryStorageAllocator(nvinfer1::IGpuAllocator* allocator) noexcept override;
  nvinfer1::IGpuAllocator* getTemporaryStorageAllocator() const noexcept override { return temporary_; }
  bool enqueueV3(cudaStream_t stream) noexcept override;
  void setPersistentCacheLimit(size_t) noexcept override {}
  size_t getPersistentCacheLimit() const noexcept override { return 0; }
  bool setNvtxVerbosity(nvinfer1::ProfilingVerbosity) noexcept override { return true; }
  nvinfer1::ProfilingVerbosity getNvtxVerbosity() const noexcept override { return core_->plan.verbosity; }
  void setAuxStreams(cudaStream_t*, int32_t) noexcept override {}

 private:
  struct Slot {
    nvinfer1::Dims dims{};  ///< of an input; -1 until it is set
    void* address = nullptr;
    nvinfer1::IOutputAllocator* allocator = nullptr;
  };

  const PlanTensor& planned(std::size_t index) const { return core_->plan.tensors[index]; }
  const PlanProfile& profile() const { return core_->plan.profiles[profile_]; }
  int find(char const* name, const char* where) const;
  bool set_address(char const* name, void* data, const char* where);
  void forget_shapes();
  bool is_missing(std::size_t input) const;
  bool is_within_profile(const PlanTensor& tensor, const nvinfer1::Dims& dims) const;
  std::vector<std::int64_t> shape_values(std::size_t input) const;
  bool are_shape_values_valid() const;
  bool infer_outputs(ShapeTable& shapes) const;
  std::uint64_t needed_bytes() const;
  bool may_enqueue(cudaStream_t stream) const;
  bool may_capture() const;
  bool fill_job(Job& job, cudaStream_t stream);
  bool take_run_memory(const Job& job, cudaStream_t stream);
  JobTensor input_of(std::size_t index) const;
  bool fill_output(std::size_t index, const ShapeTable& shapes, cudaStream_t stream, JobTensor& output);
  bool deliver_results(const std::shared_ptr<Job>& job, cudaStream_t stream);
  bool put_on_stream(cudaStream_t stream, std::function<cudaError_t()> work);
  bool fails(int code, const char* where, const std::string& text) const;

  ErrorSink sink_;
  std::shared_ptr<EngineCore> core_;
  const nvinfer1::ICudaEngine& engine_;
  nvinfer1::ExecutionContextAllocationStrategy strategy_;
  std::vector<Slot> slots_;  // one for each tensor of the plan
  std::size_t profile_ = 0;
  DeviceBlock persistent_, own_memory_, run_memory_;
  std::shared_ptr<std::atomic<bool>> is_there_ = std::make_shared<std::atomic<bool>>(true);
  void* memory_ = nullptr;
  std::uint64_t memory_bytes_ = 0;
  cudaEvent_t consumed_ = nullptr;
  nvinfer1::IGpuAllocator* temporary_ = nullptr;
  bool has_run_ = false;  // with these shapes: only then can a run be captured
  std::string name_;
};

}  // namespace sil::infer
