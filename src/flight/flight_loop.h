// F3: frames at their rate on an absolute schedule, until a signal, the duration, the last frame or a lost
// device.
#pragma once

#include <atomic>
#include <optional>

#include "flight/flight_statistics.h"
#include "flight/frame_lines_writer.h"
#include "flight/frame_pipeline.h"
#include "flight/frame_schedule.h"
#include "flight/frame_source.h"
#include "flight/memory_watch.h"
#include "flight/signal_watcher.h"
#include "flight/supervisor.h"
#include "skua/ports.h"

namespace skua::flight {

/// Counts of a flight that another thread may read at any time.
struct FlightProgress {
  std::atomic<std::uint64_t> frames{0}, no_results{0}, late{0}, missed{0};
};

/// Why a flight ended.
enum class FlightEnd : std::uint8_t { kSignal, kDuration, kFrames, kDeviceLost };
/// "signal", "duration", "frames", "device_lost".
std::string_view to_string(FlightEnd end) noexcept;

/// What the loop works with; not owned, outlives it.
struct LoopParts {
  FramePipeline* pipeline = nullptr;
  FrameSource* frames = nullptr;
  const TileIndex* tiles = nullptr;
  const SignalWatcher* signals = nullptr;
  Supervisor* supervisor = nullptr;
  EventSink* events = nullptr;
  FrameLinesWriter* lines = nullptr;  ///< null: none
};

/// The picture size that the loop demands of every frame.
struct FrameFormat {
  int width = 0, height = 0, channels = 1;
};

/// A frame that is due late is late, one that is not begun in its slot is missed, one without a result is
/// dropped; none of them stops the next one. A frame without an answer `deadline_ms` after it was due has
/// none. One thread.
class FlightLoop {
 public:
  /// A frame that begins so much after it was due counts as late.
  static constexpr std::int64_t kLateNs = 5'000'000;

  FlightLoop(const LoopParts& parts, const FrameFormat& format, const FlightSettings& settings);

  /// Flies. Without `duration_ns` every frame of the source once, but for missed slots; with it the source
  /// begins again at its end.
  FlightEnd run(std::optional<std::int64_t> duration_ns) noexcept;

  const FlightStatistics& statistics() const noexcept { return statistics_; }
  const MemoryWatch& memory() const noexcept { return memory_; }
  std::uint64_t late_count() const noexcept { return schedule_.late_count(); }
  std::uint64_t missed_count() const noexcept { return schedule_.missed_count(); }
  /// The counts, for any thread.
  const FlightProgress& progress() const noexcept { return progress_; }
  std::int64_t flown_ns() const noexcept { return flown_ns_; }
  /// Of the run that lost the device; 0 unless run() answered kDeviceLost.
  std::int32_t native_code() const noexcept { return native_code_; }

 private:
  Status acquire(std::uint64_t slot) noexcept;
  FrameResult work_up(std::uint64_t slot, std::uint64_t acquired, Status& picture) noexcept;
  bool wait_due(std::uint64_t slot) noexcept;
  std::int64_t begin_ns(bool repeats) const noexcept;
  void account(const FrameResult& result) noexcept;
  void post_dropped(const FrameResult& result) noexcept;

  LoopParts parts_;
  FrameFormat format_;
  double rate_hz_;
  std::int64_t deadline_ns_;
  FrameSchedule schedule_;
  FlightStatistics statistics_;
  FlightProgress progress_;
  MemoryWatch memory_;
  std::int64_t acquire_ns_ = 0, flown_ns_ = 0;
  std::int32_t native_code_ = 0;
};

}  // namespace skua::flight
