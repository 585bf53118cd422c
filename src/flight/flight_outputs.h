// What a flight writes for the ground, and that none of it takes the place of what the flight reads.
#pragma once

#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include "core/trace_session.h"
#include "skua/ports.h"
#include "skua/result.h"

namespace skua::flight {

/// A file under the name that the operator knows; an empty path: none.
struct NamedFile {
  std::string_view name;
  std::filesystem::path path;
};

struct FlightFiles {
  std::vector<NamedFile> inputs;
  NamedFile report, frame_lines, trace;
};

/// Before any is opened: whether --report and --frame-lines are files of their own, neither an input nor each
/// other, by whatever path. InvalidArgumentError with both names, the path, and a remedy. The trace is
/// checked by start_trace().
Status check_flight_files(const FlightFiles& files);

/// Null without --trace. InvalidArgumentError: it is one of the others, or TraceSession::start's. Where the
/// aircraft is in the air (`is_restart`), no trace is worth a flight: c7.sink_lost says why there is none,
/// and null is returned.
Result<std::unique_ptr<TraceSession>> start_trace(const FlightFiles& files, bool is_restart,
                                                  EventSink& events);

}  // namespace skua::flight
