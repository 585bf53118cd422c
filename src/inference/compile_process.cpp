#include "inference/compile_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <thread>
#include <vector>

#include "core/descriptor.h"
#include "inference/process_session.h"

namespace skua {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

Error build_error(Reason reason, std::string message, int native = 0) {
  return make_error(ErrorCode::kEngineBuild, reason, std::move(message), native);
}

/// What a build process begins with, whoever its caller is.
class SpawnOptions {
 public:
  SpawnOptions() {
    posix_spawn_file_actions_init(&files_);
    posix_spawnattr_init(&attributes_);
  }
  SpawnOptions(const SpawnOptions&) = delete;
  SpawnOptions& operator=(const SpawnOptions&) = delete;
  ~SpawnOptions() {
    posix_spawn_file_actions_destroy(&files_);
    posix_spawnattr_destroy(&attributes_);
  }

  /// 0, or why it cannot be: a child without one of these would not be the one that was asked for.
  int set(const BuildProcess& process, int progress_fd) {
    sigset_t none;
    sigemptyset(&none);
    const int group = process.has_own_session ? POSIX_SPAWN_SETSID : POSIX_SPAWN_SETPGROUP;
    const std::array<int, 7> errors = {
        posix_spawn_file_actions_addopen(&files_, STDIN_FILENO, "/dev/null", O_RDONLY, 0),
        posix_spawn_file_actions_adddup2(&files_, progress_fd, STDOUT_FILENO),
        posix_spawn_file_actions_addopen(&files_, STDERR_FILENO, process.log.c_str(),
                                         O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644),
        // The caller may be a program with descriptors that it lets its children have: locks of folders would
        // live on in them.
        posix_spawn_file_actions_addclosefrom_np(&files_, STDERR_FILENO + 1),
        posix_spawnattr_setsigmask(&attributes_, &none), posix_spawnattr_setpgroup(&attributes_, 0),
        posix_spawnattr_setflags(&attributes_, static_cast<short>(group | POSIX_SPAWN_SETSIGMASK))};
    const auto failed = std::find_if(errors.begin(), errors.end(), [](int error) { return error != 0; });
    return failed == errors.end() ? 0 : *failed;
  }

  const posix_spawn_file_actions_t* files() const noexcept { return &files_; }
  const posix_spawnattr_t* attributes() const noexcept { return &attributes_; }

 private:
  posix_spawn_file_actions_t files_{};
  posix_spawnattr_t attributes_{};
};

/// As exec wants it: the texts, then a null pointer.
std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

Error not_started(const BuildProcess& process, int error) {
  const bool is_missing = error == ENOENT || error == EACCES || error == ENOEXEC || error == ENOTDIR;
  const bool is_memory = error == ENOMEM;
  return make_error(is_memory ? ErrorCode::kOutOfMemory : ErrorCode::kEngineBuild,
                    is_missing  ? Reason::kBuilderMissing
                    : is_memory ? Reason::kOutOfMemory
                                : Reason::kIo,
                    "cannot start the build executable " + process.executable.string() + ": " +
                        std::strerror(error) +
                        (is_missing ? "; install Skua's ground package"
                                    : "; end other programs, or raise this one's limits"),
                    error);
}

Result<pid_t> spawn(const BuildProcess& process, int progress_fd) {
  std::vector<std::string> words{process.executable.string()};
  words.insert(words.end(), process.arguments.begin(), process.arguments.end());
  for (const auto& path : {process.request, process.response}) words.push_back(path.string());
  words.push_back(std::to_string(::getpid()));
  std::vector<char*> arguments = pointers_to(words);
  // A clean environment: what a builder does must depend on the request alone. Some libraries write temporary
  // files; those go to the staging folder too.
  std::vector<std::string> settings{"PATH=/usr/bin:/bin", "LC_ALL=C", "ORT_DISABLE_TELEMETRY=1",
                                    "TMPDIR=" + process.request.parent_path().string()};
  settings.insert(settings.end(), process.environment.begin(), process.environment.end());
  std::vector<char*> environment = pointers_to(settings);
  SpawnOptions options;
  pid_t pid = -1;
  int error = options.set(process, progress_fd);
  if (error == 0) {
    error = ::posix_spawn(&pid, process.executable.c_str(), options.files(), options.attributes(),
                          arguments.data(), environment.data());
  }
  if (error != 0) return not_started(process, error);
  return pid;
}

/// Splits what arrives on the pipe into lines.
class LineReader {
 public:
  explicit LineReader(const std::function<void(std::string_view)>& sink) : sink_(sink) {}
  enum class Found { kData, kNothingYet, kEnd };

  Found read_some(int fd) {
    std::array<char, 4096> chunk{};
    const ssize_t got = ::read(fd, chunk.data(), chunk.size());
    if (got < 0) return errno == EINTR || errno == EAGAIN ? Found::kNothingYet : Found::kEnd;
    if (got == 0) return Found::kEnd;
    pending_.append(chunk.data(), static_cast<std::size_t>(got));
    for (std::size_t end = 0; (end = pending_.find('\n')) != std::string::npos; pending_.erase(0, end + 1)) {
      if (sink_) sink_(std::string_view(pending_).substr(0, end));
    }
    if (pending_.size() > kMaxLine) pending_.clear();  // a builder that never ends its line
    return Found::kData;
  }

 private:
  static constexpr std::size_t kMaxLine = 1U << 16U;
  const std::function<void(std::string_view)>& sink_;
  std::string pending_;
};

enum class Ending { kExited, kTimeout, kCancelled, kTooMuchMemory, kTooManyProcesses };

struct Waited {
  Ending ending;
  int status;
};

/// As if it had ended with this exit code: nobody knows how it ended, or whether all of it has.
constexpr int kLostStatus = 255 << 8;

/// Lost: somebody else has reaped it, because the caller's program waits for any child or ignores SIGCHLD.
/// Its number may be another process's by now, and gets no signal.
enum class Child { kRuns, kExited, kLost };

Child state_of(pid_t pid) {
  siginfo_t info{};
  if (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0)
    return errno == ECHILD ? Child::kLost : Child::kRuns;
  return info.si_pid == pid ? Child::kExited : Child::kRuns;
}

/// Ends all that is left of it and reaps it; nobody of its session writes to the pipe or the staging folder
/// any more.
int reap(pid_t pid, const BuildProcess& process) {
  if (state_of(pid) == Child::kLost) return kLostStatus;
  ::kill(-pid, SIGKILL);  // the group at once: it cannot fork out of that
  bool is_over = !process.has_own_session;
  try {
    is_over = is_over || end_session(pid);
  } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): nobody knows then; the child is reaped
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return is_over ? status : kLostStatus;  // what somebody may still write to is no result
}

/// Asks the group to end, waits a little, and kills what is left.
int end_orderly(pid_t pid, const BuildProcess& process) {
  constexpr std::chrono::milliseconds kLook{10};
  if (state_of(pid) != Child::kLost) ::kill(-pid, SIGTERM);
  const auto deadline = steady_clock::now() + kOrderlyEnd;
  while (state_of(pid) == Child::kRuns && steady_clock::now() < deadline) std::this_thread::sleep_for(kLook);
  return reap(pid, process);
}

/// Looks now and then at what the whole session takes: limits that the kernel keeps are for one process, and
/// none of them bounds the number of root's processes.
class Watch {
 public:
  Watch(pid_t session, const BuildProcess& process) : session_(session), process_(process) {}
  Ending look() {
    constexpr milliseconds kBetween{200};
    const auto now = steady_clock::now();
    if (!process_.has_own_session || now < next_) return Ending::kExited;
    next_ = now + kBetween;
    const SessionUse use = use_of_session(session_);
    if (use.processes > kMostBuildProcesses) return Ending::kTooManyProcesses;
    const bool is_large = process_.memory_limit_bytes > 0 && use.memory_bytes > process_.memory_limit_bytes;
    return is_large ? Ending::kTooMuchMemory : Ending::kExited;
  }

 private:
  pid_t session_;
  const BuildProcess& process_;
  steady_clock::time_point next_{};
};

bool is_cancelled(const BuildProcess& process) {
  return (process.cancel_requested != nullptr && process.cancel_requested->load()) ||
         (process.stop_requested && process.stop_requested());
}

Waited wait_for(pid_t pid, int progress_fd, const BuildProcess& process) {
  const auto deadline = steady_clock::now() + process.timeout;
  LineReader lines(process.on_progress);
  Watch watch(pid, process);
  bool is_pipe_open = true;
  for (;;) {
    if (is_cancelled(process)) return {Ending::kCancelled, end_orderly(pid, process)};
    if (steady_clock::now() >= deadline) return {Ending::kTimeout, end_orderly(pid, process)};
    if (state_of(pid) != Child::kRuns) {
      const int status = reap(pid, process);  // first: what still writes would keep us reading
      // What a pipe can hold, and no more: a build within a build ends its group only.
      constexpr int kMostChunks = 256;
      for (int i = 0; is_pipe_open && i < kMostChunks; ++i) {
        is_pipe_open = lines.read_some(progress_fd) == LineReader::Found::kData;
      }
      return {Ending::kExited, status};
    }
    if (const Ending excess = watch.look(); excess != Ending::kExited) return {excess, reap(pid, process)};
    pollfd poll_entry{progress_fd, POLLIN, 0};
    constexpr int kPollMs = 20;
    const int ready = ::poll(&poll_entry, is_pipe_open ? 1 : 0, kPollMs);
    if (ready > 0 && is_pipe_open) {
      is_pipe_open = lines.read_some(progress_fd) != LineReader::Found::kEnd;
    }
  }
}

/// Nobody would end the child of a caller that has no memory for what the child tells.
Waited wait_or_end(pid_t pid, int progress_fd, const BuildProcess& process) {
  try {
    return wait_for(pid, progress_fd, process);
  } catch (...) {
    reap(pid, process);
    throw;
  }
}

std::string describe_exit(int status) {
  if (status == kLostStatus) {
    return "ended unseen (this program waits for all its children elsewhere, or ignores SIGCHLD, or /proc "
           "cannot be read)";
  }
  if (WIFSIGNALED(status)) {
    return "was killed by signal " + std::to_string(WTERMSIG(status)) + " (" + ::strsignal(WTERMSIG(status)) +
           ")";
  }
  return "ended with status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

std::string log_tail(const std::filesystem::path& log, std::size_t max_bytes) {
  const Descriptor file(::open(log.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  struct stat status {};
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  const auto size = static_cast<std::size_t>(std::max<off_t>(0, status.st_size));
  std::string text(std::min(size, max_bytes), '\0');
  const ssize_t got = ::pread(file.get(), text.data(), text.size(), static_cast<off_t>(size - text.size()));
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(0, got)));
  return text;
}

namespace {

Error memory_error(const BuildProcess& process, const std::string& what, int native = 0) {
  return build_error(Reason::kBuilderMemory,
                     "the build process " + what +
                         "; nothing was published: raise build_memory_mb, build a smaller network, or end "
                         "other programs. Last log lines: " +
                         log_tail(process.log),
                     native);
}

/// What ended it from inside.
Status judge_exit(int status, const BuildProcess& process) {
  const int exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  if (exit_status == 0) return {};
  if (exit_status == kBuilderDiskFullStatus) {
    return build_error(Reason::kDiskFull,
                       "the build process found no space left for " + process.response.string() +
                           "; nothing was changed: free space on that device and run the command again",
                       status);
  }
  if (exit_status == kBuilderMemoryStatus) return memory_error(process, "could not get memory", status);
  // An exception that nobody caught, in a thread of an SDK's.
  const std::string log = log_tail(process.log);
  if (signal == SIGABRT && log.find("std::bad_alloc") != std::string::npos) {
    return memory_error(process, "could not get memory and gave up (signal 6)", status);
  }
  constexpr const char* kMaybeMemory =
      ", which somebody sent, or the kernel because memory ran out (its log says so then)";
  return build_error(Reason::kBuilderCrashed,
                     "the build process " + describe_exit(status) + (signal == SIGKILL ? kMaybeMemory : "") +
                         "; nothing was published. Last log lines: " + log,
                     status);
}

Status judge(const Waited& waited, const BuildProcess& process) {
  constexpr std::uint64_t kMib = 1U << 20U;
  switch (waited.ending) {
    case Ending::kCancelled:
      return build_error(Reason::kCancelled, "the build was cancelled; nothing was published");
    case Ending::kTimeout:
      return build_error(
          Reason::kBuilderTimeout,
          "the build process took longer than " + std::to_string(process.timeout.count()) +
              " s and was stopped; raise trtexec_timeout_s. Last log lines: " + log_tail(process.log));
    case Ending::kTooMuchMemory:
      return memory_error(process, "and what it started had more than " +
                                       std::to_string(process.memory_limit_bytes / kMib) +
                                       " MiB resident and were stopped");
    case Ending::kTooManyProcesses:
      return build_error(Reason::kBuilderCrashed,
                         "the build process had started more than " + std::to_string(kMostBuildProcesses) +
                             " processes and was stopped with all of them; nothing was published: do not "
                             "trust this network. Last log lines: " +
                             log_tail(process.log));
    case Ending::kExited:
      break;
  }
  return judge_exit(waited.status, process);
}

}  // namespace

Status run_build_process(const BuildProcess& process) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return build_error(
        Reason::kIo, std::string("cannot make a pipe for the build process: ") + std::strerror(errno), errno);
  }
  const Descriptor read_end(ends[0]);
  Descriptor write_end(ends[1]);
  ::fcntl(read_end.get(), F_SETFL, O_NONBLOCK);
  SKUA_ASSIGN_OR_RETURN(const pid_t pid, spawn(process, write_end.get()));
  write_end.close();
  return judge(wait_or_end(pid, read_end.get(), process), process);
}

}  // namespace skua
