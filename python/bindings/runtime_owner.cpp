#include "runtime_owner.h"

#include <algorithm>
#include <utility>

namespace skua::python {

/// Somebody inside; close() waits until nobody is.
class EventDoor::Pass {
 public:
  explicit Pass(EventDoor& door) noexcept : door_(door) { door_.inside_.fetch_add(1); }
  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;
  ~Pass() {
    door_.inside_.fetch_sub(1);
    if (door_.is_open_.load()) return;
    const std::lock_guard lock(door_.leaving_);
    door_.left_.notify_all();
  }
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
  {
    std::unique_lock lock(leaving_);
    left_.wait(lock, [this] { return inside_.load() == 0; });
  }
  // A recorder in Python is slower than a file; what happened last is what is asked for.
  constexpr std::chrono::seconds kLastWords{1};
  static_cast<void>(pipeline_->drain(kLastWords));
  pipeline_.reset();
}

bool EventDoor::drain(std::chrono::milliseconds limit, const std::function<bool()>& is_given_up) {
  using std::chrono::milliseconds;
  constexpr milliseconds kFirst{50}, kLongest{1000};
  const Pass pass(*this);
  if (!pass) return true;
  const auto deadline = std::chrono::steady_clock::now() + limit;
  // Each look asks for what was told until then: few looks, so that a slow recorder under load gets there.
  for (milliseconds look = kFirst;; look = std::min(2 * look, kLongest)) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
    if (pipeline_->drain(std::clamp(left, milliseconds(0), look))) return true;
    if (left <= look || !is_open_ || is_given_up()) return false;
  }
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

RuntimeOwner::RuntimeOwner() { note_owner(1); }

RuntimeOwner::~RuntimeOwner() {
  runtime.reset();
  flight.reset();
  events.close();
  note_owner(-1);
}

void close(RuntimeOwner& owner) {
  owner.is_closed = true;
  std::vector<EngineHandle> engines;
  for (const auto& entry : owner.bounds) {
    if (const auto bound = entry.lock()) engines.push_back(bound->handle);
  }
  for (const auto& entry : owner.engines) {
    const auto engine = entry.lock();
    if (engine && engine->handle) engines.push_back(std::exchange(engine->handle, EngineHandle()));
  }
  without_gil([&] {
    for (EngineHandle& engine : engines) owner.runtime->release_engine(engine);
    owner.events.close();
    return 0;
  });
}

void check_open(const RuntimeOwner& owner) {
  check_process();
  if (owner.is_closed)
    raise_argument(Reason::kInvalidArgument, "this runtime was closed: expected an open one; build another");
}

OwnerPointer make_owner() {
  OwnerPointer owner = make_kept<RuntimeOwner>();
  const std::lock_guard lock(owners_mutex());
  remember(owners(), owner);
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
