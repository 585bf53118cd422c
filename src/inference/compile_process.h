// Runs the build executable. When that crashes, hangs or is killed, an error is all that reaches the caller.
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "skua/result.h"

namespace skua {

/// The child's exit status when the disk has no room for its response; its log is as mute as the response
/// then.
inline constexpr int kBuilderDiskFullStatus = 28;
/// How long a builder that is to end may take for it.
inline constexpr std::chrono::seconds kOrderlyEnd{2};

struct BuildProcess {
  std::filesystem::path executable;
  std::vector<std::string> arguments;    ///< before the request: what an interpreter is to run
  std::vector<std::string> environment;  ///< NAME=value, beside what every child gets
  std::filesystem::path request;         ///< read by the child
  std::filesystem::path response;        ///< written by the child
  std::filesystem::path log;             ///< the child's stderr
  std::chrono::seconds timeout{600};
  const std::atomic<bool>* cancel_requested = nullptr;
  std::function<bool()> stop_requested;               ///< the same question, for whoever has no flag
  std::function<void(std::string_view)> on_progress;  ///< each line of the child's stdout
};

/// Spawns the child in a process group of its own with a clean environment (never fork: the caller may
/// be Python with an SDK in its memory), waits, and ends the whole group on timeout or cancellation: with
/// SIGTERM, and with SIGKILL when that is not heeded within `kOrderlyEnd`. ok(): it exited with status 0.
/// EngineBuildError: builder_missing, disk_full, builder_crashed (with signal or status and the last log
/// lines), builder_timeout, cancelled.
Status run_build_process(const BuildProcess& process);

/// The last lines of a log file, at most `max_bytes`; empty when there is none.
std::string log_tail(const std::filesystem::path& log, std::size_t max_bytes = 2000);

}  // namespace skua
