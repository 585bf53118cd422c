// What stands behind skua.InferenceRuntime: the runtime with the event pipeline that it tells, let go in the
// right order by whoever is the last to hold a handle of it.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "bootstrap/event_setup.h"
#include "bootstrap/flight_state.h"
#include "process.h"
#include "skua/airborne_bootstrap.h"
#include "skua/runtime_factory.h"

namespace skua::python {

/// The event sink of a runtime. Once closed it drops everything: at the interpreter's exit handles may
/// outlive the pipeline. Thread-safe; what passes takes no lock.
class EventDoor final : public EventSink {
 public:
  void open(std::unique_ptr<EventPipeline> pipeline) noexcept;
  /// Waits for whoever is inside, then ends the pipeline. Without the GIL: its thread may want it.
  void close() noexcept;
  /// See EventPipeline::drain. True where nobody listens.
  bool drain(std::chrono::milliseconds limit);
  void emit(const Event& event) noexcept override;
  void post(const FrameEvent& event) noexcept override;

 private:
  class Pass;
  std::unique_ptr<EventPipeline> pipeline_;
  std::atomic<bool> is_open_{false};
  std::atomic<int> inside_{0};
};

/// Freed without the GIL (FreeOutside): the runtime, the flight's record, then the pipeline that they tell.
struct RuntimeOwner {
  EventDoor events;
  std::optional<FlightState> flight;  ///< airborne: holds the state folder's lock
  std::mutex flight_mutex;  ///< for every call of `flight` once Python has it; taken without the GIL
  std::atomic<bool> cancel_requested{false};
  std::shared_ptr<InferenceRuntime> runtime;

  RuntimeOwner() = default;
  RuntimeOwner(const RuntimeOwner&) = delete;
  RuntimeOwner& operator=(const RuntimeOwner&) = delete;
  ~RuntimeOwner();
};
using OwnerPointer = std::shared_ptr<RuntimeOwner>;

OwnerPointer make_owner();
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
