#include "builder.h"

#include <csignal>

#include "host_memory.h"

namespace sil::infer {
namespace {

constexpr const char* kBuild = "IBuilder::buildSerializedNetwork";

void say_info(const ErrorSink& sink, const Plan& plan, std::size_t plan_bytes) {
  const auto info = [&sink](const std::string& text) { sink.log(Severity::kINFO, text); };
  info("Total Weights Memory: " + std::to_string(plan.model.size()) + " bytes");
  info("Total Activation Memory: " + std::to_string(plan.profiles.front().device_bytes) + " bytes");
  info("Max Scratch Memory: 0 bytes");
  for (const PlanTensor& tensor : plan.tensors) {
    sink.log(Severity::kVERBOSE,
             std::string(tensor.is_input ? "input " : "output ") + tensor.name + " " + text_of(tensor.dims));
  }
  info("Engine generation completed in 0 seconds.");
  info("sil: the plan has " + std::to_string(plan_bytes) + " bytes");
}

// By the signal itself: a sanitizer's handler would make an orderly end of it. What comes last is an error: a
// real one says what it knows, too.
void crash(const ErrorSink& sink) {
  sink.error(2, kBuild, "Assertion failed: sil is ordered to crash here.");
  std::signal(SIGSEGV, SIG_DFL);
  std::raise(SIGSEGV);
}

void corrupt_if_ordered(std::string& bytes) {
  if (sil::corrupts_plans()) bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 0x10);
}

// With the flag, a build that the cache has not seen fails; without, the cache learns it.
bool consult_timing_cache(const ErrorSink& sink, const Network& network, const BuilderConfig& config) {
  TimingCache* const cache = config.timing_cache();
  const std::string entry = timing_entry(network.model, config.level());
  const bool is_known = cache != nullptr && cache->has(entry);
  if (!is_known && config.has(nvinfer1::BuilderFlag::kERROR_ON_TIMING_CACHE_MISS)) {
    sink.error(10, kBuild, "Timing cache miss while kERROR_ON_TIMING_CACHE_MISS is set.");
    return false;
  }
  if (cache != nullptr && !config.has(nvinfer1::BuilderFlag::kDISABLE_TIMING_CACHE)) cache->add(entry);
  return true;
}

}  // namespace

Builder::~Builder() noexcept {
  if (share_->children == 0) return;
  share_->sink.error(
      3, "IBuilder::~IBuilder",
      "Destroying a builder object before destroying objects it created leads to undefined behavior.");
}

nvinfer1::IBuilderConfig* Builder::createBuilderConfig() noexcept {
  SIL_ENTER_TELLING(share_->sink, "IBuilder::createBuilderConfig", nullptr);
  return new BuilderConfig(share_);
}

nvinfer1::INetworkDefinition* Builder::createNetworkV2(
    nvinfer1::NetworkDefinitionCreationFlags flags) noexcept {
  constexpr const char* kWhere = "IBuilder::createNetworkV2";
  SIL_ENTER_TELLING(share_->sink, kWhere, nullptr);
  if (flags > 3) {
    share_->sink.error(3, kWhere, "Parameter check failed, condition: flags are known ones");
    return nullptr;
  }
  return new Network(share_, flags);
}

nvinfer1::IOptimizationProfile* Builder::createOptimizationProfile() noexcept {
  SIL_ENTER_TELLING(share_->sink, "IBuilder::createOptimizationProfile", nullptr);
  return &profiles_.emplace_back(share_->sink);
}

void Builder::setErrorRecorder(nvinfer1::IErrorRecorder* recorder) noexcept {
  SIL_ENTER_TELLING(share_->sink, "IBuilder::setErrorRecorder");
  share_->sink.set_recorder(recorder);
}

bool Builder::setMaxThreads(int32_t count) noexcept {
  constexpr const char* kWhere = "IBuilder::setMaxThreads";
  SIL_ENTER_TELLING(share_->sink, kWhere, false);
  if (count < 1) {
    share_->sink.error(3, kWhere, "Parameter check failed, condition: maxThreads > 0");
    return false;
  }
  max_threads_ = count;
  return true;
}

nvinfer1::IHostMemory* Builder::buildSerializedNetwork(nvinfer1::INetworkDefinition& definition,
                                                       nvinfer1::IBuilderConfig& configuration) noexcept {
  const ErrorSink& sink = share_->sink;
  flood_log(sink);
  if (sil::crashes_builder()) crash(sink);
  SIL_ENTER_TELLING(sink, kBuild, nullptr);
  const auto& network = static_cast<const Network&>(definition);
  const auto& config = static_cast<const BuilderConfig&>(configuration);
  Plan plan;
  Scales scales;
  if (!check_build(sink, network, config) || !find_scales(sink, network, config, scales)) return nullptr;
  if (!run_phases(config.monitor(), network.layers.size())) {
    sink.error(7, kBuild, "Build canceled by user", "BuildCanceled");
    return nullptr;
  }
  if (!consult_timing_cache(sink, network, config) || !make_plan(sink, network, config, scales, plan))
    return nullptr;
  std::string bytes = write_plan(plan);
  say_info(sink, plan, bytes.size());
  corrupt_if_ordered(bytes);
  return new HostMemory(std::move(bytes));
}

bool Builder::isNetworkSupported(nvinfer1::INetworkDefinition const& network,
                                 nvinfer1::IBuilderConfig const& config) const noexcept {
  SIL_ENTER_TELLING(share_->sink, "IBuilder::isNetworkSupported", false);
  return check_build(share_->sink, static_cast<const Network&>(network),
                     static_cast<const BuilderConfig&>(config));
}

}  // namespace sil::infer

// The version is not looked at.
extern "C" void* createInferBuilder_INTERNAL(void* logger, int32_t) noexcept {
  if (logger == nullptr || sil::injected_fault("createInferBuilder")) return nullptr;
  return static_cast<nvinfer1::IBuilder*>(new sil::infer::Builder(*static_cast<nvinfer1::ILogger*>(logger)));
}
