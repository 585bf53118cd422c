#include "flight/flight_outputs.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <initializer_list>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "core/output_file.h"

namespace skua::flight {
namespace {

/// What the disk of a trace may cost a restart in the air.
constexpr std::chrono::milliseconds kRestartLimit{500};

/// Also of what is not there yet: weakly_canonical leaves such a path relative.
std::filesystem::path whole_path(const std::filesystem::path& file, std::error_code& problem) {
  const std::filesystem::path from_root = std::filesystem::absolute(file, problem);
  return problem ? from_root : std::filesystem::weakly_canonical(from_root, problem);
}

bool is_same_file(const std::filesystem::path& one, const std::filesystem::path& other) {
  if (one.empty() || other.empty()) return false;
  std::error_code problem;
  if (std::filesystem::is_character_file(one, problem)) return false;  // /dev/null may be given twice
  if (std::filesystem::equivalent(one, other, problem)) return true;   // device and inode
  const auto whole_one = whole_path(one, problem);
  return !problem && whole_one == whole_path(other, problem) && !problem;
}

std::optional<FileIdentity> identity_of(const std::filesystem::path& file) noexcept {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return std::nullopt;
  return FileIdentity{status.st_dev, status.st_ino};
}

/// By device and inode of every folder on the way: no link leads around it, nor a second mount of the whole
/// folder.
bool lies_below(const std::filesystem::path& file, const std::filesystem::path& folder) {
  if (folder.empty()) return false;
  std::error_code problem;
  std::filesystem::path at = whole_path(file, problem);
  while (!problem && at.has_relative_path()) {
    at = at.parent_path();
    std::error_code is_not_there;
    if (std::filesystem::equivalent(at, folder, is_not_there)) return true;
  }
  return false;
}

Error not_its_own(const NamedFile& output, const std::string& found) {
  return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                    std::string(output.name) + " " + output.path.string() +
                        ": expected a file of its own, found that it " + found + "; name another one");
}

Status check_is_not(const NamedFile& output, const NamedFile& other) {
  if (!is_same_file(output.path, other.path)) return {};
  return not_its_own(output, "is " + std::string(other.name) + " (" + other.path.string() + ")");
}

Status check_own_file(const FlightFiles& files, const NamedFile& output,
                      std::initializer_list<const NamedFile*> outputs) {
  if (output.path.empty()) return {};
  for (const NamedFile& input : files.inputs) SKUA_RETURN_IF_ERROR(check_is_not(output, input));
  for (const NamedFile* const other : outputs) SKUA_RETURN_IF_ERROR(check_is_not(output, *other));
  for (const NamedFile& folder : files.folders) {
    if (lies_below(output.path, folder.path))
      return not_its_own(output, "lies in " + std::string(folder.name) + " (" + folder.path.string() +
                                     "), where the flight has what it needs");
  }
  const auto identity = identity_of(output.path);
  if (!identity || !std::binary_search(files.pictures.begin(), files.pictures.end(), *identity)) return {};
  return not_its_own(output, "is a picture of the frames or the map");
}

std::vector<FileIdentity> pictures_of(const FrameSource& frames, const TileMap& map) {
  std::vector<FileIdentity> pictures;
  const auto add = [&](const std::filesystem::path& file) {
    if (const auto identity = identity_of(file)) pictures.push_back(*identity);
  };
  for (std::size_t i = 0; i < frames.size(); ++i) add(frames.path(i));
  for (const Tile& tile : map.tiles) add(map.folder / tile.name);
  std::sort(pictures.begin(), pictures.end());
  return pictures;
}

void add_named(std::initializer_list<std::pair<std::string_view, const std::filesystem::path*>> given,
               std::vector<NamedFile>& into) {
  for (const auto& [name, path] : given) {
    into.emplace_back().name = name;
    into.back().path = *path;
  }
}

/// Asking where the trace is, and whether it is another file, waits for its disk as opening it does.
Result<Descriptor> open_trace(const FlightFiles& files) {
  SKUA_RETURN_IF_ERROR(check_own_file(files, files.trace, {&files.report, &files.frame_lines}));
  return open_output("--trace", files.trace.path);
}

}  // namespace

FlightFiles files_of(const FlightArguments& arguments, const RuntimeConfig& config,
                     const FlightSettings& settings, const FrameSource& frames, const TileMap& map) {
  FlightFiles files;
  std::error_code is_not_there;
  const bool is_folder = std::filesystem::is_directory(settings.frames, is_not_there);
  add_named({{"--config", &arguments.config},
             {"trusted_key", &config.trusted_key},
             {"next_trusted_key", &config.next_trusted_key},
             {"thermal_replay", &config.thermal_replay},
             {"onnxruntime_library", &config.onnxruntime_library},
             {"torch_library", &config.torch_library}},
            files.inputs);
  add_named({{"flight_sets_dir", &config.flight_sets_dir},
             {"state_dir", &config.state_dir},
             {"recorder_dir", &config.recorder_dir},
             {"the map", &settings.map}},
            files.folders);
  add_named({{is_folder ? "the frames" : "the replay file", &settings.frames}},
            is_folder ? files.folders : files.inputs);
  files.report.name = "--report", files.report.path = arguments.report;
  files.frame_lines.name = "--frame-lines", files.frame_lines.path = arguments.frame_lines;
  files.trace.name = "--trace", files.trace.path = arguments.trace;
  const bool has_output =
      !arguments.report.empty() || !arguments.frame_lines.empty() || !arguments.trace.empty();
  if (has_output) files.pictures = pictures_of(frames, map);
  return files;
}

Status check_flight_files(const FlightFiles& files) {
  SKUA_RETURN_IF_ERROR(check_own_file(files, files.report, {}));
  return check_own_file(files, files.frame_lines, {&files.report});
}

Result<std::unique_ptr<TraceSession>> start_trace(const FlightFiles& files, bool is_restart,
                                                  EventSink& events) {
  if (files.trace.path.empty()) return std::unique_ptr<TraceSession>();
  TraceOptions options;
  options.file = files.trace.path;
  options.process = "skua-flight";
  options.open = [files] { return open_trace(files); };
  options.events = &events;
  if (is_restart) options.begin_limit = kRestartLimit;
  auto trace = TraceSession::start(std::move(options));
  if (trace.ok() || !is_restart) return trace;
  const std::string& problem = trace.error().message;
  events.emit({Level::kWarn,
               "c7.sink_lost",
               "trace is left out, and the flight goes on: " + problem,
               {{"sink", std::string("trace")}, {"lost_count", std::int64_t{0}}, {"problem", problem}}});
  return std::unique_ptr<TraceSession>();
}

}  // namespace skua::flight
