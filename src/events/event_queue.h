// The queue between everybody but the frame loop and the event thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "skua/ports.h"

namespace skua {

struct StampedEvent {
  std::int64_t utc_us = 0;
  std::int64_t monotonic_ns = 0;
  Event event;
};

/// Many producers, one consumer. A full queue loses its oldest entry. The lock is held for the exchange of
/// one entry; what is pushed out is freed outside it.
class EventQueue {
 public:
  /// `capacity` 0 counts as 1. The slots are allocated here.
  explicit EventQueue(std::size_t capacity);

  /// Any thread. Wakes the consumer if it waits.
  void push(StampedEvent event);
  /// The consumer alone. False: there is none. `position` counts entries since the start.
  bool pop(StampedEvent& event, std::uint64_t& position);
  /// Blocks the consumer until there is an entry, wake() was called since the last wait, or `limit` passed.
  void wait(std::chrono::milliseconds limit);
  void wake();

  /// Position of the next entry to be popped, or to be pushed.
  std::uint64_t head() const;
  std::uint64_t tail() const;
  /// Entries that were pushed out.
  std::uint64_t dropped_count() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::vector<StampedEvent> slots_;
  std::uint64_t head_ = 0;
  std::uint64_t tail_ = 0;
  std::uint64_t dropped_ = 0;
  bool is_waiting_ = false;
  bool is_woken_ = false;
};

}  // namespace skua
