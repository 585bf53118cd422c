#include "events/event_queue.h"

#include <algorithm>
#include <utility>

namespace skua {

EventQueue::EventQueue(std::size_t capacity) : slots_(std::max<std::size_t>(capacity, 1)) {}

void EventQueue::push(StampedEvent event) {
  bool is_waiting = false;
  {
    const std::lock_guard lock(mutex_);
    if (tail_ - head_ == slots_.size()) {
      ++head_;
      ++dropped_;
    }
    std::swap(slots_[tail_ % slots_.size()], event);  // `event` frees what was there after the unlock
    ++tail_;
    is_waiting = is_waiting_;
  }
  if (is_waiting) ready_.notify_one();
}

bool EventQueue::pop(StampedEvent& event, std::uint64_t& position) {
  event = {};
  const std::lock_guard lock(mutex_);
  if (head_ == tail_) return false;
  position = head_++;
  std::swap(slots_[position % slots_.size()], event);
  return true;
}

void EventQueue::wait(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  is_waiting_ = true;
  ready_.wait_for(lock, limit, [this] { return head_ != tail_ || is_woken_; });
  is_waiting_ = false;
  is_woken_ = false;
}

void EventQueue::wake() {
  {
    const std::lock_guard lock(mutex_);
    is_woken_ = true;
  }
  ready_.notify_one();
}

std::uint64_t EventQueue::head() const {
  const std::lock_guard lock(mutex_);
  return head_;
}

std::uint64_t EventQueue::tail() const {
  const std::lock_guard lock(mutex_);
  return tail_;
}

std::uint64_t EventQueue::dropped_count() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

}  // namespace skua
