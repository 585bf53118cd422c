// What is said of a flight when it is over: --report and c7.flight_ended.
#pragma once

#include <filesystem>
#include <string>

#include "core/json_fwd.h"
#include "flight/flight_loop.h"
#include "flight/flight_settings.h"
#include "flight/flight_state.h"
#include "skua/airborne_bootstrap.h"

namespace skua::flight {

/// A flight that is over. References are to what it was flown with.
struct FlownFlight {
  const PreConstruction& built;
  const InferenceRuntime& runtime;
  const LightGlueRuntime& lightglue;
  const FlightSettings& settings;
  const std::string& lightglue_model;
  const FlightLoop& loop;
  FlightPhase phase = FlightPhase::kTakeOff;
  int start_count = 1;
  FlightEnd end = FlightEnd::kSignal;
  std::int64_t ready_ns = 0;  ///< from the program's start to engines warm and consumers composed
};

/// docs/formats/flight-report.md.
Json report_of(const FlownFlight& flight);
/// Writes it, whole or not at all. InvalidArgumentError naming the file.
Status write_report(const std::filesystem::path& file, const Json& report);
/// c7.flight_ended.
Event ended_event(const FlownFlight& flight);

}  // namespace skua::flight
