#include <exception>

#include "skua/flight_recorder.h"

namespace skua {

CallbackRecorder::CallbackRecorder(std::function<void(const FlightRecord&)> callback)
    : callback_(std::move(callback)) {}

void CallbackRecorder::record(const FlightRecord& record) noexcept {
  try {
    callback_(record);
    problem_.clear();
    return;
  } catch (const std::exception& error) {
    problem_ = error.what();
  } catch (...) {
    problem_ = "an exception of unknown type";
  }
  ++lost_;
}

}  // namespace skua
