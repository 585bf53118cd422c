// The telemetry threads: readings at a steady rate into the snapshot, whatever the drivers do.
//
// Two threads, because a read() in a hung driver cannot be ended: the reader alone calls the source; the
// poller keeps the schedule, judges and publishes what the reader brings, and is the watchdog when it brings
// nothing.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "skua/ports.h"
#include "skua/result.h"
#include "skua/thermal_state.h"
#include "telemetry/monitor.h"
#include "telemetry/source.h"

namespace skua {

struct ThermalPollerOptions {
  ThermalSourceOptions source;
  double poll_hz = 1.0;  ///< > 0; slower than once an hour is once an hour
  int cpu = -1;          ///< the core that both threads keep to; -1: any of the process's
  int nice = 10;         ///< of both threads
};

/// Thread-safety: state(), source(), open_error() and report() may be called from any thread.
class ThermalPoller {
 public:
  /// Opens the source and waits for its first reading. A source that needs longer than 100 ms for that goes
  /// on in the background, and the state is "not available" until it has. TelemetryUnavailableError when
  /// there is no source, InvalidArgumentError for a core that this process may not use. A missing source is
  /// also told as c7.telemetry_unavailable. `events` and `clock` must outlive the poller.
  /// TelemetryUnavailableError, too, when the system gives no thread. Cost: two threads, with all signals
  /// blocked.
  static Result<std::unique_ptr<ThermalPoller>> start(const ThermalPollerOptions& options, EventSink& events,
                                                      const Clock& clock);
  /// The same with a source made by `open`, which is called on the reader thread.
  using OpenSource = Result<std::unique_ptr<ThermalSource>> (*)(const ThermalSourceOptions&);
  static Result<std::unique_ptr<ThermalPoller>> start(const ThermalPollerOptions& options, EventSink& events,
                                                      const Clock& clock, OpenSource open);
  ThermalPoller(const ThermalPoller&) = delete;
  ThermalPoller& operator=(const ThermalPoller&) = delete;
  /// Takes at most 100 ms: a reader that hangs in a driver is left behind, with what it uses.
  ~ThermalPoller();

  /// A copy of the snapshot; a few nanoseconds, see snapshot.h.
  ThermalState state() const noexcept;
  /// The source in use, for its name and origins, which do not change (never to read it); lives as long as
  /// the poller. nullptr while it is being opened. Takes a lock.
  const ThermalSource* source() const;
  /// Its name, for people; "opening" while it is being opened. Takes a lock.
  std::string source_name() const;
  /// Why there is no source, when that showed after start() had returned. Takes a lock.
  std::optional<Error> open_error() const;
  ThermalReport report() const;

 private:
  class Impl;
  explicit ThermalPoller(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace skua
