// What a flight's frames add up to: counts, and a latency histogram per stage. Fixed memory.
#pragma once

#include <array>
#include <cstdint>

#include "flight/frame_result.h"
#include "flight/latency_histogram.h"

namespace skua::flight {

/// One thread.
class FlightStatistics {
 public:
  /// No allocation.
  void add(const FrameResult& result) noexcept;

  std::uint64_t frames() const noexcept { return frames_; }
  std::uint64_t positions() const noexcept { return positions_; }
  std::uint64_t no_results() const noexcept { return frames_ - positions_; }
  std::uint64_t refined() const noexcept { return refined_; }
  std::uint64_t throttled() const noexcept { return throttled_; }
  /// Frames that gave no result for this reason.
  std::uint64_t failed(Reason reason) const noexcept { return by_reason_[static_cast<std::size_t>(reason)]; }
  /// Of the frames in which the stage was begun, failed and late ones included.
  const LatencyHistogram& latency(Stage stage) const noexcept {
    return latency_[static_cast<std::size_t>(stage)];
  }

 private:
  std::uint64_t frames_ = 0, positions_ = 0, refined_ = 0, throttled_ = 0;
  std::array<std::uint64_t, 256> by_reason_{};  ///< Reason has 8 bits
  std::array<LatencyHistogram, kStages> latency_{};
};

}  // namespace skua::flight
