// What is said of a flight when it is over: --report and c7.flight_ended.
#pragma once

#include <filesystem>
#include <string>

#include "bootstrap/flight_state.h"
#include "flight/flight_loop.h"
#include "flight/flight_settings.h"
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
  FlightPhase phase;
  int start_count;
  FlightEnd end;
  std::uint64_t frame_lines_lost = 0, trace_spans_lost = 0;
  std::int64_t ready_ns = 0;  ///< from the program's start to engines warm and consumers composed
};

/// docs/formats/flight-report.md, as text.
std::string report_text(const FlownFlight& flight);
/// Whether the folder of a report that is to be written is there, and nothing in the report's place that it
/// may not replace; an empty path asks for none. InvalidArgumentError.
Status check_report_folder(const std::filesystem::path& file);
/// Writes it, whole or not at all. InvalidArgumentError naming the file.
Status write_report(const std::filesystem::path& file, const std::string& text);
/// c7.flight_ended. From any thread.
Event ended_event(const std::string& set_id, FlightEnd end, const FlightProgress& progress);

}  // namespace skua::flight
