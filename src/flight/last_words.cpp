#include "flight/last_words.h"

#include <exception>
#include <utility>

#include "flight/flight_report.h"

namespace skua::flight {

void LastWords::set_events(EventPipeline* events) {
  const std::lock_guard lock(mutex_);
  events_ = events;
}

void LastWords::set_flight(FlightState* state, std::string set_id, const FlightProgress* progress) {
  const std::lock_guard lock(mutex_);
  state_ = state;
  set_id_ = std::move(set_id);
  progress_ = progress;
}

void LastWords::tell() {
  events_->emit(
      {Level::kWarn, "c7.flight_cut_short", "C7 ended by a signal while a run or a load was going on", {}});
  if (progress_ != nullptr) events_->emit(ended_event(set_id_, FlightEnd::kSignal, *progress_));
  static_cast<void>(events_->drain(kDrainLimit));
}

/// The words come first: ending the record waits for the disk.
void LastWords::say() noexcept {
  const std::lock_guard lock(mutex_);
  try {
    if (events_ != nullptr) tell();
  } catch (const std::exception&) {
    // No memory for a text. The record is ended all the same.
  }
  if (state_ != nullptr) state_->end();
}

}  // namespace skua::flight
