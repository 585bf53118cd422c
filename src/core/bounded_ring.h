// A bounded queue between threads that may not wait and one that drains: fixed memory, no lock, no wait.
// After Dmitry Vyukov's bounded queue (each cell carries the turn at which it may be used), with producers
// that free a full ring themselves:
// https://www.1024cores.net/home/lock-free-algorithms/queues/bounded-mpmc-queue
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>

namespace skua {

/// Many producers, one consumer. A full ring loses its oldest entry. Nothing here allocates after the
/// constructor, waits, or makes a system call.
template <typename Entry>
class BoundedRing {
 public:
  static_assert(std::is_trivially_copyable_v<Entry>);
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

  /// `capacity` is rounded up to a power of two, at least 2.
  explicit BoundedRing(std::size_t capacity)
      : mask_(std::bit_ceil(std::max<std::size_t>(capacity, 2)) - 1), cells_(new Cell[mask_ + 1]) {
    for (std::uint64_t i = 0; i <= mask_; ++i) cells_[i].turn.store(i, std::memory_order_relaxed);
  }

  /// Any thread. False: it could not be placed within a bounded number of tries, because another thread was
  /// interrupted while it held the oldest cell; it is lost, and counted with those that were pushed out.
  bool push(const Entry& entry) noexcept {
    std::uint64_t freed_for = ~std::uint64_t{0};
    for (int i = 0; i < kTries; ++i) {
      std::uint64_t position = 0;
      if (try_push(entry, position)) return true;
      // One entry makes room for one: while the same cell stays taken, another thread is still reading it,
      // and pushing out more would lose entries without helping.
      if (position == freed_for) continue;
      std::uint64_t oldest = 0;
      take(nullptr, oldest);
      freed_for = position;
    }
    rejected_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }

  /// The consumer alone. False: there is none. `position` counts entries since the start.
  bool pop(Entry& entry, std::uint64_t& position) noexcept {
    if (!take(&entry, position)) return false;
    popped_.store(popped_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    return true;
  }

  std::size_t capacity() const noexcept { return mask_ + 1; }
  /// Position of the next entry to be popped, or to be pushed.
  std::uint64_t head() const noexcept { return head_.load(std::memory_order_relaxed); }
  std::uint64_t tail() const noexcept { return tail_.load(std::memory_order_relaxed); }
  /// Entries that were pushed, ever: those that found a place and those that did not.
  std::uint64_t pushed_count() const noexcept { return tail() + rejected_count(); }
  /// Entries that are in it no more, or never were: popped, pushed out, or without a place. The others wait.
  std::uint64_t gone_count() const noexcept { return head() + rejected_count(); }
  /// Entries that were pushed out or found no place. While the consumer is popping, another thread can see
  /// one too many for a moment; the consumer itself never does.
  std::uint64_t dropped_count() const noexcept {
    // Before head_, so that it is not ahead.
    const std::uint64_t popped = popped_.load(std::memory_order_acquire);
    return gone_count() - popped;
  }

 private:
  static constexpr int kTries = 64;

  struct alignas(64) Cell {
    std::atomic<std::uint64_t> turn{0};
    Entry entry;
  };

  /// Negative: the cell is still in use by the turn before; positive: somebody else was faster.
  static std::int64_t lead(std::uint64_t turn, std::uint64_t wanted) noexcept {
    return static_cast<std::int64_t>(turn - wanted);
  }

  std::uint64_t rejected_count() const noexcept { return rejected_.load(std::memory_order_relaxed); }

  bool try_push(const Entry& entry, std::uint64_t& position) noexcept {
    position = tail();
    for (int i = 0; i < kTries; ++i) {
      Cell& cell = cells_[position & mask_];
      const std::int64_t ahead = lead(cell.turn.load(std::memory_order_acquire), position);
      if (ahead < 0) return false;  // full
      if (ahead > 0) {
        position = tail();
      } else if (tail_.compare_exchange_weak(position, position + 1, std::memory_order_relaxed)) {
        cell.entry = entry;
        cell.turn.store(position + 1, std::memory_order_release);
        return true;
      }
    }
    return false;
  }

  bool take(Entry* entry, std::uint64_t& position) noexcept {
    position = head();
    for (int i = 0; i < kTries; ++i) {
      Cell& cell = cells_[position & mask_];
      const std::int64_t ahead = lead(cell.turn.load(std::memory_order_acquire), position + 1);
      if (ahead < 0) return false;  // empty, or its producer has not finished
      if (ahead > 0) {
        position = head();
      } else if (head_.compare_exchange_weak(position, position + 1, std::memory_order_relaxed)) {
        if (entry != nullptr) *entry = cell.entry;
        cell.turn.store(position + mask_ + 1, std::memory_order_release);
        return true;
      }
    }
    return false;
  }

  const std::uint64_t mask_;
  const std::unique_ptr<Cell[]> cells_;
  alignas(64) std::atomic<std::uint64_t> head_{0};
  alignas(64) std::atomic<std::uint64_t> tail_{0};
  // What a push changes on every path is contended by all producers; so drops are not counted but derived.
  alignas(64) std::atomic<std::uint64_t> popped_{0};  ///< written by the consumer alone
  alignas(64) std::atomic<std::uint64_t> rejected_{0};
};

}  // namespace skua
