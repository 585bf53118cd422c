// When which frame is due: an absolute schedule, so that a late frame does not shift the ones behind it.
#pragma once

#include <cstdint>

namespace skua::flight {

/// Slot n is due at start + n / rate, rounded to the nanosecond each time anew: a rate whose period is no
/// whole number of nanoseconds (3 Hz) does not drift. A slot lasts until the next one is due. What became of
/// one:
///   late     its frame began more than `tolerance` after it was due, but before the next slot was due
///   missed   no frame began in it, because an earlier one was still running (or nobody asked) until the next
///            slot came due
///   dropped  (counted by the caller) its frame began and gave no result
/// No clock of its own: all times are of one monotonic clock, in nanoseconds, between 0 and 2^62. No
/// allocation, constant time however long the gap; one thread.
class FrameSchedule {
 public:
  /// Requires 1e-6 <= rate_hz <= 1e6 and tolerance_ns >= 0.
  FrameSchedule(std::int64_t start_ns, double rate_hz, std::int64_t tolerance_ns) noexcept
      : start_ns_(start_ns), tolerance_ns_(tolerance_ns), rate_hz_(rate_hz) {}

  /// The slot that is to be waited for; the first is 0.
  std::uint64_t slot() const noexcept { return slot_; }
  std::int64_t due_ns() const noexcept { return due_ns(slot_); }
  std::int64_t due_ns(std::uint64_t slot) const noexcept;
  /// The frame of slot() begins now. Slots that have passed whole are skipped and counted as missed first. A
  /// frame that begins before slot() is due takes that slot all the same and is not late.
  /// Returns the slot that the frame takes.
  std::uint64_t begin(std::int64_t now_ns) noexcept;
  /// The frame that began last has ended; slot() is then the next one, be it due already or not.
  void end() noexcept { ++slot_; }

  std::uint64_t late_count() const noexcept { return late_; }
  std::uint64_t missed_count() const noexcept { return missed_; }

 private:
  std::uint64_t slot_at(std::int64_t now_ns) const noexcept;

  std::int64_t start_ns_, tolerance_ns_;
  double rate_hz_;
  std::uint64_t slot_ = 0, late_ = 0, missed_ = 0;
};

}  // namespace skua::flight
