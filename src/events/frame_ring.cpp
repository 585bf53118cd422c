#include "events/frame_ring.h"

#include <algorithm>
#include <bit>
#include <type_traits>

namespace skua {
namespace {

static_assert(std::is_trivially_copyable_v<StampedFrame>);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

constexpr int kTries = 64;

/// Negative: the cell is still in use by the turn before; positive: somebody else was faster.
std::int64_t lead(std::uint64_t turn, std::uint64_t wanted) {
  return static_cast<std::int64_t>(turn - wanted);
}

}  // namespace

FrameRing::FrameRing(std::size_t capacity)
    : mask_(std::bit_ceil(std::max<std::size_t>(capacity, 2)) - 1), cells_(new Cell[mask_ + 1]) {
  for (std::uint64_t i = 0; i <= mask_; ++i) cells_[i].turn.store(i, std::memory_order_relaxed);
}

bool FrameRing::try_push(const StampedFrame& frame, std::uint64_t& position) noexcept {
  position = tail();
  for (int i = 0; i < kTries; ++i) {
    Cell& cell = cells_[position & mask_];
    const std::int64_t ahead = lead(cell.turn.load(std::memory_order_acquire), position);
    if (ahead < 0) return false;  // full
    if (ahead > 0) {
      position = tail();
    } else if (tail_.compare_exchange_weak(position, position + 1, std::memory_order_relaxed)) {
      cell.frame = frame;
      cell.turn.store(position + 1, std::memory_order_release);
      return true;
    }
  }
  return false;
}

bool FrameRing::take(StampedFrame* frame, std::uint64_t& position) noexcept {
  position = head();
  for (int i = 0; i < kTries; ++i) {
    Cell& cell = cells_[position & mask_];
    const std::int64_t ahead = lead(cell.turn.load(std::memory_order_acquire), position + 1);
    if (ahead < 0) return false;  // empty, or its producer has not finished
    if (ahead > 0) {
      position = head();
    } else if (head_.compare_exchange_weak(position, position + 1, std::memory_order_relaxed)) {
      if (frame != nullptr) *frame = cell.frame;
      cell.turn.store(position + mask_ + 1, std::memory_order_release);
      return true;
    }
  }
  return false;
}

bool FrameRing::push(const StampedFrame& frame) noexcept {
  std::uint64_t freed_for = ~std::uint64_t{0};
  for (int i = 0; i < kTries; ++i) {
    std::uint64_t position = 0;
    if (try_push(frame, position)) return true;
    // One entry makes room for one: while the same cell stays taken, another thread is still reading it, and
    // pushing out more would lose entries without helping.
    if (position == freed_for) continue;
    std::uint64_t oldest = 0;
    take(nullptr, oldest);
    freed_for = position;
  }
  rejected_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

bool FrameRing::pop(StampedFrame& frame, std::uint64_t& position) noexcept {
  if (!take(&frame, position)) return false;
  popped_.store(popped_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  return true;
}

std::uint64_t FrameRing::dropped_count() const noexcept {
  const std::uint64_t popped =
      popped_.load(std::memory_order_acquire);  // before head_, so that it is not ahead
  return head() - popped + rejected_count();
}

}  // namespace skua
