#include "telemetry/nvml_api.h"

#include <dlfcn.h>

#include "core/text.h"

namespace skua {
namespace {

template <typename Function>
bool find(void* library, const char* name, Function& into) noexcept {
  into = reinterpret_cast<Function>(::dlsym(library, name));
  return into != nullptr;
}

// The name of the first required function that is missing; empty when all are there.
std::string_view find_required(void* library, NvmlApi& api) noexcept {
  if (!find(library, "nvmlInit_v2", api.init)) return "nvmlInit_v2";
  if (!find(library, "nvmlShutdown", api.shutdown)) return "nvmlShutdown";
  if (!find(library, "nvmlErrorString", api.error_string)) return "nvmlErrorString";
  if (!find(library, "nvmlDeviceGetCount_v2", api.device_count)) return "nvmlDeviceGetCount_v2";
  if (!find(library, "nvmlDeviceGetHandleByIndex_v2", api.device_by_index))
    return "nvmlDeviceGetHandleByIndex_v2";
  if (!find(library, "nvmlDeviceGetName", api.device_name)) return "nvmlDeviceGetName";
  return {};
}

void find_optional(void* library, NvmlApi& api) noexcept {
  find(library, "nvmlDeviceGetTemperature", api.temperature);
  find(library, "nvmlDeviceGetTemperatureV", api.temperature_v);
  find(library, "nvmlDeviceGetTemperatureThreshold", api.temperature_threshold);
  find(library, "nvmlDeviceGetClockInfo", api.clock);
  find(library, "nvmlDeviceGetMaxClockInfo", api.max_clock);
  for (const char* name :
       {"nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"}) {
    if (api.event_reasons == nullptr && find(library, name, api.event_reasons)) api.event_reasons_name = name;
  }
  for (const char* name :
       {"nvmlDeviceGetSupportedClocksEventReasons", "nvmlDeviceGetSupportedClocksThrottleReasons"}) {
    if (api.supported_event_reasons == nullptr) find(library, name, api.supported_event_reasons);
  }
}

}  // namespace

Result<NvmlApi> load_nvml(const std::vector<std::string>& libraries) {
  std::string tried;
  for (const std::string& name : libraries) {
    void* library = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    NvmlApi api;
    api.library = name;
    if (library != nullptr && find_required(library, api).empty()) {
      find_optional(library, api);
      return api;
    }
    const char* text = library == nullptr ? ::dlerror() : nullptr;
    tried += (tried.empty() ? "" : "; ") + name + ": ";
    tried += library != nullptr ? "has no " + std::string(find_required(library, api))
                                : quote(text != nullptr ? text : "cannot be loaded", 200);
  }
  return make_error(ErrorCode::kTelemetryUnavailable, Reason::kTelemetryUnavailable,
                    "nvml: no NVML library (" + (tried.empty() ? "none was named" : tried) + ")");
}

}  // namespace skua
