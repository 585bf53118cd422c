#include "runtimes/tensorrt/tensorrt_runtime.h"

#include <utility>

#include "cache/verified_engine.h"
#include "runtimes/tensorrt/cuda_device.h"
#include "runtimes/tensorrt/record_options.h"
#include "runtimes/tensorrt/sdk_messages.h"
#include "runtimes/tensorrt/trt_execution.h"
#include "runtimes/tensorrt/trt_library.h"

namespace skua::tensorrt {
namespace {

/// What engines need of their runtime; they may outlive it.
struct RuntimeFacts {
  LibraryFacts library;
  DeviceFacts device;
  LaneSettings settings;
};

class TrtEngine final : public LoadedEngine {
 public:
  TrtEngine(std::shared_ptr<PlanEngine> plan, EngineRecord record, RuntimeFacts facts)
      : plan_(std::move(plan)), record_(std::move(record)), facts_(std::move(facts)) {}

  EngineReport report() const override {
    EngineReport report;
    report.inputs = specs_of(plan_->facts().inputs, record_.inputs);
    report.outputs = specs_of(plan_->facts().outputs, record_.outputs);
    report.device = std::string(device_name()) + " (" + facts_.device.name + ")";
    report.provider = provider_name();
    report.arithmetic = arithmetic_of(record_.precision);
    report.sdk_version = facts_.library.version;
    return report;
  }

  Result<std::unique_ptr<Execution>> create_execution() override {
    return or_out_of_memory(record_.file, [&]() -> Result<std::unique_ptr<Execution>> {
      auto execution = std::make_unique<TrtExecution>(plan_, facts_.settings);
      SKUA_RETURN_IF_ERROR(execution->place(record_));
      return std::unique_ptr<Execution>(std::move(execution));
    });
  }

 private:
  /// In the record's order: a plan's own order is TensorRT's business, names are what binds.
  static std::vector<TensorSpec> specs_of(const std::vector<PlanTensor>& found,
                                          const std::vector<TensorSpec>& recorded) {
    std::vector<TensorSpec> specs;
    for (const TensorSpec& spec : recorded) {
      for (const PlanTensor& tensor : found) {
        if (tensor.name == spec.name) specs.push_back({tensor.name, tensor.dtype, tensor.shape, {}, false});
      }
    }
    for (const PlanTensor& tensor : found) {
      bool is_recorded = false;
      for (const TensorSpec& spec : recorded) is_recorded = is_recorded || spec.name == tensor.name;
      if (!is_recorded) specs.push_back({tensor.name, tensor.dtype, tensor.shape, {}, false});
    }
    return specs;
  }

  std::shared_ptr<PlanEngine> plan_;
  EngineRecord record_;
  RuntimeFacts facts_;
};

class TensorrtRuntime final : public InferenceRuntime {
 public:
  TensorrtRuntime(RuntimeEnvironment environment, RuntimeFacts facts, std::shared_ptr<DeviceState> device)
      : InferenceRuntime(std::move(environment), std::string(kRuntimeLabel)),
        facts_(std::move(facts)),
        device_(std::move(device)),
        messages_(device_) {}
  ~TensorrtRuntime() override { device_->detach(); }

 protected:
  Result<std::unique_ptr<LoadedEngine>> deserialize(VerifiedEngine engine) override {
    const EngineRecord& record = engine.record();
    return or_out_of_memory(record.file, [&]() -> Result<std::unique_ptr<LoadedEngine>> {
      SKUA_ASSIGN_OR_RETURN(auto plan,
                            PlanEngine::open(engine.bytes(), device_, TrtContext::kLoad, record.file));
      SKUA_RETURN_IF_ERROR(check_plan(plan->facts(), record));
      return std::unique_ptr<LoadedEngine>(std::make_unique<TrtEngine>(std::move(plan), record, facts_));
    });
  }
  Status check_record(const EngineRecord& record) const override {
    return or_out_of_memory(record.file,
                            [&]() -> Status { return check_recorded(record, facts_.library.version); });
  }
  bool uses_gpu() const noexcept override { return true; }
  Result<std::optional<std::uint64_t>> free_memory() const override {
    if (device_->is_lost()) return translate(TrtContext::kLoad, device_->meet_loss(), "free memory", "");
    SKUA_ASSIGN_OR_RETURN(const std::uint64_t bytes, free_bytes(facts_.device, TrtContext::kLoad));
    return std::optional(bytes);
  }
  void on_seal() noexcept override { device_->seal(); }

 private:
  RuntimeFacts facts_;
  std::shared_ptr<DeviceState> device_;
  SdkMessages messages_;
};

}  // namespace

namespace {

Result<ObservedRuntime> create(RuntimeEnvironment environment) {
  const RuntimeConfig& config = environment.config;
  RuntimeFacts facts;
  SKUA_ASSIGN_OR_RETURN(facts.library, library_facts());
  facts.settings.wait = wait_mode_of(config);
  if (const std::int32_t code = process_loss(); code != kNotLost) {
    return translate(TrtContext::kDevice, Fault{FaultClass::kDevice, code}, "device 0",
                     "this process has lost it; start the program again");
  }
  SKUA_ASSIGN_OR_RETURN(facts.device, open_device(device_flags_of(facts.settings.wait)));
  facts.settings.uses_graphs = config.tensorrt_cuda_graphs;
  SKUA_ASSIGN_OR_RETURN(facts.settings.io, IoPolicy::from(config, facts.device.is_integrated));
  facts.settings.records_before_warm_up = false;  // a golden run needs none, and others may be loading
  facts.settings.clock = environment.clock;
  auto device = std::make_shared<DeviceState>(*environment.events, &process_loss());
  return ObservedRuntime{std::make_unique<TensorrtRuntime>(std::move(environment), std::move(facts), device),
                         device};
}

}  // namespace

Result<ObservedRuntime> create_observed_runtime(RuntimeEnvironment environment) {
  return or_out_of_memory("the runtime tensorrt", [&] { return create(std::move(environment)); });
}

Result<std::unique_ptr<InferenceRuntime>> create_runtime(RuntimeEnvironment environment) {
  SKUA_ASSIGN_OR_RETURN(ObservedRuntime observed, create_observed_runtime(std::move(environment)));
  return std::move(observed.runtime);
}

Result<SdkInfo> probe_sdk(const RuntimeConfig&) {
  SKUA_ASSIGN_OR_RETURN(const LibraryFacts library, library_facts());
  SdkInfo info;
  info.library_path = library.path;
  info.version = library.version;
  info.providers.emplace_back(provider_name());
  if (process_loss() != kNotLost) {  // nothing asks it any more
    info.providers.push_back(std::string(device_name()) +
                             ": this process has lost it; start the program again");
    return info;
  }
  const auto device = open_device(std::nullopt);  // a runtime of this process may wait its own way
  info.providers.push_back(device.ok() ? std::string(device_name()) + " (" + device->name + ")"
                                       : device.error().describe());
  return info;
}

}  // namespace skua::tensorrt
