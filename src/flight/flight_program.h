// skua-flight, from its command line to its exit status.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "flight/signal_watcher.h"
#include "skua/result.h"

namespace skua::flight {

struct FlightArguments {
  std::filesystem::path config;
  std::filesystem::path frames;  ///< empty: flight.frames of the configuration
  std::optional<double> duration_s;
  std::filesystem::path report, frame_lines, trace;  ///< empty: none
  bool check_only = false;                           ///< compose everything, fly nothing
};

/// What the process was started with.
struct ProcessSurroundings {
  std::span<const std::string> environment;  ///< SKUA_C7_* (config_layers.h)
  std::string notify_socket, watchdog_usec;
  std::int64_t started_ns = 0;  ///< monotonic
};

struct Outcome {
  Status status;  ///< why it did not fly, or what went wrong after it had; a flight that ended in order is ok
  bool has_flown = false;  ///< the frame loop was begun
};

/// Composes the component as the aircraft does and flies. A lost device is InferenceError (device_lost).
Outcome run_flight(const FlightArguments& arguments, const ProcessSurroundings& surroundings);

}  // namespace skua::flight
