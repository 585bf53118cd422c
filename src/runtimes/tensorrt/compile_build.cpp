// The route builder: TensorRT's builder in this process, which is a child of its own.
#include "core/filesystem.h"
#include "runtimes/tensorrt/compile_builder.h"
#include "runtimes/tensorrt/compile_monitor.h"
#include "runtimes/tensorrt/compile_steps.h"
#include "runtimes/tensorrt/compile_timing.h"
#include "runtimes/tensorrt/trt_errors.h"
#include "runtimes/tensorrt/trt_logger.h"

namespace skua::tensorrt {
namespace {

using HostMemory = std::unique_ptr<nvinfer1::IHostMemory>;
using TimingCache = std::unique_ptr<nvinfer1::ITimingCache>;

std::span<const std::byte> bytes_of(const nvinfer1::IHostMemory& memory) {
  return {static_cast<const std::byte*>(memory.data()), memory.size()};
}

bool is_empty(const nvinfer1::IBuilderConfig& config, const nvinfer1::ITimingCache& cache) {
  const HostMemory found(cache.serialize());
  return found && is_empty_timing_cache(config, bytes_of(*found));
}

/// The cache must outlive the build. Without one (the device is absent, say) everything is measured again.
TimingCache set_timing_cache(CompileState& state, nvinfer1::IBuilderConfig& config) {
  const std::vector<std::byte> blob = find_timing_cache(state);
  TimingCache cache(config.createTimingCache(blob.empty() ? nullptr : blob.data(), blob.size()));
  constexpr bool kIgnoreMismatch = false;
  if (!cache || !config.setTimingCache(*cache, kIgnoreMismatch)) {
    state.record.proof["timing_cache"] = "none";
    state.recorder.clear();
    return nullptr;
  }
  if (blob.empty()) return cache;
  is_empty(config, *cache) ? note_timing_cache_refused(state) : note_timing_cache_used(state);
  return cache;
}

Status write_plan(const CompileState& state, const nvinfer1::IHostMemory& plan) {
  SKUA_ASSIGN_OR_RETURN(const auto folder, posix_file_system().open_folder(state.request.staging_dir));
  SKUA_ASSIGN_OR_RETURN(const auto file, folder->create(state.request.artifact_name));
  return file->write(bytes_of(plan));
}

/// Nothing where the ranges stand in the graph: TensorRT would ignore a calibrator there, with a warning.
Result<std::unique_ptr<Calibrator>> make_calibrator(CompileState& state) {
  if (state.options.ranges != RangeSource::kCache && state.options.ranges != RangeSource::kSamples)
    return std::unique_ptr<Calibrator>();
  CalibratorSetup setup;
  setup.algorithm = state.calibration.algorithm;
  setup.activations = activation_tensors(*state.parsed.network);
  setup.cache = state.calibration.cache;
  setup.samples = state.calibration.samples.get();
  setup.progress = &state.progress;
  setup.check_stop = [&state] {
    const Reason reason = state.stop.reason();
    return reason == Reason::kNone ? Status() : Status(stop_error(state, reason));
  };
  for (const ModelTensor& input : state.contract.inputs) {
    Shape shape = input.spec.shape;
    for (const OptimizationProfile& profile : state.options.profiles) {
      if (profile.input_name == input.spec.name) shape = profile.opt;
    }
    setup.inputs.push_back({input.spec.name, input.spec.dtype, shape});
  }
  return Calibrator::make(std::make_shared<DeviceState>(null_event_sink()), std::move(setup));
}

/// The text that the plan's scales are from.
Status settle_calibration(CompileState& state, const Calibrator& calibrator) {
  SKUA_ASSIGN_OR_RETURN(state.calibration.used, calibrator.finish());
  if (state.options.ranges == RangeSource::kSamples)
    state.record.proof["calibration_samples"] = std::to_string(state.calibration.samples->count());
  return {};
}

Error build_failed(const CompileState& state, const BuildMonitor& monitor, const LogCapture& log) {
  const Reason stopped = monitor.stopped_for();
  if (stopped != Reason::kNone) return stop_error(state, stopped);
  Error error =
      translate(TrtContext::kCompile, state.recorder, "building " + state.request.artifact_name, log.text());
  if (error.message.find("within workspace limit") != std::string::npos)
    error.message += "; raise workspace_mb, which is " + std::to_string(state.request.build.workspace_mb);
  return error;
}

}  // namespace

Status build_with_builder(CompileState& state) {
  nvinfer1::IBuilder& builder = *state.parsed.builder;
  nvinfer1::INetworkDefinition& network = *state.parsed.network;
  state.recorder.clear();
  SKUA_ASSIGN_OR_RETURN(const auto config, make_config(builder, network, state.options, state.recorder));
  SKUA_ASSIGN_OR_RETURN(const auto calibrator, make_calibrator(state));
  if (calibrator) {
    SKUA_RETURN_IF_ERROR(calibrator->attach(builder, *config, state.options.profiles, state.recorder));
  }
  const TimingCache cache = set_timing_cache(state, *config);
  BuildMonitor monitor(state.progress, state.stop);
  config->setProgressMonitor(&monitor);
  const LogCapture log;
  const HostMemory plan(builder.buildSerializedNetwork(network, *config));
  config->setProgressMonitor(nullptr);
  if (calibrator) SKUA_RETURN_IF_ERROR(calibrator->status());
  if (!plan || plan->data() == nullptr || plan->size() == 0) return build_failed(state, monitor, log);
  if (calibrator) SKUA_RETURN_IF_ERROR(settle_calibration(state, *calibrator));
  SKUA_RETURN_IF_ERROR(write_plan(state, *plan));
  if (!cache) return {};
  const HostMemory measured(cache->serialize());
  return measured ? keep_timing_cache(state, bytes_of(*measured)) : Status();
}

}  // namespace skua::tensorrt
