#include "flight/frame_schedule.h"

#include <algorithm>
#include <cmath>

namespace skua::flight {
namespace {

constexpr double kNsPerSecond = 1e9;
// What may be added to a time without leaving 64 bits.
constexpr double kMostNs = 4.6e18;

}  // namespace

std::int64_t FrameSchedule::due_ns(std::uint64_t slot) const noexcept {
  // slot * 1e9 is exact in double up to nine million slots (34 days at 3 Hz), the quotient then right to far
  // below a nanosecond.
  const double since_start = static_cast<double>(slot) * kNsPerSecond / rate_hz_;
  return start_ns_ + std::llround(std::min(since_start, kMostNs));
}

// The last slot that is due at `now_ns`.
std::uint64_t FrameSchedule::slot_at(std::int64_t now_ns) const noexcept {
  if (now_ns <= start_ns_) return 0;
  const double estimate = static_cast<double>(now_ns - start_ns_) * rate_hz_ / kNsPerSecond;
  auto slot = static_cast<std::uint64_t>(estimate);
  // Rounding may have put the estimate on the other side of a boundary: due_ns decides.
  if (slot > 0 && due_ns(slot) > now_ns) --slot;
  if (due_ns(slot + 1) <= now_ns) ++slot;
  return slot;
}

std::uint64_t FrameSchedule::begin(std::int64_t now_ns) noexcept {
  const std::uint64_t current = slot_at(now_ns);
  if (current > slot_) {
    missed_ += current - slot_;
    slot_ = current;
  }
  if (now_ns > due_ns() && now_ns - due_ns() > tolerance_ns_) ++late_;
  return slot_;
}

}  // namespace skua::flight
