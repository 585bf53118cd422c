#include <exception>

#include "skua/flight_recorder.h"

namespace skua {

CallbackRecorder::CallbackRecorder(std::function<void(const FlightRecord&)> callback, std::string name)
    : callback_(std::move(callback)), name_(std::move(name)) {}

void CallbackRecorder::record(const FlightRecord& record) noexcept {
  try {
    callback_(record);
    problem_.clear();
  } catch (const std::exception& error) {
    lose(error.what());
  } catch (...) {
    lose("an exception of unknown type");
  }
}

/// The callback may have failed because memory ran out, and then this text may have no room either.
void CallbackRecorder::lose(const char* problem) noexcept {
  ++lost_;
  try {
    problem_ = problem;
  } catch (...) {
    problem_ = "no memory";  // short enough to need none
  }
}

}  // namespace skua
