// What stands behind skua.InferenceRuntime: the runtime with the event pipeline that it tells, let go in the
// right order by whoever is the last to hold a handle of it.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "bootstrap/event_setup.h"
#include "bootstrap/flight_state.h"
#include "process.h"
#include "skua/airborne_bootstrap.h"
#include "skua/runtime_factory.h"
#include "turns.h"

namespace skua::python {

/// The event sink of a runtime. Once closed it drops everything: at the interpreter's exit handles may
/// outlive the pipeline. Thread-safe; what passes takes no lock.
class EventDoor final : public EventSink {
 public:
  void open(std::unique_ptr<EventPipeline> pipeline) noexcept;
  /// Ends the drains in progress and waits for whoever is inside, then ends the pipeline. Without the GIL:
  /// its thread may want it.
  void close() noexcept;
  /// See EventPipeline::drain. True where nobody listens.
  bool drain(std::chrono::milliseconds limit, const std::function<bool()>& is_given_up);
  void emit(const Event& event) noexcept override;
  void post(const FrameEvent& event) noexcept override;

 private:
  class Pass;
  std::unique_ptr<EventPipeline> pipeline_;
  std::atomic<bool> is_open_{false};
  std::atomic<int> inside_{0};
  std::mutex leaving_;  ///< taken by whoever leaves once it is closed
  std::condition_variable left_;
};

struct EngineRef;
struct BoundRef;

/// Freed without the GIL (FreeOutside): the runtime, the flight's record, then the pipeline that they tell.
struct RuntimeOwner {
  EventDoor events;
  std::optional<FlightState> flight;  ///< airborne: holds the state folder's lock
  std::mutex flight_mutex;  ///< for every call of `flight` once Python has it; taken without the GIL
  std::atomic<bool> cancel_requested{false};  ///< the runtime knows this one flag: one compile at a time
  Turns compiles;
  std::shared_ptr<InferenceRuntime> runtime;
  /// What close() releases. With the GIL, as `is_closed`.
  std::vector<std::weak_ptr<EngineRef>> engines;
  std::vector<std::weak_ptr<BoundRef>> bounds;
  bool is_closed = false;

  RuntimeOwner();
  RuntimeOwner(const RuntimeOwner&) = delete;
  RuntimeOwner& operator=(const RuntimeOwner&) = delete;
  ~RuntimeOwner();
};
using OwnerPointer = std::shared_ptr<RuntimeOwner>;

/// Adds to a list of what may go by itself.
template <typename T>
void remember(std::vector<std::weak_ptr<T>>& list, const std::shared_ptr<T>& added) {
  std::erase_if(list, [](const auto& entry) { return entry.expired(); });
  list.push_back(added);
}

OwnerPointer make_owner();
/// Releases the engines, then ends the pipeline with its recorders; the runtime itself goes with its last
/// holder, since handles and bound inferences refer to it. Idempotent. With the GIL.
void close(RuntimeOwner& owner);
/// Refuses every call of a runtime that was closed, or that a forked child inherited.
void check_open(const RuntimeOwner& owner);

/// Closes the event pipeline of every owner there is; for the interpreter's exit, with the GIL.
void close_all();

/// The classes of handles. Each keeps the owner, and with it the runtime and the pipeline, alive.
struct EngineRef {
  OwnerPointer owner;
  EngineHandle handle;
};
struct LaneRef {
  OwnerPointer owner;
  Lane lane;
};
struct BoundRef {
  OwnerPointer owner;
  EngineHandle handle;
  EngineInfo info;
  BoundInference bound;
  Error last_error;  ///< of the last run that failed; kNone: none has
};

}  // namespace skua::python
