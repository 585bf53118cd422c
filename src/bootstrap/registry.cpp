// The list of runtimes, and the only file that tests the BUILD_* flags.
#include <array>
#include <string>
#include <utility>

#include "inference/module_loader.h"
#include "skua/runtime_factory.h"
#include "skua_build_flags.h"

namespace skua {
namespace {

constexpr std::string_view kSwitchedOff = "switched off when Skua was built";

constexpr RuntimeEntry entry(std::string_view label, std::string_view build_flag, bool is_built) {
  return {label, build_flag, is_built, is_built ? "" : kSwitchedOff};
}

constexpr std::array kRuntimes{
    entry("tensorrt", "BUILD_TENSORRT_RUNTIME", BUILD_TENSORRT_RUNTIME != 0),
    entry("pytorch_fp16", "BUILD_PYTORCH_FP16_RUNTIME", BUILD_PYTORCH_FP16_RUNTIME != 0),
    entry("onnx_trt_ep", "BUILD_ONNX_TRT_EP_RUNTIME", BUILD_ONNX_TRT_EP_RUNTIME != 0),
};

Error not_available(Reason reason, std::string message) {
  return make_error(ErrorCode::kRuntimeNotAvailable, reason, std::move(message));
}

/// A flight goes on without thermal sensors (the poller has told so); it does not start with a wrong
/// configuration.
Status start_airborne_telemetry(InferenceRuntime& runtime, Role role) {
  if (role != Role::kAirborne) return {};
  Status started = runtime.start_telemetry();
  if (!started.ok() && started.error().code == ErrorCode::kTelemetryUnavailable) return {};
  return started;
}

void tell_built(const InferenceRuntime& runtime, Role role, EventSink& events) {
  const std::string label(runtime.current_runtime_label());
  const std::string name = role == Role::kAirborne ? "airborne" : "ground";
  events.emit({Level::kInfo,
               "c7.runtime_built",
               "runtime " + label + " constructed, " + name,
               {{"runtime", label}, {"role", name}}});
}

std::string known_labels() {
  std::string labels;
  for (const RuntimeEntry& entry : kRuntimes)
    labels += (labels.empty() ? "" : ", ") + std::string(entry.label);
  return labels;
}

}  // namespace

std::span<const RuntimeEntry> runtime_registry() noexcept { return kRuntimes; }

Result<const RuntimeEntry*> find_built_runtime(std::string_view label) {
  for (const RuntimeEntry& entry : kRuntimes) {
    if (entry.label != label) continue;
    if (entry.is_built) return &entry;
    return not_available(Reason::kRuntimeNotBuilt, "the runtime " + std::string(label) + " was " +
                                                       std::string(entry.reason) + ": build Skua with -D" +
                                                       std::string(entry.build_flag) +
                                                       "=ON, or configure another runtime");
  }
  return not_available(Reason::kRuntimeUnknown, "no runtime is called '" + std::string(label) +
                                                    "'; expected one of: " + known_labels());
}

Status resolve_defaults(RuntimeConfig& config) {
  SKUA_ASSIGN_OR_RETURN([[maybe_unused]] const RuntimeEntry* entry, find_built_runtime(config.runtime));
  SKUA_RETURN_IF_ERROR(config.validate());
  SKUA_ASSIGN_OR_RETURN(const RuntimeModule* module, open_runtime_module(config.runtime));
  module->resolve(config);
  return {};
}

Result<std::unique_ptr<InferenceRuntime>> build_inference_runtime(RuntimeEnvironment environment) {
  SKUA_RETURN_IF_ERROR(resolve_defaults(environment.config));
  SKUA_ASSIGN_OR_RETURN(const RuntimeModule* module, open_runtime_module(environment.config.runtime));
  const Role role = environment.role;
  EventSink& events = *environment.events;
  SKUA_ASSIGN_OR_RETURN(std::unique_ptr<InferenceRuntime> runtime, module->create(std::move(environment)));
  SKUA_RETURN_IF_ERROR(start_airborne_telemetry(*runtime, role));
  tell_built(*runtime, role, events);
  return runtime;
}

}  // namespace skua
