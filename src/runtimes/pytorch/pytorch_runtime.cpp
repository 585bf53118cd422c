#include "runtimes/pytorch/pytorch_runtime.h"

#include <utility>

#include "cache/verified_engine.h"
#include "runtimes/pytorch/record_options.h"
#include "runtimes/pytorch/torch_library.h"

namespace skua::pytorch {
namespace {

class PytorchFp16Runtime final : public InferenceRuntime {
 public:
  PytorchFp16Runtime(RuntimeEnvironment environment, const RunBridge& bridge, std::string version,
                     EngineObserver observer)
      : InferenceRuntime(std::move(environment), std::string(kRuntimeLabel)),
        bridge_(bridge),
        version_(std::move(version)),
        observer_(std::move(observer)) {}

 protected:
  Result<std::unique_ptr<LoadedEngine>> deserialize(VerifiedEngine engine) override {
    const RunPlan plan = plan_of(engine.record(), environment().config);
    SKUA_ASSIGN_OR_RETURN(auto loaded, bridge_.load(engine.bytes(), engine.record(), plan));
    if (observer_) observer_(engine.record(), engine.bytes(), *loaded);
    return loaded;
  }
  Status check_record(const EngineRecord& record) const override {
    return check_recorded(record, environment().config, version_);
  }
  bool uses_gpu() const noexcept override { return device_of(environment().config) != "cpu"; }

 private:
  const RunBridge& bridge_;  // never unloaded
  std::string version_;
  EngineObserver observer_;
};

}  // namespace

Result<std::unique_ptr<InferenceRuntime>> create_runtime(RuntimeEnvironment environment) {
  SKUA_ASSIGN_OR_RETURN(const RunBridge* bridge, open_run_bridge(environment.config));
  return create_runtime_over(*bridge, std::move(environment), nullptr);
}

Result<std::unique_ptr<InferenceRuntime>> create_runtime_over(const RunBridge& bridge,
                                                              RuntimeEnvironment environment,
                                                              EngineObserver observer) {
  const RuntimeConfig& config = environment.config;
  SKUA_ASSIGN_OR_RETURN(TorchFacts facts, bridge.facts());
  SKUA_RETURN_IF_ERROR(check_device(facts, device_of(config)));
  SKUA_RETURN_IF_ERROR(bridge.fix_threads(config.intra_op_threads));
  return std::unique_ptr<InferenceRuntime>(std::make_unique<PytorchFp16Runtime>(
      std::move(environment), bridge, std::move(facts.version), std::move(observer)));
}

Result<SdkInfo> probe_sdk(const RuntimeConfig& config) {
  SKUA_ASSIGN_OR_RETURN(const RunBridge* bridge, open_run_bridge(config));
  SKUA_ASSIGN_OR_RETURN(const TorchFacts facts, bridge->facts());
  SdkInfo info;
  info.library_path = library_path(config).string();
  info.version = facts.version;
  info.providers = {"cpu"};
  if (facts.has_cuda) info.providers.push_back("cuda, devices: " + std::to_string(facts.cuda_devices));
  return info;
}

}  // namespace skua::pytorch
