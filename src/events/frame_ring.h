// The queue between the frame loop and the event thread: fixed memory, no lock, no wait. After Dmitry
// Vyukov's bounded queue (each cell carries the turn at which it may be used), with producers that free a
// full ring themselves: https://www.1024cores.net/home/lock-free-algorithms/queues/bounded-mpmc-queue
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "skua/ports.h"

namespace skua {

struct StampedFrame {
  std::int64_t utc_us = 0;
  std::int64_t monotonic_ns = 0;
  FrameEvent event;
};

/// Many producers, one consumer. A full ring loses its oldest entry. Nothing here allocates after the
/// constructor, waits, or makes a system call.
class FrameRing {
 public:
  /// `capacity` is rounded up to a power of two, at least 2.
  explicit FrameRing(std::size_t capacity);

  /// Any thread. False: it could not be placed within a bounded number of tries, because another thread was
  /// interrupted while it held the oldest cell; it is lost, and counted with those that were pushed out.
  bool push(const StampedFrame& frame) noexcept;
  /// The consumer alone. False: there is none. `position` counts entries since the start.
  bool pop(StampedFrame& frame, std::uint64_t& position) noexcept;

  std::size_t capacity() const noexcept { return mask_ + 1; }
  /// Position of the next entry to be popped, or to be pushed.
  std::uint64_t head() const noexcept { return head_.load(std::memory_order_relaxed); }
  std::uint64_t tail() const noexcept { return tail_.load(std::memory_order_relaxed); }
  /// Entries that were pushed, ever: those that found a place and those that did not.
  std::uint64_t pushed_count() const noexcept { return tail() + rejected_count(); }
  /// Entries that were pushed out or found no place. While the consumer is popping, another thread can see
  /// one too many for a moment; the consumer itself never does.
  std::uint64_t dropped_count() const noexcept;

 private:
  struct alignas(64) Cell {
    std::atomic<std::uint64_t> turn{0};
    StampedFrame frame;
  };

  std::uint64_t rejected_count() const noexcept { return rejected_.load(std::memory_order_relaxed); }
  bool try_push(const StampedFrame& frame, std::uint64_t& position) noexcept;
  bool take(StampedFrame* frame, std::uint64_t& position) noexcept;

  const std::uint64_t mask_;
  const std::unique_ptr<Cell[]> cells_;
  alignas(64) std::atomic<std::uint64_t> head_{0};
  alignas(64) std::atomic<std::uint64_t> tail_{0};
  // What a push changes on every path is contended by all producers; so drops are not counted but derived.
  alignas(64) std::atomic<std::uint64_t> popped_{0};  ///< written by the consumer alone
  alignas(64) std::atomic<std::uint64_t> rejected_{0};
};

}  // namespace skua
