#include "telemetry/jetson_source.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace skua {
namespace {

constexpr double kHzPerMhz = 1e6, kKhzPerMhz = 1e3;

bool is_processor(const JetsonZone& zone) {
  return zone.kind == JetsonZoneKind::kCpu || zone.kind == JetsonZoneKind::kGpu;
}

// How often an alert was engaged, from its transitions: it goes from 0 to 1 and back, so every second one is
// an entry; the first one is if it was not engaged at the start.
double entries_of(double transitions, bool was_engaged) noexcept {
  return std::floor((transitions + (was_engaged ? 0.0 : 1.0)) / 2.0);
}

}  // namespace

JetsonSource::JetsonSource(JetsonSensors sensors) : SourceBase("jetson_sysfs"), sensors_(std::move(sensors)) {
  for (const JetsonZone& zone : sensors_.zones) has_tj_ = has_tj_ || zone.kind == JetsonZoneKind::kTj;
  for (JetsonCooling& device : sensors_.cooling) device.cause = add_cause(device.type);
  name_origins();
  name_throttle_origins();
}

void JetsonSource::name_origins() {
  std::vector<OriginPart> cpu, gpu, hottest, limits, passive, critical, cpu_clock;
  for (const JetsonZone& zone : sensors_.zones) {
    const OriginPart temp{zone.temp.path(), zone.type};
    if (zone.kind == JetsonZoneKind::kCpu) cpu.push_back(temp);
    if (zone.kind == JetsonZoneKind::kGpu) gpu.push_back(temp);
    if (!has_tj_ || zone.kind == JetsonZoneKind::kTj) hottest.push_back(temp);
    for (const SysfsFile& trip : zone.passive) {
      limits.push_back({trip.path(), zone.type});
      if (is_processor(zone)) passive.push_back({trip.path(), zone.type});
    }
    for (const SysfsFile& trip : zone.critical) {
      if (is_processor(zone)) critical.push_back({trip.path(), zone.type});
    }
  }
  for (const SysfsFile& file : sensors_.cpu_clocks) cpu_clock.push_back({file.path(), ""});
  set_origin(ThermalField::kCpuTemp, origin_text(cpu));
  set_origin(ThermalField::kGpuTemp, origin_text(gpu));
  set_origin(ThermalField::kHottestTemp, origin_text(hottest));
  set_origin(ThermalField::kLimitReached, origin_text(limits));
  set_origin(ThermalField::kPassiveTrip, origin_text(passive));
  set_origin(ThermalField::kCriticalTrip, origin_text(critical));
  set_origin(ThermalField::kCpuClock, origin_text(cpu_clock));
  if (sensors_.gpu_clock) set_origin(ThermalField::kGpuClock, sensors_.gpu_clock->path());
  if (sensors_.gpu_clock_max) set_origin(ThermalField::kGpuClockMax, sensors_.gpu_clock_max->path());
}

void JetsonSource::name_throttle_origins() {
  std::vector<OriginPart> throttle, events, over_current;
  for (const JetsonCooling& device : sensors_.cooling) throttle.push_back({device.state.path(), device.type});
  for (const JetsonTransitions& alert : sensors_.transitions) {
    events.push_back({alert.counter.path(), "every second transition of an alert"});
  }
  for (const RisingCounter& counter : sensors_.over_current)
    over_current.push_back({counter.path(), "soctherm_oc"});
  set_origin(ThermalField::kThrottle, origin_text(throttle));
  set_origin(ThermalField::kThrottleEvents, origin_text(events));
  set_origin(ThermalField::kOverCurrentEvents, origin_text(over_current));
}

void JetsonSource::read(ThermalReading& reading) noexcept {
  reading = {};
  read_zones(reading);
  read_throttle(reading);
  read_counters(reading);
  read_clocks(reading);
}

void JetsonSource::read_zones(ThermalReading& reading) noexcept {
  Figure cpu, gpu, hottest, passive, critical, reached;
  for (JetsonZone& zone : sensors_.zones) {
    const Figure temp = read_temperature(zone.temp);
    if (zone.kind == JetsonZoneKind::kCpu) keep_highest(cpu, temp);
    if (zone.kind == JetsonZoneKind::kGpu) keep_highest(gpu, temp);
    if (!has_tj_ || zone.kind == JetsonZoneKind::kTj) keep_highest(hottest, temp);
    for (SysfsFile& file : zone.passive) {
      const Figure trip = read_limit(file);
      if (is_processor(zone)) keep_lowest(passive, trip);
      // A zone that is powered down has no temperature, and is at no limit.
      const bool is_judged = temp.ok() && trip.ok();
      const Figure verdict{is_judged   ? SensorProblem::kNone
                           : temp.ok() ? trip.problem
                                       : temp.problem,
                           is_judged && temp.value >= trip.value ? 1.0 : 0.0};
      keep_highest(reached, verdict);
    }
    for (SysfsFile& file : zone.critical) {
      if (is_processor(zone)) keep_lowest(critical, read_limit(file));
    }
  }
  put(reading, ThermalField::kCpuTemp, cpu);
  put(reading, ThermalField::kGpuTemp, gpu);
  put(reading, ThermalField::kHottestTemp, hottest);
  put(reading, ThermalField::kLimitReached, reached);
  put(reading, ThermalField::kPassiveTrip, passive);
  put(reading, ThermalField::kCriticalTrip, critical);
}

// Any device above 0: yes. Every one readable and at 0, and alerts among them: no. Else unknown: what cannot
// be read may be engaged, a device that does not say what it is may be an alert, and the GPU's cap alone says
// nothing of the CPU.
void JetsonSource::read_throttle(ThermalReading& reading) noexcept {
  Figure throttle{SensorProblem::kNone, 0.0};
  bool has_alert = false;
  for (JetsonCooling& device : sensors_.cooling) {
    SensorValue state = device.state.read();
    if (state.ok() && state.value < 0) state = {SensorProblem::kImplausible};
    has_alert = has_alert || device.is_alert;
    if (state.ok() && state.value > 0) reading.throttle_causes |= device.cause;
    if (!state.ok()) throttle = {state.problem, 0.0};
  }
  if (!has_alert || sensors_.has_unknown_cooling) throttle = {SensorProblem::kMissing, 0.0};
  if (reading.throttle_causes != 0) throttle = {SensorProblem::kNone, 1.0};
  put(reading, ThermalField::kThrottle, throttle);
}

void JetsonSource::read_counters(ThermalReading& reading) noexcept {
  Figure throttles{SensorProblem::kNone, 0.0}, over_current{SensorProblem::kNone, 0.0};
  for (JetsonTransitions& alert : sensors_.transitions) {
    const Figure count = alert.counter.poll();
    throttles.value += entries_of(count.value, alert.was_engaged);
    if (!count.ok()) throttles.problem = count.problem;
  }
  for (RisingCounter& counter : sensors_.over_current) {
    const Figure count = counter.poll();
    over_current.value += count.value;
    if (!count.ok()) over_current.problem = count.problem;
  }
  put(reading, ThermalField::kThrottleEvents, throttles);
  put(reading, ThermalField::kOverCurrentEvents, over_current);
}

void JetsonSource::read_clocks(ThermalReading& reading) noexcept {
  Figure cpu;
  for (SysfsFile& file : sensors_.cpu_clocks) keep_highest(cpu, read_clock(file, kKhzPerMhz));
  put(reading, ThermalField::kCpuClock, cpu);
  if (sensors_.gpu_clock) put(reading, ThermalField::kGpuClock, read_clock(*sensors_.gpu_clock, kHzPerMhz));
  if (sensors_.gpu_clock_max) {
    put(reading, ThermalField::kGpuClockMax, read_clock(*sensors_.gpu_clock_max, kHzPerMhz));
  }
}

Result<std::unique_ptr<ThermalSource>> open_jetson_source(const std::filesystem::path& root) {
  JetsonSensors sensors = find_jetson_sensors(root);
  if (!sensors.is_jetson) {
    return make_error(
        ErrorCode::kTelemetryUnavailable, Reason::kTelemetryUnavailable,
        "jetson_sysfs: " + (root / "sys").string() +
            " is no Jetson's: expected a thermal zone tj-thermal, a cooling device *-throttle-alert, "
            "a hwmon soctherm_oc or the GPU's devfreq node; found none");
  }
  return std::unique_ptr<ThermalSource>(std::make_unique<JetsonSource>(std::move(sensors)));
}

}  // namespace skua
