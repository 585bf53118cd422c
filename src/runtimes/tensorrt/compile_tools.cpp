// The routes trtexec and polygraphy: run, judged, and its plan taken over under its final name.
#include "runtimes/tensorrt/compile_tools.h"

#include <fstream>
#include <span>
#include <sstream>
#include <system_error>

#include "compile/source_file.h"
#include "core/filesystem.h"
#include "core/text.h"
#include "runtimes/tensorrt/compile_steps.h"
#include "runtimes/tensorrt/compile_timing.h"

namespace skua::tensorrt {
namespace {

using compile::build_error;
using compile::ToolEnd;

constexpr std::size_t kMaxLogTail = 1500;

std::string tail(std::string_view log) {
  return std::string(log.substr(log.size() > kMaxLogTail ? log.size() - kMaxLogTail : 0));
}

Error tool_failed(Reason reason, const std::string& tool, const std::string& what, std::string_view log) {
  return build_error(reason, tool + " " + what + "; nothing was published. Last log lines: " + tail(log));
}

Status check_exit(const ToolEnd& end, const std::string& tool, std::string_view log) {
  if (end.signal != 0)
    return tool_failed(Reason::kBuilderCrashed, tool, "was killed by signal " + std::to_string(end.signal),
                       log);
  if (end.exit_status == 0) return {};
  if (end.exit_status == compile::kToolNotStarted)
    return tool_failed(Reason::kBuilderMissing, tool,
                       "cannot be started here; set its path to a tool that runs", log);
  return tool_failed(Reason::kModelUnsupported, tool, "ended with status " + std::to_string(end.exit_status),
                     log);
}

/// The release in Polygraphy's "[V] Loaded Module: tensorrt | Version: 10.3.0 | Path: ..."; empty when it
/// says none.
std::string polygraphy_version(std::string_view log) {
  constexpr std::string_view kBefore = "Loaded Module: tensorrt | Version: ";
  const auto at = log.find(kBefore);
  if (at == std::string_view::npos) return "";
  const std::string_view rest = log.substr(at + kBefore.size());
  return std::string(rest.substr(0, rest.find_first_of(" \n")));
}

Error foreign(const std::string& tool, int expected, const std::string& found) {
  return build_error(Reason::kSdkForeign, tool + ": expected TensorRT " + version_text(expected) +
                                              ", found " + (found.empty() ? "no version" : found) + "; set " +
                                              tool + " to the tool of the installed TensorRT");
}

/// The number in "&&&& RUNNING TensorRT.trtexec [TensorRT v100300] # ..."; nothing when it says none.
std::optional<std::uint64_t> trtexec_version(std::string_view log) {
  constexpr std::string_view kBefore = "[TensorRT v";
  const auto at = log.find(kBefore);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = log.substr(at + kBefore.size());
  return parse_uint64(rest.substr(0, rest.find(']')));
}

std::string read_log(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

ToolFiles files_of(const CompileState& state) {
  return {state.source_path(),       state.staged("plan.partial"),      state.staged("timing.partial"),
          state.request.staging_dir, state.staged("calibration.cache"), state.calibration.algorithm};
}

/// Judged once more, against the network: a tool tells nobody of a tensor without a scale.
Status stage_calibration_cache(const CompileState& state, const ToolFiles& files) {
  if (state.options.ranges != RangeSource::kCache) return {};
  const std::string& text = *state.calibration.cache;
  SKUA_RETURN_IF_ERROR(
      check_cache(text, state.calibration.algorithm, activation_tensors(*state.parsed.network)));
  SKUA_ASSIGN_OR_RETURN(const auto folder, posix_file_system().open_folder(state.request.staging_dir));
  SKUA_ASSIGN_OR_RETURN(const auto file, folder->create(files.calibration_cache.filename().string()));
  return file->write(std::as_bytes(std::span(text)));
}

Status take_calibration_cache(CompileState& state, const ToolFiles& files, std::string_view log) {
  if (state.options.ranges != RangeSource::kCache) return {};
  SKUA_RETURN_IF_ERROR(check_cache_used(std::string(to_string(state.options.route)), log,
                                        *state.calibration.cache, read_log(files.calibration_cache)));
  state.calibration.used = state.calibration.cache;
  return {};
}

Result<ToolEnd> run(const CompileState& state, const std::filesystem::path& executable,
                    std::vector<std::string> arguments, const std::filesystem::path& log,
                    std::vector<std::string> environment) {
  compile::ToolProcess tool;
  tool.executable = executable;
  // Neither tool is to write beside its own files.
  environment.push_back("CUDA_CACHE_PATH=" + state.request.staging_dir.string());
  environment.emplace_back("PYTHONDONTWRITEBYTECODE=1");
  tool.environment = std::move(environment);
  tool.arguments = std::move(arguments);
  tool.working_folder = state.request.staging_dir;
  tool.log = log;
  tool.deadline = state.stop.deadline();
  tool.stop_requested = [&state] { return state.stop.reason() == Reason::kCancelled; };
  return compile::run_tool(tool);
}

/// trtexec of an unpacked SDK finds the libraries that we have, and no others.
std::string library_folder_of(const CompileState& state) {
  return std::filesystem::absolute(state.library.path).parent_path().string();
}

/// What a tool says of its own success counts for nothing without a plan.
Status take_plan(const CompileState& state, const ToolFiles& files, const std::string& tool,
                 std::string_view log) {
  std::error_code error;
  const bool is_file = std::filesystem::is_regular_file(std::filesystem::symlink_status(files.plan, error));
  if (!is_file || std::filesystem::file_size(files.plan, error) == 0)
    return tool_failed(Reason::kBuilderCrashed, tool, "says that it has succeeded, but wrote no plan", log);
  std::filesystem::rename(files.plan, state.artifact_path(), error);
  if (!error) return {};
  return build_error(Reason::kIo, "cannot rename " + files.plan.string() + ": " + error.message());
}

}  // namespace

Status judge_trtexec(const ToolEnd& end, std::string_view log, int version) {
  SKUA_RETURN_IF_ERROR(check_exit(end, "trtexec", log));
  if (!end.last_line.starts_with("&&&& PASSED TensorRT.trtexec"))
    return tool_failed(Reason::kModelUnsupported, "trtexec",
                       "ended with status 0, but its last line is not PASSED", log);
  const auto found = trtexec_version(log);
  if (found && *found == static_cast<std::uint64_t>(version)) return {};
  return foreign("trtexec", version, found ? version_text(static_cast<std::int32_t>(*found)) : "");
}

Status judge_polygraphy(const ToolEnd& end, std::string_view log, int version) {
  SKUA_RETURN_IF_ERROR(check_exit(end, "polygraphy", log));
  if (end.last_line.starts_with("[!]") || end.last_line.starts_with("[E]"))
    return tool_failed(Reason::kModelUnsupported, "polygraphy",
                       "ended with status 0, but its last line is an error", log);
  // Python's package has a fourth number or a suffix: "10.3.0.post1".
  const std::string found = polygraphy_version(log), expected = version_text(version);
  if (found == expected || found.starts_with(expected + ".")) return {};
  return foreign("polygraphy", version, found);
}

// The first text is TensorRT's own, which trtexec and Polygraphy show.
Status check_cache_used(const std::string& tool, std::string_view log, std::string_view given,
                        std::string_view found) {
  const bool has_calibrated = log.find("Starting Calibration") != std::string_view::npos;
  if (!has_calibrated && given == found) return {};
  return build_error(Reason::kCalibrationIncomplete,
                     "build_route " + tool + ": expected TensorRT to take its scales from the cache, found " +
                         (has_calibrated ? "that it calibrated on the tool's own random data"
                                         : "another text in the cache") +
                         "; use build_route builder");
}

Status build_with_trtexec(CompileState& state) {
  const ToolFiles files = files_of(state);
  SKUA_RETURN_IF_ERROR(stage_calibration_cache(state, files));
  SKUA_ASSIGN_OR_RETURN(std::vector<std::string> arguments, trtexec_arguments(state.options, files));
  const bool has_cache = stage_timing_cache(state, files.timing_cache);
  const auto log_path = state.staged("trtexec.log");
  SKUA_ASSIGN_OR_RETURN(const ToolEnd end, run(state, state.request.config.trtexec, std::move(arguments),
                                               log_path, {"LD_LIBRARY_PATH=" + library_folder_of(state)}));
  const std::string log = read_log(log_path);
  SKUA_RETURN_IF_ERROR(judge_trtexec(end, log, kCompiledVersion));
  SKUA_RETURN_IF_ERROR(take_calibration_cache(state, files, log));
  SKUA_RETURN_IF_ERROR(take_plan(state, files, "trtexec", log));
  if (has_cache) judge_timing_cache(state, log);
  return keep_timing_cache(state, files.timing_cache);
}

Status build_with_polygraphy(CompileState& state) {
  const auto& executable = state.request.config.polygraphy;
  if (executable.empty()) {
    return build_error(
        Reason::kBuilderMissing,
        "build_route polygraphy: expected the tool's path in the configuration field polygraphy, found "
        "none; install polygraphy and set it");
  }
  const ToolFiles files = files_of(state);
  SKUA_RETURN_IF_ERROR(stage_calibration_cache(state, files));
  const bool has_cache = stage_timing_cache(state, files.timing_cache);
  SKUA_ASSIGN_OR_RETURN(std::vector<std::string> arguments,
                        polygraphy_arguments(state.options, files, has_cache));
  const auto log_path = state.staged("polygraphy.log");
  SKUA_ASSIGN_OR_RETURN(const ToolEnd end, run(state, executable, std::move(arguments), log_path, {}));
  const std::string log = read_log(log_path);
  SKUA_RETURN_IF_ERROR(judge_polygraphy(end, log, kCompiledVersion));
  SKUA_RETURN_IF_ERROR(take_calibration_cache(state, files, log));
  SKUA_RETURN_IF_ERROR(take_plan(state, files, "polygraphy", log));
  if (has_cache) judge_timing_cache(state, log);
  return keep_timing_cache(state, files.timing_cache);
}

}  // namespace skua::tensorrt
