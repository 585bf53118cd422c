// A source whose readings a test sets, a clock that stands until it is told otherwise, and a sink that keeps
// events.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "skua/ports.h"
#include "telemetry/source.h"

namespace skua::test {

inline constexpr std::int64_t kSecond = 1'000'000'000;

inline ThermalReading reading_of(bool is_throttled, double gpu_temp_c = 60.0) {
  ThermalReading reading;
  reading[ThermalField::kCpuTemp] = {FieldStatus::kValue, 55.5};
  reading[ThermalField::kGpuTemp] = {FieldStatus::kValue, gpu_temp_c};
  reading[ThermalField::kThrottle] = {FieldStatus::kValue, is_throttled ? 1.0 : 0.0};
  reading[ThermalField::kGpuClock] = {FieldStatus::kValue, is_throttled ? 749.6 : 1020.0};
  reading.throttle_causes = is_throttled ? 2U : 0U;
  return reading;
}

/// What is left when the sensors do not answer.
inline ThermalReading offline_reading() {
  ThermalReading reading;
  for (FieldReading& field : reading.fields) field.status = FieldStatus::kOffline;
  return reading;
}

class ScriptedSource final : public ThermalSource {
 public:
  explicit ScriptedSource(std::function<ThermalReading()> script = [] { return reading_of(false); })
      : script_(std::move(script)) {}
  std::string_view name() const noexcept override { return "scripted"; }
  void read(ThermalReading& reading) noexcept override { reading = script_(); }
  std::string_view origin(ThermalField) const noexcept override { return "a script"; }
  std::string_view cause(std::size_t index) const noexcept override {
    return index == 1 ? "gpu-throttle-alert" : "";
  }

 private:
  std::function<ThermalReading()> script_;
};

/// Thread-safe, unlike what a test sets by hand.
class SteppedClock final : public Clock {
 public:
  std::int64_t monotonic_ns() const noexcept override { return now_ns; }
  std::int64_t utc_us() const noexcept override { return 0; }
  std::atomic<std::int64_t> now_ns{100 * kSecond};
};

class KeptEvents final : public EventSink {
 public:
  void emit(const Event& event) noexcept override {
    const std::lock_guard lock(mutex_);
    events_.push_back(event);
    changed_.notify_all();
  }
  std::vector<Event> all() const {
    const std::lock_guard lock(mutex_);
    return events_;
  }
  /// "LEVEL previous>new" of every transition, "LEVEL kind" of every other event.
  std::vector<std::string> lines() const {
    std::vector<std::string> lines;
    for (const Event& event : all()) {
      std::string line = std::string(to_string(event.level)) + " ";
      line += event.kind == "c7.thermal_transition"
                  ? text_of(event, "previous_state") + ">" + text_of(event, "new_state")
                  : std::string(event.kind);
      lines.push_back(line);
    }
    return lines;
  }
  /// Waits until there are `count` events; false after ten seconds.
  bool wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return events_.size() >= count; });
  }
  static std::string text_of(const Event& event, std::string_view key) {
    for (const Event::Field& field : event.fields) {
      if (field.key == key && std::holds_alternative<std::string>(field.value))
        return std::get<std::string>(field.value);
    }
    return "";
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Event> events_;
};

}  // namespace skua::test
