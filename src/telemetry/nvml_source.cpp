#include "telemetry/nvml_source.h"

#include <array>
#include <utility>

#include "core/text.h"

namespace skua {
namespace {

constexpr unsigned long long kThermalReasons = nvml::kSwThermalSlowdown | nvml::kHwThermalSlowdown;

constexpr double kHighestClockMhz = 100000.0;

constexpr std::array<NvmlSource::Query, 6> kQueries = {{
    {ThermalField::kGpuTemp, "nvmlDeviceGetTemperature", kLowestPlausibleC, kHighestPlausibleC},
    {ThermalField::kPassiveTrip, "nvmlDeviceGetTemperatureThreshold slowdown", 1.0, kHighestPlausibleC},
    {ThermalField::kCriticalTrip, "nvmlDeviceGetTemperatureThreshold shutdown", 1.0, kHighestPlausibleC},
    {ThermalField::kGpuClock, "nvmlDeviceGetClockInfo", 1.0, kHighestClockMhz},
    {ThermalField::kGpuClockMax, "nvmlDeviceGetMaxClockInfo", 1.0, kHighestClockMhz},
    {ThermalField::kThrottle, "", 0.0, static_cast<double>(kThermalReasons)},
}};

bool is_unsupported(nvml::Return code) noexcept {
  return code == nvml::kNotSupported || code == nvml::kFunctionNotFound;
}

Error unavailable(const NvmlApi& api, const std::string& call, nvml::Return code) {
  const char* text = api.error_string(code);
  return make_error(
      ErrorCode::kTelemetryUnavailable, Reason::kTelemetryUnavailable,
      "nvml: " + call + " of " + api.library + " failed: " + quote(text != nullptr ? text : "", 200), code);
}

}  // namespace

NvmlSource::NvmlSource(NvmlApi api) : SourceBase("nvml"), api_(std::move(api)) {
  sw_cause_ = add_cause("sw_thermal_slowdown");
  hw_cause_ = add_cause("hw_thermal_slowdown");
}

NvmlSource::~NvmlSource() { api_.shutdown(); }

Result<std::unique_ptr<ThermalSource>> NvmlSource::open(const std::vector<std::string>& libraries) {
  SKUA_ASSIGN_OR_RETURN(NvmlApi api, load_nvml(libraries));
  const nvml::Return started = api.init();
  if (started != nvml::kSuccess) return unavailable(api, "nvmlInit_v2", started);
  std::unique_ptr<NvmlSource> source(new NvmlSource(std::move(api)));
  SKUA_RETURN_IF_ERROR(source->find_device());
  source->probe();
  return std::unique_ptr<ThermalSource>(std::move(source));
}

Status NvmlSource::find_device() {
  unsigned int count = 0;
  const nvml::Return counted = api_.device_count(&count);
  if (counted != nvml::kSuccess) return unavailable(api_, "nvmlDeviceGetCount_v2", counted);
  if (count == 0) {
    return make_error(ErrorCode::kTelemetryUnavailable, Reason::kTelemetryUnavailable,
                      "nvml: " + api_.library + " knows no GPU; expected at least one");
  }
  const nvml::Return found = api_.device_by_index(0, &device_);
  if (found != nvml::kSuccess) return unavailable(api_, "nvmlDeviceGetHandleByIndex_v2", found);
  std::array<char, 97> name{};  // NVML_DEVICE_NAME_V2_BUFFER_SIZE 96, and a NUL of our own
  const bool is_named = api_.device_name(device_, name.data(), name.size() - 1) == nvml::kSuccess;
  device_text_ = " (GPU 0: " + (is_named ? quote(name.data()) : std::string("no name")) + ")";
  return {};
}

NvmlSource::Answer NvmlSource::temperature() const noexcept {
  if (api_.temperature != nullptr) {
    unsigned int celsius = 0;
    const nvml::Return code = api_.temperature(device_, nvml::kTemperatureGpu, &celsius);
    return {code, static_cast<double>(celsius)};
  }
  if (api_.temperature_v == nullptr) return {};
  nvml::TemperatureV1 answer{nvml::kTemperatureV1, nvml::kTemperatureGpu, 0};
  const nvml::Return code = api_.temperature_v(device_, &answer);
  return {code, static_cast<double>(answer.temperature)};
}

NvmlSource::Answer NvmlSource::threshold(int which) const noexcept {
  if (api_.temperature_threshold == nullptr) return {};
  unsigned int celsius = 0;
  const nvml::Return code = api_.temperature_threshold(device_, which, &celsius);
  return {code, static_cast<double>(celsius)};
}

NvmlSource::Answer NvmlSource::clock(bool is_max) const noexcept {
  const auto call = is_max ? api_.max_clock : api_.clock;
  if (call == nullptr) return {};
  unsigned int mhz = 0;
  const nvml::Return code = call(device_, nvml::kClockGraphics, &mhz);
  return {code, static_cast<double>(mhz)};
}

NvmlSource::Answer NvmlSource::thermal_reasons() const noexcept {
  if (api_.event_reasons == nullptr) return {};
  unsigned long long reasons = 0;
  const nvml::Return code = api_.event_reasons(device_, &reasons);
  return {code, static_cast<double>(reasons & kThermalReasons)};
}

NvmlSource::Answer NvmlSource::call(ThermalField field) const noexcept {
  if (field == ThermalField::kGpuTemp) return temperature();
  if (field == ThermalField::kPassiveTrip) return threshold(nvml::kThresholdSlowdown);
  if (field == ThermalField::kCriticalTrip) return threshold(nvml::kThresholdShutdown);
  if (field == ThermalField::kThrottle) return thermal_reasons();
  return clock(field == ThermalField::kGpuClockMax);
}

// A GPU that can never name heat as a reason would always say "no throttle".
bool NvmlSource::can_name_heat() const noexcept {
  unsigned long long supported = 0;
  const bool is_known = api_.supported_event_reasons != nullptr &&
                        api_.supported_event_reasons(device_, &supported) == nvml::kSuccess;
  return !is_known || (supported & kThermalReasons) != 0;
}

void NvmlSource::probe() {
  for (const Query& query : kQueries) {
    if (query.field == ThermalField::kThrottle && !can_name_heat()) continue;
    if (is_unsupported(call(query.field).code)) continue;
    std::string name = query.name;
    if (query.field == ThermalField::kThrottle) name = api_.event_reasons_name;
    if (query.field == ThermalField::kGpuTemp && api_.temperature == nullptr) name += "V";
    set_origin(query.field, name + device_text_);
  }
  if (!is_supported(ThermalField::kGpuTemp)) return;
  set_origin(ThermalField::kHottestTemp, std::string(origin(ThermalField::kGpuTemp)));
  if (is_supported(ThermalField::kPassiveTrip)) {
    set_origin(ThermalField::kLimitReached, std::string(origin(ThermalField::kPassiveTrip)));
  }
}

Figure NvmlSource::ask(const Query& query) const noexcept {
  const Answer answer = call(query.field);
  if (answer.code != nvml::kSuccess) return {SensorProblem::kCallFailed};
  const bool is_plausible = answer.value >= query.lowest && answer.value <= query.highest;
  return {is_plausible ? SensorProblem::kNone : SensorProblem::kImplausible, answer.value};
}

void NvmlSource::read(ThermalReading& reading) noexcept {
  reading = {};
  Figure temperature, slowdown;
  for (const Query& query : kQueries) {
    if (!is_supported(query.field)) continue;
    Figure figure = ask(query);
    if (query.field == ThermalField::kGpuTemp) temperature = figure;
    if (query.field == ThermalField::kPassiveTrip) slowdown = figure;
    if (query.field == ThermalField::kThrottle && figure.ok()) {
      const auto reasons = static_cast<unsigned long long>(figure.value);
      if ((reasons & nvml::kSwThermalSlowdown) != 0) reading.throttle_causes |= sw_cause_;
      if ((reasons & nvml::kHwThermalSlowdown) != 0) reading.throttle_causes |= hw_cause_;
      figure.value = reasons != 0 ? 1.0 : 0.0;
    }
    put(reading, query.field, figure);
  }
  put(reading, ThermalField::kHottestTemp, temperature);
  const SensorProblem problem = temperature.ok() ? slowdown.problem : temperature.problem;
  put(reading, ThermalField::kLimitReached, {problem, temperature.value >= slowdown.value ? 1.0 : 0.0});
}

}  // namespace skua
