#include "flight/flight_outputs.h"

#include <string>
#include <system_error>
#include <utility>

namespace skua::flight {
namespace {

bool is_same_file(const std::filesystem::path& one, const std::filesystem::path& other) {
  if (one.empty() || other.empty()) return false;
  std::error_code problem;
  if (std::filesystem::is_character_file(one, problem)) return false;  // /dev/null may be given twice
  if (std::filesystem::equivalent(one, other, problem)) return true;   // device and inode
  const auto whole_one = std::filesystem::weakly_canonical(one, problem);
  return !problem && whole_one == std::filesystem::weakly_canonical(other, problem) && !problem;
}

Status check_own_file(const NamedFile& output, const std::vector<NamedFile>& others) {
  for (const NamedFile& other : others) {
    if (!is_same_file(output.path, other.path)) continue;
    return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                      std::string(output.name) + " " + output.path.string() +
                          ": expected a file of its own, found that it is " + std::string(other.name) + " (" +
                          other.path.string() + "); name another one");
  }
  return {};
}

Result<std::unique_ptr<TraceSession>> start_checked(const FlightFiles& files, EventSink& events) {
  std::vector<NamedFile> others = files.inputs;
  others.insert(others.end(), {files.report, files.frame_lines});
  SKUA_RETURN_IF_ERROR(check_own_file(files.trace, others));
  TraceOptions options;
  options.file = files.trace.path;
  options.process = "skua-flight";
  options.events = &events;
  return TraceSession::start(std::move(options));
}

}  // namespace

Status check_flight_files(const FlightFiles& files) {
  SKUA_RETURN_IF_ERROR(check_own_file(files.report, files.inputs));
  std::vector<NamedFile> others = files.inputs;
  others.push_back(files.report);
  return check_own_file(files.frame_lines, others);
}

Result<std::unique_ptr<TraceSession>> start_trace(const FlightFiles& files, bool is_restart,
                                                  EventSink& events) {
  if (files.trace.path.empty()) return std::unique_ptr<TraceSession>();
  auto trace = start_checked(files, events);
  if (trace.ok() || !is_restart) return trace;
  const std::string& problem = trace.error().message;
  events.emit({Level::kWarn,
               "c7.sink_lost",
               "trace is left out, and the flight goes on: " + problem,
               {{"sink", std::string("trace")}, {"lost_count", std::int64_t{0}}, {"problem", problem}}});
  return std::unique_ptr<TraceSession>();
}

}  // namespace skua::flight
