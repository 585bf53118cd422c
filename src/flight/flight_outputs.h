// What a flight writes for the ground, and that none of it takes the place of what the flight reads or keeps.
#pragma once

#include <sys/types.h>

#include <compare>
#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include "core/trace_session.h"
#include "flight/flight_program.h"
#include "flight/flight_settings.h"
#include "flight/frame_source.h"
#include "flight/tile_map.h"
#include "skua/ports.h"
#include "skua/result.h"
#include "skua/runtime_config.h"

namespace skua::flight {

/// A file or folder under the name that the operator knows; an empty path: none.
struct NamedFile {
  std::string_view name;
  std::filesystem::path path;
};

/// What a file is, whatever path leads to it.
struct FileIdentity {
  dev_t device = 0;
  ino_t inode = 0;
  friend auto operator<=>(const FileIdentity&, const FileIdentity&) = default;
};

struct FlightFiles {
  std::vector<NamedFile> inputs;       ///< files that are read
  std::vector<NamedFile> folders;      ///< with all that is below them
  std::vector<FileIdentity> pictures;  ///< frames and tiles, sorted: links among them lead out of the folders
  NamedFile report, frame_lines, trace;
};

/// All that the flight reads or keeps: configuration, keys, libraries and recordings that it names, the
/// folders of sets, state, recorder and map, and the frames. Looks at every picture where an output is asked
/// for.
FlightFiles files_of(const FlightArguments& arguments, const RuntimeConfig& config,
                     const FlightSettings& settings, const FrameSource& frames, const TileMap& map);

/// Before any is opened: whether --report and --frame-lines are files of their own, neither an input nor in
/// one of the folders nor each other, by whatever path. InvalidArgumentError with both names, the path, and a
/// remedy. The trace is checked by start_trace().
Status check_flight_files(const FlightFiles& files);

/// Null without --trace. InvalidArgumentError: it is one of the others, or TraceSession::start's. Where the
/// aircraft is in the air (`is_restart`), no trace is worth a flight: c7.sink_lost says why there is none,
/// and null is returned; a disk that stands still is then given up after half a second.
Result<std::unique_ptr<TraceSession>> start_trace(const FlightFiles& files, bool is_restart,
                                                  EventSink& events);

}  // namespace skua::flight
