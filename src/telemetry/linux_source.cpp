#include "telemetry/linux_source.h"

#include <utility>

namespace skua {
namespace {

constexpr double kHzPerMhz = 1e6, kKhzPerMhz = 1e3;

void add_parts(const std::vector<LabelledFile>& files, std::vector<OriginPart>& parts) {
  for (const LabelledFile& sensor : files) parts.push_back({sensor.file.path(), sensor.label});
}

std::string origin_of(const std::vector<LabelledFile>& files) {
  std::vector<OriginPart> parts;
  add_parts(files, parts);
  return origin_text(parts);
}

std::string origin_of(const std::vector<RisingCounter>& counters) {
  std::vector<OriginPart> parts;
  for (const RisingCounter& counter : counters) parts.push_back({counter.path(), ""});
  return origin_text(parts);
}

std::string origin_of(const std::vector<SysfsFile>& files, const std::string& label) {
  std::vector<OriginPart> parts;
  for (const SysfsFile& file : files) parts.push_back({file.path(), label});
  return origin_text(parts);
}

std::string both(const std::string& first, const std::string& second) {
  return first + (first.empty() || second.empty() ? "" : "; ") + second;
}

}  // namespace

LinuxSource::LinuxSource(LinuxSensors sensors) : SourceBase("linux"), sensors_(std::move(sensors)) {
  core_cause_ = add_cause("core_throttle_count");
  package_cause_ = add_cause("package_throttle_count");
  processor_cause_ = add_cause("Processor");
  name_origins();
}

void LinuxSource::name_origins() {
  std::vector<OriginPart> hottest;
  add_parts(sensors_.cpu, hottest);
  add_parts(sensors_.gpu, hottest);
  add_parts(sensors_.other, hottest);
  const std::string counters =
      both(origin_of(sensors_.core_throttles), origin_of(sensors_.package_throttles));
  set_origin(ThermalField::kThrottleEvents, counters);
  set_origin(ThermalField::kThrottle, both(counters, origin_of(sensors_.processors, "Processor")));
  set_origin(ThermalField::kCpuTemp, origin_of(sensors_.cpu));
  set_origin(ThermalField::kGpuTemp, origin_of(sensors_.gpu));
  set_origin(ThermalField::kHottestTemp, origin_text(hottest));
  set_origin(ThermalField::kCriticalTrip, origin_of(sensors_.critical));
  set_origin(ThermalField::kCpuClock, origin_of(sensors_.cpu_clocks, ""));
  if (sensors_.gpu_clock) set_origin(ThermalField::kGpuClock, sensors_.gpu_clock->path() + " (sclk)");
}

void LinuxSource::read(ThermalReading& reading) noexcept {
  reading = {};
  read_temperatures(reading);
  read_throttle(reading);
  read_clocks(reading);
}

void LinuxSource::read_temperatures(ThermalReading& reading) noexcept {
  Figure cpu, gpu, hottest, critical;
  for (LabelledFile& sensor : sensors_.cpu) keep_highest(cpu, read_temperature(sensor.file));
  for (LabelledFile& sensor : sensors_.gpu) keep_highest(gpu, read_temperature(sensor.file));
  for (LabelledFile& sensor : sensors_.other) keep_highest(hottest, read_temperature(sensor.file));
  for (LabelledFile& limit : sensors_.critical) keep_lowest(critical, read_limit(limit.file));
  keep_highest(hottest, cpu);
  keep_highest(hottest, gpu);
  put(reading, ThermalField::kCpuTemp, cpu);
  put(reading, ThermalField::kGpuTemp, gpu);
  put(reading, ThermalField::kHottestTemp, hottest);
  put(reading, ThermalField::kCriticalTrip, critical);
}

// A counter that rose since the last poll is a throttle within that period, even when it is over.
void LinuxSource::read_throttle(ThermalReading& reading) noexcept {
  Figure events{SensorProblem::kNone, 0.0}, throttle{SensorProblem::kNone, 0.0};
  const auto poll = [&](std::vector<RisingCounter>& counters, std::uint32_t cause) {
    for (RisingCounter& counter : counters) {
      const Figure count = counter.poll();
      events.value += count.value;
      if (!count.ok()) events.problem = count.problem;
      if (counter.last_rise() > 0) reading.throttle_causes |= cause;
    }
  };
  poll(sensors_.core_throttles, core_cause_);
  poll(sensors_.package_throttles, package_cause_);
  throttle.problem = sensors_.has_unknown_cooling ? SensorProblem::kMissing : events.problem;
  for (SysfsFile& file : sensors_.processors) {
    SensorValue state = file.read();
    if (state.ok() && state.value < 0) state = {SensorProblem::kImplausible};
    if (!state.ok()) throttle.problem = state.problem;
    if (state.ok() && state.value > 0) reading.throttle_causes |= processor_cause_;
  }
  if (reading.throttle_causes != 0) throttle = {SensorProblem::kNone, 1.0};
  put(reading, ThermalField::kThrottleEvents, events);
  put(reading, ThermalField::kThrottle, throttle);
}

void LinuxSource::read_clocks(ThermalReading& reading) noexcept {
  Figure cpu;
  for (SysfsFile& file : sensors_.cpu_clocks) keep_highest(cpu, read_clock(file, kKhzPerMhz));
  put(reading, ThermalField::kCpuClock, cpu);
  if (sensors_.gpu_clock) put(reading, ThermalField::kGpuClock, read_clock(*sensors_.gpu_clock, kHzPerMhz));
}

std::unique_ptr<ThermalSource> open_linux_source(const std::filesystem::path& root) {
  return std::make_unique<LinuxSource>(find_linux_sensors(root));
}

}  // namespace skua
