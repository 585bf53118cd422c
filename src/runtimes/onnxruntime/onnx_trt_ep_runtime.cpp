#include "runtimes/onnxruntime/onnx_trt_ep_runtime.h"

#include <utility>

#include "cache/verified_engine.h"
#include "runtimes/onnxruntime/ort_engine.h"
#include "runtimes/onnxruntime/record_options.h"

namespace skua::ort {
namespace {

class OnnxTrtEpRuntime final : public InferenceRuntime {
 public:
  OnnxTrtEpRuntime(RuntimeEnvironment environment, std::shared_ptr<const OrtLibrary> library,
                   EngineObserver observer)
      : InferenceRuntime(std::move(environment), std::string(kRuntimeLabel)),
        library_(std::move(library)),
        observer_(std::move(observer)) {}

 protected:
  Result<std::unique_ptr<LoadedEngine>> deserialize(VerifiedEngine engine) override {
    SKUA_ASSIGN_OR_RETURN(auto loaded,
                          load_engine(library_, environment().config, engine.bytes(), engine.record()));
    if (observer_) observer_(engine.record(), *loaded);
    return loaded;
  }
  Status check_record(const EngineRecord& record) const override {
    return check_recorded(record, environment().config, library_->version());
  }
  bool uses_gpu() const noexcept override { return environment().config.execution_provider != "cpu"; }

 private:
  std::shared_ptr<const OrtLibrary> library_;
  EngineObserver observer_;
};

}  // namespace

Result<std::unique_ptr<InferenceRuntime>> create_runtime(RuntimeEnvironment environment) {
  return create_observed_runtime(std::move(environment), nullptr);
}

Result<std::unique_ptr<InferenceRuntime>> create_observed_runtime(RuntimeEnvironment environment,
                                                                  EngineObserver observer) {
  const RuntimeConfig& config = environment.config;
  SKUA_ASSIGN_OR_RETURN(auto library, OrtLibrary::open(library_path(config)));
  // Asks now, not at the first engine, whether the library has the provider at all.
  SKUA_ASSIGN_OR_RETURN([[maybe_unused]] const auto options,
                        make_options(*library, run_plan(config, {}), ErrorCode::kRuntimeNotAvailable));
  return std::unique_ptr<InferenceRuntime>(
      std::make_unique<OnnxTrtEpRuntime>(std::move(environment), std::move(library), std::move(observer)));
}

Result<SdkInfo> probe_sdk(const RuntimeConfig& config) {
  SKUA_ASSIGN_OR_RETURN(const auto library, OrtLibrary::open(library_path(config)));
  SdkInfo info;
  info.library_path = library->path().string();
  info.version = library->version();
  SKUA_ASSIGN_OR_RETURN(info.providers, library->providers());
  return info;
}

}  // namespace skua::ort
