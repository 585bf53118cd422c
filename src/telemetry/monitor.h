// What readings mean: from a poll's reading to the snapshot that C4 sees, to the events of a transition, and
// to "not available" when readings stay away. No thread and no wait in here: time comes from the injected
// clock.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "skua/ports.h"
#include "skua/thermal_state.h"
#include "telemetry/reading.h"
#include "telemetry/snapshot.h"
#include "telemetry/source.h"

namespace skua {

/// What the monitor holds the machine to be in.
enum class ThermalStatus : std::uint8_t {
  kUnknown,      ///< no reading yet
  kUnavailable,  ///< no reading, or one without a throttle state
  kNormal,
  kThrottled,
};
/// As in a flight record: "unknown", "unavailable", "normal", "throttled".
std::string_view to_string(ThermalStatus status) noexcept;

/// A reading and when it was begun (monotonic clock). For people: `skua thermal`, `skua doctor`.
struct ThermalReport {
  bool has_reading = false;  ///< false: there was none yet, and the figures mean nothing
  ThermalReading reading;
  std::int64_t measured_at_ns = 0;
  ThermalStatus status = ThermalStatus::kUnknown;
};

/// The state that C4 gets for a reading: throttled only when the source says so; not available where the
/// source does not know. Unsupported and offline figures are "not measured". The clock is the GPU's, or the
/// CPU's where the source knows no GPU clock.
ThermalState state_of(const ThermalReading& reading, std::int64_t measured_at_ns) noexcept;

/// Thread-safety: one thread calls poll_once, take and check; state() and report() may be called from any.
class ThermalMonitor {
 public:
  /// `events` and `clock` must outlive it. Readings are expected every `period_ns`.
  ThermalMonitor(EventSink& events, const Clock& clock, std::int64_t period_ns);

  /// The deterministic seam: one whole poll in the calling thread. Blocks as long as the source does.
  void poll_once(ThermalSource& source);
  /// Publishes a reading that was begun at `begun_ns`, and tells of what has changed. A reading that took
  /// three periods is dropped.
  void take(const ThermalReading& reading, std::int64_t begun_ns, const ThermalSource& source);
  /// The watchdog: when for three periods no reading has arrived, the snapshot says "not available". (A
  /// reading is at most three periods old when it arrives, so no figure older than six is ever called
  /// available.)
  void check();
  /// When check() is to be called at the latest, unless a reading arrives before; the far future when it has
  /// struck already.
  std::int64_t strikes_at_ns() const;

  ThermalState state() const noexcept { return snapshot_.load(); }
  /// The last reading; its values are `stale` once two periods have passed. Takes a lock: not for the frame
  /// loop.
  ThermalReport report() const;

 private:
  void publish(const ThermalState& state, ThermalStatus status, std::string_view source, std::string cause);
  void tell(const ThermalState& state, ThermalStatus previous, std::string_view source, std::string cause);

  void remind_of_loss(std::string_view cause);
  void count_short_throttles(const ThermalReading& reading, ThermalStatus status, std::string_view source);
  Level level_of(ThermalStatus previous);

  EventSink& events_;
  const Clock& clock_;
  const std::int64_t period_ns_;
  ThermalSnapshot snapshot_;

  // Of the polling thread.
  ThermalStatus status_ = ThermalStatus::kUnknown;
  ThermalState last_state_;
  std::int64_t arrived_ns_;  ///< when the last reading did; before the first one, the start
  std::optional<std::int64_t> next_loss_warning_ns_;  ///< not before
  bool is_loss_told_ = true;
  double throttle_events_ = 0.0;
  std::string source_name_;

  mutable std::mutex report_mutex_;  ///< guards report_
  ThermalReport report_;
};

}  // namespace skua
