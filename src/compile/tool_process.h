// A vendor's command-line tool run by a compile half: no shell, a clean environment, an end for sure.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "skua/result.h"

namespace skua::compile {

/// The exit status of a tool that could not begin: ours when it cannot be executed, the system's when it
/// lacks a library.
inline constexpr int kToolNotStarted = 127;

struct ToolProcess {
  std::filesystem::path executable;      ///< absolute: no search path decides which tool runs
  std::vector<std::string> arguments;    ///< argv after the name, one each, as they are
  std::vector<std::string> environment;  ///< NAME=value, beside PATH, LC_ALL and TMPDIR
  std::filesystem::path working_folder;  ///< where it starts and writes its temporary files
  std::filesystem::path log;             ///< its stdout and stderr
  std::chrono::steady_clock::time_point deadline;
  std::function<bool()> stop_requested;  ///< asked often; true ends the tool
};

struct ToolEnd {
  int exit_status = 0;    ///< -1 when a signal ended it
  int signal = 0;         ///< 0: none
  std::string last_line;  ///< of its output, the last one that is not blank
};

/// Runs the tool in a process group of its own and waits for its end. The whole group is killed at the
/// deadline, when a stop is asked for, when the tool itself has ended, and when this process has, whatever
/// has ended it. A process that leaves the group ends with the build (inference/process_session.h).
/// EngineBuildError: builder_missing (no such executable), builder_timeout, cancelled; model_unsupported for
/// a command line that is too long.
Result<ToolEnd> run_tool(const ToolProcess& tool);

}  // namespace skua::compile
