// The record of the flight in progress: whatever it says, the program starts, and a dry start changes
// nothing.
#include "bootstrap/flight_state.h"

#include "../fuzz.h"
#include "../fuzz_folder.h"

namespace {

class Listener final : public skua::EventSink {
 public:
  void emit(const skua::Event& event) noexcept override {
    ++count;
    skua::fuzz::require(skua::is_printable_utf8(event.message), "a text without control characters",
                        event.message);
  }
  int count = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skua;
  const test::TempFolder& place = fuzz::input_folder();
  const std::string_view text = fuzz::text_of(data, size);
  place.write(kFlightStateFile, text);
  Listener events;
  const auto dry = FlightState::open(posix_file_system(), place.path(), events, true);
  fuzz::require(dry.ok(), "a damaged record stops no start", dry.ok() ? "" : dry.error().describe());
  fuzz::require(place.read(kFlightStateFile) == text, "a dry start changes nothing");
  fuzz::require(events.count == 0 || dry->phase_for("set-1") == FlightPhase::kTakeOff,
                "what is told as damaged is a take-off");
  return 0;
}
