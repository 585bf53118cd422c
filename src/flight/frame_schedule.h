// When which frame is due: an absolute schedule, so that a late frame does not shift the ones behind it.
#pragma once

#include <cstdint>

namespace skua::flight {

/// Slot n is due at start + n * period. What a slot became:
///   late     its frame began more than `tolerance` after it was due, but before the next slot was due
///   missed   no frame began in it, because an earlier one was still running when the next slot came due
///   dropped  (counted by the caller) its frame began and gave no result
/// No clock of its own, no allocation; one thread.
class FrameSchedule {
 public:
  /// Requires period_ns > 0. `rate` in Hz is turned into a period by the caller; slots never drift.
  FrameSchedule(std::int64_t start_ns, std::int64_t period_ns, std::int64_t tolerance_ns) noexcept;

  /// The slot that is to be waited for; the first is 0.
  std::uint64_t slot() const noexcept { return slot_; }
  std::int64_t due_ns() const noexcept { return start_ns_ + static_cast<std::int64_t>(slot_) * period_ns_; }
  /// The frame of slot() begins now. Slots that have passed whole are skipped and counted as missed first.
  /// Returns the slot that the frame takes.
  std::uint64_t begin(std::int64_t now_ns) noexcept;
  /// The frame that began last has ended; slot() is then the next one.
  void end() noexcept { ++slot_; }

  std::uint64_t late_count() const noexcept { return late_; }
  std::uint64_t missed_count() const noexcept { return missed_; }

 private:
  std::int64_t start_ns_, period_ns_, tolerance_ns_;
  std::uint64_t slot_ = 0, late_ = 0, missed_ = 0;
};

}  // namespace skua::flight
