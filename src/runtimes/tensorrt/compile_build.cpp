// The route builder: TensorRT's builder in this process, which is a child of its own.
#include <algorithm>

#include "core/filesystem.h"
#include "runtimes/tensorrt/compile_builder.h"
#include "runtimes/tensorrt/compile_monitor.h"
#include "runtimes/tensorrt/compile_steps.h"
#include "runtimes/tensorrt/compile_timing.h"
#include "runtimes/tensorrt/trt_errors.h"
#include "runtimes/tensorrt/trt_logger.h"

namespace skua::tensorrt {
namespace {

using compile::build_error;
using HostMemory = std::unique_ptr<nvinfer1::IHostMemory>;
using TimingCache = std::unique_ptr<nvinfer1::ITimingCache>;

std::span<const std::byte> bytes_of(const nvinfer1::IHostMemory& memory) {
  return {static_cast<const std::byte*>(memory.data()), memory.size()};
}

/// Whether `cache` holds nothing, told by its bytes: TensorRT's answer is the same either way.
bool is_empty(const nvinfer1::IBuilderConfig& config, const nvinfer1::ITimingCache& cache) {
  const TimingCache fresh(config.createTimingCache(nullptr, 0));
  if (!fresh) return false;
  const HostMemory empty(fresh->serialize()), found(cache.serialize());
  if (!empty || !found) return false;
  const auto a = bytes_of(*empty), b = bytes_of(*found);
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

/// The cache must outlive the build. Without one (the device is absent, say) everything is measured again.
TimingCache set_timing_cache(CompileState& state, nvinfer1::IBuilderConfig& config) {
  const std::vector<std::byte> blob = find_timing_cache(state);
  TimingCache cache(config.createTimingCache(blob.empty() ? nullptr : blob.data(), blob.size()));
  if (cache && !blob.empty() && is_empty(config, *cache)) note_timing_cache_refused(state);
  constexpr bool kIgnoreMismatch = false;
  if (!cache || !config.setTimingCache(*cache, kIgnoreMismatch)) {
    state.record.proof["timing_cache"] = "none";
    state.recorder.clear();
    return nullptr;
  }
  return cache;
}

Status write_plan(const CompileState& state, const nvinfer1::IHostMemory& plan) {
  SKUA_ASSIGN_OR_RETURN(const auto folder, posix_file_system().open_folder(state.request.staging_dir));
  SKUA_ASSIGN_OR_RETURN(const auto file, folder->create(state.request.artifact_name));
  return file->write(bytes_of(plan));
}

Error build_failed(const CompileState& state, const BuildMonitor& monitor, const LogCapture& log) {
  const Reason stopped = monitor.stopped_for();
  if (stopped == Reason::kBuilderTimeout) {
    return build_error(stopped, "the build took longer than " +
                                    std::to_string(state.request.config.trtexec_timeout_s) +
                                    " s and was stopped; raise trtexec_timeout_s");
  }
  if (stopped == Reason::kCancelled)
    return build_error(stopped, "the build was cancelled; nothing was published");
  return translate(TrtContext::kCompile, state.recorder, "building " + state.request.artifact_name,
                   log.text());
}

}  // namespace

Status build_with_builder(CompileState& state) {
  nvinfer1::IBuilder& builder = *state.parsed.builder;
  nvinfer1::INetworkDefinition& network = *state.parsed.network;
  state.recorder.clear();
  SKUA_ASSIGN_OR_RETURN(const auto config, make_config(builder, network, state.options, state.recorder));
  const TimingCache cache = set_timing_cache(state, *config);
  BuildMonitor monitor(state.progress, state.stop);
  config->setProgressMonitor(&monitor);
  const LogCapture log;
  const HostMemory plan(builder.buildSerializedNetwork(network, *config));
  config->setProgressMonitor(nullptr);
  if (!plan || plan->data() == nullptr || plan->size() == 0) return build_failed(state, monitor, log);
  SKUA_RETURN_IF_ERROR(write_plan(state, *plan));
  if (!cache || is_empty(*config, *cache)) return {};  // nothing was measured
  const HostMemory measured(cache->serialize());
  return measured ? keep_timing_cache(state, bytes_of(*measured)) : Status();
}

}  // namespace skua::tensorrt
