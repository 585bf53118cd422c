// What is said and done when the program is ended from outside while it is inside of something that cannot be
// interrupted: a run of a network, or a load.
#pragma once

#include <chrono>
#include <mutex>
#include <string>

#include "bootstrap/flight_state.h"
#include "events/event_pipeline.h"
#include "flight/flight_loop.h"

namespace skua::flight {

/// Told by the program's thread what there is to end; spoken by the signal watcher's thread. What it was
/// given must live until `SignalWatcher::ended()` has returned.
class LastWords {
 public:
  void set_events(EventPipeline* events);
  void set_flight(FlightState* state, std::string set_id, const FlightProgress* progress);

  /// Ends the flight's record, tells c7.flight_cut_short and, in flight, c7.flight_ended with the counts so
  /// far, and waits for them to be written for at most kDrainLimit. Never throws.
  void say() noexcept;

  static constexpr std::chrono::milliseconds kDrainLimit{40};

 private:
  void tell();

  std::mutex mutex_;  ///< guards the rest
  EventPipeline* events_ = nullptr;
  FlightState* state_ = nullptr;
  std::string set_id_;
  const FlightProgress* progress_ = nullptr;
};

}  // namespace skua::flight
