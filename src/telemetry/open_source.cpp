#include <array>
#include <utility>

#include "core/text.h"
#include "telemetry/jetson_source.h"
#include "telemetry/linux_source.h"
#include "telemetry/null_source.h"
#include "telemetry/nvml_source.h"
#include "telemetry/replay_source.h"

namespace skua {
namespace {

using Opened = Result<std::unique_ptr<ThermalSource>>;

constexpr std::array<std::string_view, 3> kAutomatic = {"jetson_sysfs", "nvml", "linux"};

Error unavailable(std::string message) {
  return make_error(ErrorCode::kTelemetryUnavailable, Reason::kTelemetryUnavailable, std::move(message));
}

// A library may load, or a machine look right, without one sensor that answers.
bool answers(const ThermalReading& reading) noexcept {
  for (const auto field : {ThermalField::kCpuTemp, ThermalField::kGpuTemp, ThermalField::kHottestTemp,
                           ThermalField::kThrottle}) {
    if (reading[field].status == FieldStatus::kValue) return true;
  }
  return false;
}

std::string fields_of(const ThermalSource& source, const ThermalReading& reading) {
  std::string text;
  for (const auto field : {ThermalField::kCpuTemp, ThermalField::kGpuTemp, ThermalField::kHottestTemp,
                           ThermalField::kThrottle}) {
    if (source.origin(field).empty()) continue;
    text += (text.empty() ? "" : "; ") + std::string(source.origin(field)) + " " +
            std::string(reading[field].problem);
  }
  return text.empty() ? "nothing was found" : text;
}

Opened open_sensors(std::string_view name, const ThermalSourceOptions& options) {
  Opened source = name == "jetson_sysfs" ? open_jetson_source(options.root)
                  : name == "nvml"       ? NvmlSource::open(options.nvml_libraries)
                                         : Opened(open_linux_source(options.root));
  if (!source.ok()) return source;
  ThermalReading reading;
  (*source)->read(reading);
  if (answers(reading)) return source;
  const std::string sought = name == "nvml" ? "the first GPU of NVML" : (options.root / "sys").string();
  return unavailable(std::string(name) + ": " + sought +
                     " gives neither a temperature nor a throttle state; expected at least one: " +
                     fields_of(**source, reading));
}

Opened open_automatic(const ThermalSourceOptions& options) {
  std::string tried;
  for (const std::string_view name : kAutomatic) {
    Opened source = open_sensors(name, options);
    if (source.ok()) return source;
    tried += (tried.empty() ? "" : " | ") + source.error().message;
  }
  return unavailable("no thermal source answers; tried in this order: " + tried +
                     ". Name a source with thermal_source, or `null` to fly without");
}

}  // namespace

Opened open_thermal_source(const ThermalSourceOptions& options) {
  const std::string& name = options.source;
  if (name == "auto") return open_automatic(options);
  if (name == "null") return std::unique_ptr<ThermalSource>(std::make_unique<NullSource>());
  if (name == "replay") return ReplaySource::open(options.replay);
  for (const std::string_view known : kAutomatic) {
    if (name != known) continue;
    Opened source = open_sensors(name, options);
    if (source.ok()) return source;
    return unavailable(source.error().message +
                       ". Set thermal_source to auto, or to a source that this machine has");
  }
  return make_error(
      ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
      "thermal_source is " + quote(name) + "; expected auto, jetson_sysfs, nvml, linux, replay or null");
}

}  // namespace skua
