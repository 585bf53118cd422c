// The block `flight` of the configuration: what skua-flight itself needs, beside the stack's components.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "skua/result.h"

namespace skua::flight {

/// Frozen once read.
struct FlightSettings {
  std::filesystem::path frames;  ///< folder or replay file; --frames comes before it
  std::filesystem::path map;     ///< folder with map.json
  double rate_hz = 3.0;          ///< 0.1 to 100
  double deadline_ms = 400.0;    ///< of a frame, from when it was due: the stack's budget; 1 to 60000
  std::string vpr_model = "ultravpr", features_model = "disk", adhop_model = "adhop";
  std::size_t candidates = 10;        ///< tiles that C2 hands to C2.5; 1 to 100
  std::size_t matches = 3;            ///< K of C3 and C4
  std::size_t matches_throttled = 2;  ///< K while thermal_state() says throttled
  std::size_t min_inliers = 12;       ///< of a position; 5 to 10000
  double adhop_below_share = 0.5;     ///< inliers among the matches below which AdHoP is asked; 0: never
  double adhop_min_period_s = 1.0;    ///< the stack allows AdHoP less than once a second
};

/// Reads the block of `file`; without one, the defaults. Relative paths are relative to the file's folder.
/// InvalidArgumentError with file, line and column: an unknown or repeated key, a value out of range.
Result<FlightSettings> read_flight_settings(const std::filesystem::path& file);

}  // namespace skua::flight
