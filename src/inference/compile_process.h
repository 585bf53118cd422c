// Runs the build executable. When that crashes, hangs or is killed, an error is all that reaches the caller.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "skua/result.h"

namespace skua {

/// The child's exit status when the disk has no room for its response; its log is as mute as the response
/// then.
inline constexpr int kBuilderDiskFullStatus = 28;
/// The same when it could not even say that it had no memory left.
inline constexpr int kBuilderMemoryStatus = 29;
/// A build takes a handful of processes at most: the builder, a vendor's tool and its guard, a nested build.
inline constexpr std::size_t kMostBuildProcesses = 32;
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
  /// Most that all its processes may have resident together; 0: as much as there is.
  std::uint64_t memory_limit_bytes = 0;
  /// False for a build within a build, which may not begin a session and is ended with the outer one.
  bool has_own_session = true;
  const std::atomic<bool>* cancel_requested = nullptr;
  std::function<bool()> stop_requested;               ///< the same question, for whoever has no flag
  std::function<void(std::string_view)> on_progress;  ///< each line of the child's stdout
};

/// Spawns the child in a session of its own, without a terminal, with a clean environment and no descriptor
/// of the caller's beside the three standard ones (never fork: the caller may be Python with an SDK in its
/// memory), waits, and ends the whole session on timeout, on cancellation, when it has more than
/// `kMostBuildProcesses` processes or more memory than allowed, and when the child has ended: with SIGTERM,
/// and with SIGKILL when that is not heeded within `kOrderlyEnd`. ok(): it exited with status 0.
/// EngineBuildError: builder_missing, disk_full, builder_memory, builder_crashed (with signal or status and
/// the last log lines), builder_timeout, cancelled.
Status run_build_process(const BuildProcess& process);

/// The last lines of a log file, at most `max_bytes`; empty when there is none, and for what is no regular
/// file: the child may have put anything in its place.
std::string log_tail(const std::filesystem::path& log, std::size_t max_bytes = 2000);

}  // namespace skua
