// What `libskua_bench_pytorch_fp16.so` exports; see runtime_module.cpp for the build id.
#include "skua_build_id.h"

#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "runtimes/pytorch/ground_bridges.h"
#include "runtimes/pytorch/pytorch_runtime.h"
#include "runtimes/pytorch/record_options.h"
#include "runtimes/pytorch/torch_library.h"
#include "runtimes/pytorch/torch_raw.h"

namespace skua::pytorch {
namespace {

struct Resident {
  std::vector<std::byte> archive;
  const LoadedEngine* engine;  ///< the runtime's
};

/// Remembers which engine belongs to which record. The runtime goes first: it refers to this object.
class TorchPairedRuntime final : public PairedRuntime {
 public:
  Status create(RuntimeEnvironment environment) {
    config_ = environment.config;
    SKUA_ASSIGN_OR_RETURN(bridge_, open_bench_bridge(config_));
    const auto remember = [this](const EngineRecord& record, std::span<const std::byte> archive,
                                 const LoadedEngine& engine) {
      const std::lock_guard lock(mutex_);
      residents_[record.engine_sha256.hex()] = {{archive.begin(), archive.end()}, &engine};
    };
    SKUA_ASSIGN_OR_RETURN(runtime_, create_runtime_over(bridge_->run, std::move(environment), remember));
    return {};
  }

  InferenceRuntime& runtime() noexcept override { return *runtime_; }

  Result<std::unique_ptr<RawSession>> raw_session(const EngineRecord& record) override {
    const std::lock_guard lock(mutex_);
    const auto found = residents_.find(record.engine_sha256.hex());
    if (found == residents_.end()) {
      return make_error(ErrorCode::kInvalidArgument, Reason::kUnknownName,
                        record.file + " is not resident in this runtime; load it first");
    }
    return bridge_->open_raw(found->second.archive, record, plan_of(record, config_), found->second.engine);
  }

 private:
  RuntimeConfig config_;
  const BenchBridge* bridge_ = nullptr;
  std::mutex mutex_;
  std::map<std::string, Resident> residents_;  ///< under mutex_
  std::unique_ptr<InferenceRuntime> runtime_;
};

Result<std::unique_ptr<PairedRuntime>> create_paired(RuntimeEnvironment environment) {
  auto paired = std::make_unique<TorchPairedRuntime>();
  SKUA_RETURN_IF_ERROR(paired->create(std::move(environment)));
  return std::unique_ptr<PairedRuntime>(std::move(paired));
}

/// A source model is single precision, and a program without Skua would run it so.
Result<std::unique_ptr<RawSession>> open_raw_session(const RuntimeConfig& config, const EngineRecord& record,
                                                     std::span<const std::byte> bytes, RawOrigin origin) {
  SKUA_ASSIGN_OR_RETURN(const BenchBridge* bridge, open_bench_bridge(config));
  SKUA_RETURN_IF_ERROR(bridge->run.fix_threads(config.intra_op_threads));
  RunPlan plan = plan_of(record, config);
  if (origin == RawOrigin::kSource) plan.arithmetic = Arithmetic::kFp32;
  return bridge->open_raw(bytes, record, plan, nullptr);
}

constexpr RawModule kModule = {sizeof(RawModule), SKUA_BUILD_ID, kRuntimeLabel.data(), &open_raw_session,
                               &create_paired};

}  // namespace
}  // namespace skua::pytorch

extern "C" __attribute__((visibility("default"))) const skua::RawModule* skua_bench_module() {
  return &skua::pytorch::kModule;
}
