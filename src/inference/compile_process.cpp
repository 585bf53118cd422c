#include "inference/compile_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <thread>
#include <vector>

namespace skua {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

Error build_error(Reason reason, std::string message, int native = 0) {
  return make_error(ErrorCode::kEngineBuild, reason, std::move(message), native);
}

/// Owns a file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }
  int get() const { return fd_; }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  int* slot() { return &fd_; }

 private:
  int fd_;
};

/// Frees posix_spawn's two option objects.
struct SpawnOptions {
  posix_spawn_file_actions_t files{};
  posix_spawnattr_t attributes{};
  SpawnOptions() {
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
  }
  SpawnOptions(const SpawnOptions&) = delete;
  SpawnOptions& operator=(const SpawnOptions&) = delete;
  ~SpawnOptions() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
};

/// As exec wants it: the texts, then a null pointer.
std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

Result<pid_t> spawn(const BuildProcess& process, int progress_fd) {
  SpawnOptions options;
  posix_spawn_file_actions_addopen(&options.files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&options.files, progress_fd, STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&options.files, STDERR_FILENO, process.log.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0644);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&options.attributes, &none);
  posix_spawnattr_setpgroup(&options.attributes, 0);
  posix_spawnattr_setflags(&options.attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);

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
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, process.executable.c_str(), &options.files, &options.attributes,
                                  arguments.data(), environment.data());
  if (error != 0) {
    return build_error(Reason::kBuilderMissing,
                       "cannot start the build executable " + process.executable.string() + ": " +
                           std::strerror(error) + "; install Skua's ground package",
                       error);
  }
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

enum class Ending { kExited, kTimeout, kCancelled };

struct Waited {
  Ending ending;
  int status;
};

/// Reaps the child; kills its whole group first when it has to go.
int reap(pid_t pid, bool kill_group) {
  if (kill_group) ::kill(-pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!kill_group) ::kill(-pid, SIGKILL);  // helpers that the builder left behind
  return status;
}

bool has_exited(pid_t pid) {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == pid;
}

/// Asks the group to end, waits a little, and kills what is left of it.
int end_group(pid_t pid) {
  constexpr std::chrono::milliseconds kLook{10};
  ::kill(-pid, SIGTERM);
  const auto deadline = steady_clock::now() + kOrderlyEnd;
  while (!has_exited(pid) && steady_clock::now() < deadline) std::this_thread::sleep_for(kLook);
  return reap(pid, true);
}

bool is_cancelled(const BuildProcess& process) {
  return (process.cancel_requested != nullptr && process.cancel_requested->load()) ||
         (process.stop_requested && process.stop_requested());
}

Waited wait_for(pid_t pid, int progress_fd, const BuildProcess& process) {
  const auto deadline = steady_clock::now() + process.timeout;
  LineReader lines(process.on_progress);
  bool is_pipe_open = true;
  for (;;) {
    if (is_cancelled(process)) return {Ending::kCancelled, end_group(pid)};
    if (steady_clock::now() >= deadline) return {Ending::kTimeout, end_group(pid)};
    if (has_exited(pid)) {
      while (is_pipe_open && lines.read_some(progress_fd) == LineReader::Found::kData) {
      }
      return {Ending::kExited, reap(pid, false)};
    }
    pollfd poll_entry{progress_fd, POLLIN, 0};
    constexpr int kPollMs = 20;
    const int ready = ::poll(&poll_entry, is_pipe_open ? 1 : 0, kPollMs);
    if (ready > 0 && is_pipe_open) {
      is_pipe_open = lines.read_some(progress_fd) != LineReader::Found::kEnd;
    }
  }
}

std::string describe_exit(int status) {
  if (WIFSIGNALED(status)) {
    return "was killed by signal " + std::to_string(WTERMSIG(status)) + " (" + ::strsignal(WTERMSIG(status)) +
           ")";
  }
  return "ended with status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

std::string log_tail(const std::filesystem::path& log, std::size_t max_bytes) {
  std::ifstream stream(log, std::ios::binary | std::ios::ate);
  if (!stream) return {};
  const auto size = static_cast<std::size_t>(std::max<std::streamoff>(0, stream.tellg()));
  const std::size_t length = std::min(size, max_bytes);
  std::string text(length, '\0');
  stream.seekg(static_cast<std::streamoff>(size - length));
  stream.read(text.data(), static_cast<std::streamsize>(length));
  return text;
}

Status run_build_process(const BuildProcess& process) {
  Descriptor read_end;
  Descriptor write_end;
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return build_error(
        Reason::kIo, std::string("cannot make a pipe for the build process: ") + std::strerror(errno), errno);
  }
  *read_end.slot() = ends[0];
  *write_end.slot() = ends[1];
  ::fcntl(read_end.get(), F_SETFL, O_NONBLOCK);
  SKUA_ASSIGN_OR_RETURN(const pid_t pid, spawn(process, write_end.get()));
  write_end.close();
  const Waited waited = wait_for(pid, read_end.get(), process);
  switch (waited.ending) {
    case Ending::kCancelled:
      return build_error(Reason::kCancelled, "the build was cancelled; nothing was published");
    case Ending::kTimeout:
      return build_error(
          Reason::kBuilderTimeout,
          "the build process took longer than " + std::to_string(process.timeout.count()) +
              " s and was stopped; raise trtexec_timeout_s. Last log lines: " + log_tail(process.log));
    case Ending::kExited:
      break;
  }
  if (WIFEXITED(waited.status) && WEXITSTATUS(waited.status) == 0) return {};
  if (WIFEXITED(waited.status) && WEXITSTATUS(waited.status) == kBuilderDiskFullStatus) {
    return build_error(Reason::kDiskFull,
                       "the build process found no space left for " + process.response.string() +
                           "; nothing was changed: free space on that device and run the command again",
                       waited.status);
  }
  return build_error(Reason::kBuilderCrashed,
                     "the build process " + describe_exit(waited.status) +
                         "; nothing was published. Last log lines: " + log_tail(process.log),
                     waited.status);
}

}  // namespace skua
