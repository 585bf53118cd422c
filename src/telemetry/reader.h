// The reader: a thread that calls a thermal source, and nothing else, so that a hung driver holds up nobody.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "skua/error.h"
#include "telemetry/source.h"

namespace skua {

using OpenThermalSource = Result<std::unique_ptr<ThermalSource>> (*)(const ThermalSourceOptions&);

/// How a telemetry thread runs.
struct ThreadPlacement {
  std::string name;  ///< at most 15 bytes
  int cpu = -1;      ///< the core it keeps to; -1: any that the process may use
  int nice = 0;      ///< it never takes a higher priority than it was started with
};
/// Applies a placement to the calling thread. A core that went offline meanwhile is not kept to.
void place_thread(const ThreadPlacement& placement) noexcept;

/// Between the poller and the reader. Both hold it, and whoever is last frees it: a reader that is stuck in a
/// driver may outlive everything else. It has no pointer out of itself.
struct ReaderDesk {
  enum class Phase : std::uint8_t { kOpening, kIdle, kReading, kFailed };
  std::mutex mutex;                 ///< guards all below; never held while the source works
  std::condition_variable changed;  ///< notified at every change
  Phase phase = Phase::kOpening;
  std::optional<Error> open_error;        ///< with kFailed
  std::unique_ptr<ThermalSource> source;  ///< set once; its read() is called by the reader alone
  bool is_asked = false;                  ///< the poller wants a reading
  std::int64_t asked_at_ns = 0;
  bool has_reading = false;  ///< the reader has brought one
  ThermalReading reading;
  bool is_stopping = false;
  bool has_left = false;  ///< the reader thread is done
};

/// The reader thread's work: opens the source, then reads each time it is asked, until it is told to stop.
void run_reader(const std::shared_ptr<ReaderDesk>& desk, const ThermalSourceOptions& options,
                OpenThermalSource open, const ThreadPlacement& placement) noexcept;

}  // namespace skua
