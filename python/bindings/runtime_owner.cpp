#include "runtime_owner.h"

#include <algorithm>
#include <mutex>
#include <thread>
#include <vector>

namespace skua::python {

/// Somebody inside; close() waits until nobody is.
class EventDoor::Pass {
 public:
  explicit Pass(EventDoor& door) noexcept : door_(door) { door_.inside_.fetch_add(1); }
  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;
  ~Pass() { door_.inside_.fetch_sub(1); }
  explicit operator bool() const noexcept { return door_.is_open_.load(); }

 private:
  EventDoor& door_;
};

void EventDoor::open(std::unique_ptr<EventPipeline> pipeline) noexcept {
  pipeline_ = std::move(pipeline);
  is_open_ = pipeline_ != nullptr;
}

void EventDoor::close() noexcept {
  if (!is_open_.exchange(false)) return;
  while (inside_.load() > 0) std::this_thread::yield();
  // A recorder in Python is slower than a file; what happened last is what is asked for.
  constexpr std::chrono::seconds kLastWords{1};
  static_cast<void>(pipeline_->drain(kLastWords));
  pipeline_.reset();
}

bool EventDoor::drain(std::chrono::milliseconds limit) {
  const Pass pass(*this);
  return !pass || pipeline_->drain(limit);
}

void EventDoor::emit(const Event& event) noexcept {
  if (const Pass pass(*this); pass) pipeline_->emit(event);
}

void EventDoor::post(const FrameEvent& event) noexcept {
  if (const Pass pass(*this); pass) pipeline_->post(event);
}

namespace {

std::mutex& owners_mutex() {
  static std::mutex mutex;
  return mutex;
}
std::vector<std::weak_ptr<RuntimeOwner>>& owners() {
  static std::vector<std::weak_ptr<RuntimeOwner>> list;
  return list;
}

}  // namespace

RuntimeOwner::~RuntimeOwner() {
  runtime.reset();
  flight.reset();
  events.close();
}

OwnerPointer make_owner() {
  OwnerPointer owner = make_kept<RuntimeOwner>();
  const std::lock_guard lock(owners_mutex());
  auto& list = owners();
  list.erase(std::remove_if(list.begin(), list.end(), [](const auto& entry) { return entry.expired(); }),
             list.end());
  list.push_back(owner);
  return owner;
}

void close_all() {
  if (is_forked()) return;
  std::vector<OwnerPointer> alive;
  {
    const std::lock_guard lock(owners_mutex());
    for (const auto& entry : owners()) {
      if (OwnerPointer owner = entry.lock()) alive.push_back(std::move(owner));
    }
  }
  without_gil([&] {
    for (const OwnerPointer& owner : alive) owner->events.close();
    return 0;
  });
}

}  // namespace skua::python
