#include "telemetry/monitor.h"

#include <cmath>
#include <limits>
#include <utility>

namespace skua {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::int64_t kPeriodsUntilStale = 2;
constexpr std::int64_t kPeriodsUntilLost = 3;

float celsius_of(const FieldReading& field) {
  if (field.status != FieldStatus::kValue) return std::numeric_limits<float>::quiet_NaN();
  return static_cast<float>(field.value);
}

std::int32_t clock_of(const ThermalReading& reading) {
  const FieldReading& gpu = reading[ThermalField::kGpuClock];
  const FieldReading& clock =
      gpu.status == FieldStatus::kUnsupported ? reading[ThermalField::kCpuClock] : gpu;
  return clock.status == FieldStatus::kValue ? static_cast<std::int32_t>(std::lround(clock.value)) : 0;
}

ThermalStatus status_of(const ThermalState& state) {
  if (!state.is_telemetry_available) return ThermalStatus::kUnavailable;
  return state.thermal_throttle_active ? ThermalStatus::kThrottled : ThermalStatus::kNormal;
}

std::string_view sentence_of(ThermalStatus previous, ThermalStatus status) {
  if (status == ThermalStatus::kThrottled) return "C7 thermal throttle active";
  if (status == ThermalStatus::kUnavailable) return "C7 thermal telemetry lost";
  return previous == ThermalStatus::kThrottled ? "C7 thermal throttle ended"
                                               : "C7 thermal telemetry regained";
}

std::string temperature_text(float celsius) {
  return std::isnan(celsius) ? std::string("unknown") : std::to_string(std::lround(celsius)) + "C";
}

std::string clock_text(std::int32_t mhz) {
  return mhz == 0 ? std::string("unknown") : std::to_string(mhz) + "mhz";
}

/// What holds a clock down, or why that is not known.
std::string cause_of(const ThermalReading& reading, const ThermalSource& source) {
  const FieldReading& throttle = reading[ThermalField::kThrottle];
  if (throttle.status == FieldStatus::kUnsupported) return "this source has no throttle sensor";
  if (throttle.status != FieldStatus::kValue) {
    return std::string(source.origin(ThermalField::kThrottle)) + " " + std::string(throttle.problem);
  }
  std::string text;
  for (const std::string_view cause : causes_of(reading, source)) {
    text += (text.empty() ? "" : ", ") + std::string(cause);
  }
  return text;
}

}  // namespace

std::string_view to_string(ThermalStatus status) noexcept {
  switch (status) {
    case ThermalStatus::kUnknown:
      return "unknown";
    case ThermalStatus::kUnavailable:
      return "unavailable";
    case ThermalStatus::kNormal:
      return "normal";
    case ThermalStatus::kThrottled:
      break;
  }
  return "throttled";
}

ThermalState state_of(const ThermalReading& reading, std::int64_t measured_at_ns) noexcept {
  const FieldReading& throttle = reading[ThermalField::kThrottle];
  ThermalState state;
  state.cpu_temp_c = celsius_of(reading[ThermalField::kCpuTemp]);
  state.gpu_temp_c = celsius_of(reading[ThermalField::kGpuTemp]);
  state.measured_clock_mhz = clock_of(reading);
  state.measured_at_ns = measured_at_ns;
  state.is_telemetry_available = throttle.status == FieldStatus::kValue;
  state.thermal_throttle_active = state.is_telemetry_available && throttle.value != 0.0;
  return state;
}

ThermalMonitor::ThermalMonitor(EventSink& events, const Clock& clock, std::int64_t period_ns)
    : events_(events), clock_(clock), period_ns_(period_ns), arrived_ns_(clock.monotonic_ns()) {}

void ThermalMonitor::poll_once(ThermalSource& source) {
  const std::int64_t begun_ns = clock_.monotonic_ns();
  ThermalReading reading;
  source.read(reading);
  take(reading, begun_ns, source);
}

void ThermalMonitor::take(const ThermalReading& reading, std::int64_t begun_ns, const ThermalSource& source) {
  const std::int64_t now = clock_.monotonic_ns();
  if (now - begun_ns >= kPeriodsUntilLost * period_ns_)
    return;  // what a hung driver says late is no longer so
  arrived_ns_ = now;
  const ThermalState state = state_of(reading, begun_ns);
  const ThermalStatus status = status_of(state);
  {
    const std::lock_guard lock(report_mutex_);
    report_ = {true, reading, begun_ns, status};
  }
  count_short_throttles(reading, status, source.name());
  source_name_ = source.name();
  // A steady poll has nothing to tell, and composes nothing.
  const bool may_tell = status != status_ || status == ThermalStatus::kUnavailable;
  publish(state, status, source_name_, may_tell ? cause_of(reading, source) : std::string());
}

std::int64_t ThermalMonitor::strikes_at_ns() const {
  if (status_ == ThermalStatus::kUnavailable) return std::numeric_limits<std::int64_t>::max();
  return arrived_ns_ + kPeriodsUntilLost * period_ns_;
}

void ThermalMonitor::check() {
  if (clock_.monotonic_ns() - arrived_ns_ < kPeriodsUntilLost * period_ns_) return;
  ThermalState state;  // nothing measured: old figures must not pass for new ones
  state.measured_at_ns = last_state_.measured_at_ns;
  {
    const std::lock_guard lock(report_mutex_);
    report_.status = ThermalStatus::kUnavailable;
  }
  publish(state, ThermalStatus::kUnavailable, source_name_, "no reading for three periods");
}

void ThermalMonitor::publish(const ThermalState& state, ThermalStatus status, std::string_view source,
                             std::string cause) {
  snapshot_.store(state);
  last_state_ = state;
  if (status == status_) {
    remind_of_loss(cause);
    return;
  }
  const ThermalStatus previous = std::exchange(status_, status);
  // The first reading of a cool machine is no news: the ready event names the source.
  if (previous == ThermalStatus::kUnknown && status == ThermalStatus::kNormal) return;
  tell(state, previous, source, std::move(cause));
}

/// A source that comes and goes warns of it once a second; the flight recorder gets every flip. The return of
/// what was lost unsaid is left unsaid too.
Level ThermalMonitor::level_of(ThermalStatus previous) {
  if (status_ == ThermalStatus::kThrottled) return Level::kWarn;
  if (status_ == ThermalStatus::kUnavailable) {
    const std::int64_t now = clock_.monotonic_ns();
    is_loss_told_ = !next_loss_warning_ns_ || now >= *next_loss_warning_ns_;
    if (is_loss_told_) next_loss_warning_ns_ = now + kNsPerSecond;
    return is_loss_told_ ? Level::kWarn : Level::kDebug;
  }
  return previous == ThermalStatus::kUnavailable && !is_loss_told_ ? Level::kDebug : Level::kWarn;
}

/// A loss that came too soon after another one to be told, and has lasted.
void ThermalMonitor::remind_of_loss(std::string_view cause) {
  if (status_ != ThermalStatus::kUnavailable || is_loss_told_) return;
  if (level_of(status_) != Level::kWarn) return;
  events_.emit({Level::kWarn,
                "c7.telemetry_unavailable",
                "C7 thermal telemetry lost again, and still is",
                {{"source", source_name_}, {"cause", std::string(cause)}}});
}

void ThermalMonitor::tell(const ThermalState& state, ThermalStatus previous, std::string_view source,
                          std::string cause) {
  events_.emit({level_of(previous),
                "c7.thermal_transition",
                std::string(sentence_of(previous, status_)) + "; gpu_temp=" +
                    temperature_text(state.gpu_temp_c) + "; clock=" + clock_text(state.measured_clock_mhz),
                {{"previous_state", std::string(to_string(previous))},
                 {"new_state", std::string(to_string(status_))},
                 {"gpu_temp_c", double{state.gpu_temp_c}},
                 {"cpu_temp_c", double{state.cpu_temp_c}},
                 {"measured_clock_mhz", std::int64_t{state.measured_clock_mhz}},
                 {"measured_at_ns", state.measured_at_ns},
                 {"source", std::string(source)},
                 {"cause", std::move(cause)}}});
}

/// A throttle that began and ended between two polls shows in the kernel's count only. One that this poll
/// sees begin is told as such; while one lasts, what the count does is part of it.
void ThermalMonitor::count_short_throttles(const ThermalReading& reading, ThermalStatus status,
                                           std::string_view source) {
  const FieldReading& events = reading[ThermalField::kThrottleEvents];
  if (events.status != FieldStatus::kValue) return;
  const double more = events.value - std::exchange(throttle_events_, events.value);
  const bool is_throttled = status == ThermalStatus::kThrottled;
  if (is_throttled && status_ == ThermalStatus::kThrottled) return;
  const std::int64_t count = static_cast<std::int64_t>(more) - (is_throttled ? 1 : 0);
  if (count <= 0) return;
  events_.emit({Level::kWarn,
                "c7.throttle_counted",
                "C7 thermal throttle between two polls: " + std::to_string(count) +
                    " counted by the kernel; poll more often to see the next one",
                {{"count", count}, {"source", std::string(source)}}});
}

ThermalReport ThermalMonitor::report() const {
  const std::lock_guard lock(report_mutex_);
  ThermalReport report = report_;
  if (clock_.monotonic_ns() - report.measured_at_ns < kPeriodsUntilStale * period_ns_) return report;
  for (FieldReading& field : report.reading.fields) {
    if (field.status == FieldStatus::kValue) field.status = FieldStatus::kStale;
  }
  return report;
}

}  // namespace skua
