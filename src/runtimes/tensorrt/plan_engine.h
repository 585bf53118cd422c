// A plan as TensorRT has taken it: the library's objects, and what it says of them. Both halves open plans
// here: the compile half to see what it has built, the run half to run it.
#pragma once

#include <NvInferRuntime.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "cache/engine_record.h"
#include "runtimes/tensorrt/device_state.h"
#include "runtimes/tensorrt/gpu_allocator.h"
#include "runtimes/tensorrt/trt_recorder.h"

namespace skua::tensorrt {

/// One input or output.
struct PlanTensor {
  std::string name;
  DType dtype = DType::kFloat32;
  Shape shape;           ///< -1 where a profile or the data decide
  Shape min, opt, max;   ///< of profile 0; inputs only
  bool is_host = false;  ///< its values are read on the host (a shape tensor)
};

struct PlanFacts {
  std::vector<PlanTensor> inputs, outputs;  ///< in the plan's order
  std::uint64_t device_memory_bytes = 0;    ///< of one execution context, for the greatest profile
  int profiles = 0;
  int layers = 0;
  int auxiliary_streams = 0;
  std::string name;  ///< of the network
};

class PlanEngine {
 public:
  /// Deserialises `plan`, which is not needed afterwards, and checks what a plan of ours must be: nothing
  /// embedded that runs on the host, not refittable, for this kind of device alone, linear inputs and outputs
  /// of element types that a tensor can have. `what` names it in errors, which have the class of `context`:
  /// deserialize_failed, host_fact_mismatch (made on another model of device), contract_mismatch,
  /// out_of_memory, device_lost.
  static Result<std::shared_ptr<PlanEngine>> open(std::span<const std::byte> plan,
                                                  const std::shared_ptr<DeviceState>& device,
                                                  TrtContext context, const std::string& what);
  ~PlanEngine();
  PlanEngine(const PlanEngine&) = delete;
  PlanEngine& operator=(const PlanEngine&) = delete;

  const PlanFacts& facts() const noexcept { return facts_; }
  const std::shared_ptr<DeviceState>& device() const noexcept { return device_; }
  nvinfer1::ICudaEngine& engine() const noexcept { return *objects_->engine; }
  ErrorRecorder& recorder() const noexcept { return objects_->recorder; }
  const GpuAllocator& allocator() const noexcept { return objects_->allocator; }

  /// An execution context without scratch memory, which reports to `into`; nullptr with the reason there. Any
  /// thread, several at once.
  std::unique_ptr<nvinfer1::IExecutionContext> make_context(ErrorRecorder& into) noexcept;
  /// Ends one, beside others that are made and ended.
  void end_context(std::unique_ptr<nvinfer1::IExecutionContext>& context) noexcept;

 private:
  // In the order in which they must outlive each other.
  struct Objects {
    explicit Objects(const std::shared_ptr<DeviceState>& device) : allocator(device) {}
    ErrorRecorder recorder;
    GpuAllocator allocator;
    std::unique_ptr<nvinfer1::IRuntime> runtime;
    std::unique_ptr<nvinfer1::ICudaEngine> engine;
  };
  explicit PlanEngine(std::shared_ptr<DeviceState> device)
      : device_(std::move(device)), objects_(std::make_shared<Objects>(device_)) {}
  Status create_runtime(TrtContext context, const std::string& what);
  Status deserialize(std::span<const std::byte> plan, TrtContext context, const std::string& what);
  Status check_flags(TrtContext context, const std::string& what) const;
  Status read_facts(TrtContext context, const std::string& what);
  Error graver(Error otherwise, TrtContext context, const std::string& what, const std::string& log) const;
  Status read_tensors(TrtContext context, const std::string& what);
  Result<PlanTensor> read_tensor(const char* name, bool is_input) const;

  std::shared_ptr<DeviceState> device_;
  std::shared_ptr<Objects> objects_;
  std::mutex contexts_;  ///< a new context reports to the engine's recorder, until it has its own
  PlanFacts facts_;
};

/// EngineDeserializeError (contract_mismatch) unless the plan's profile, device memory and number of profiles
/// are those of the record. Names, dtypes and shapes are compared by the base.
Status check_plan(const PlanFacts& facts, const EngineRecord& record);

}  // namespace skua::tensorrt
