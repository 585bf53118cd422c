#include "compile/tool_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <thread>

#include "compile/compilation.h"
#include "core/text.h"
#include "inference/compile_process.h"

namespace skua::compile {
namespace {

/// Linux's own bound of one word of a command line, its end included (MAX_ARG_STRLEN).
constexpr std::size_t kMaxWordBytes = std::size_t{32} * 4096;

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

struct Prepared {
  std::vector<std::string> arguments, environment;
  std::vector<char*> argv, envp;
  int log = -1;
};

/// Everything that allocates, before the fork.
Prepared prepare(const ToolProcess& tool) {
  Prepared prepared;
  prepared.arguments.push_back(tool.executable.string());
  prepared.arguments.insert(prepared.arguments.end(), tool.arguments.begin(), tool.arguments.end());
  // No HOME: Python finds the user's own packages by the user's entry in the password file then.
  prepared.environment = {"PATH=/usr/bin:/bin", "LC_ALL=C", "TMPDIR=" + tool.working_folder.string()};
  prepared.environment.insert(prepared.environment.end(), tool.environment.begin(), tool.environment.end());
  prepared.argv = pointers_to(prepared.arguments);
  prepared.envp = pointers_to(prepared.environment);
  prepared.log = ::open(tool.log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  return prepared;
}

/// The child, between fork and exec: calls that are safe there, and no others. posix_spawn cannot ask for
/// death with the parent.
[[noreturn]] void become(const ToolProcess& tool, const Prepared& prepared, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(kToolNotStarted);
  ::setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGTERM, SIG_DFL);
  const int input = ::open("/dev/null", O_RDONLY);
  const bool is_ready = input >= 0 && ::dup2(input, STDIN_FILENO) >= 0 &&
                        ::dup2(prepared.log, STDOUT_FILENO) >= 0 &&
                        ::dup2(prepared.log, STDERR_FILENO) >= 0 && ::chdir(tool.working_folder.c_str()) == 0;
  if (is_ready) ::execve(tool.executable.c_str(), prepared.argv.data(), prepared.envp.data());
  ::_exit(kToolNotStarted);
}

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

/// A process that ends the tool's group when this one is gone, whatever has ended it: death with the parent
/// is for the tool alone, and a script's children would run on. It is one of the group, so that nobody else
/// can have the group's number while it lives, and ends with it.
class Guard {
 public:
  Guard() = default;
  ~Guard() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      wait_for(pid_);
    }
    for (const int end : pipe_) {
      if (end >= 0) ::close(end);
    }
  }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

  bool start(pid_t group) {
    if (::pipe2(pipe_, O_CLOEXEC) != 0) return false;
    pid_ = ::fork();
    if (pid_ == 0) watch(group);
    if (pid_ > 0) ::setpgid(pid_, group);  // here too: it is to be in the group before the group ends
    return pid_ > 0;
  }

 private:
  /// The child: nobody writes, so that a read ends when the last writer is gone, which is the parent.
  [[noreturn]] void watch(pid_t group) const {
    sigset_t all;
    sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, nullptr);
    ::setpgid(0, group);
    ::close(pipe_[1]);
    ::dup2(pipe_[0], STDIN_FILENO);
    ::close_range(STDIN_FILENO + 1, ~0U, 0);  // files and locks of the parent end with the parent
    char none = 0;
    while (::read(STDIN_FILENO, &none, 1) < 0 && errno == EINTR) {
    }
    ::kill(-group, SIGKILL);
    ::_exit(0);
  }

  pid_t pid_ = -1;
  int pipe_[2] = {-1, -1};
};

int reap(pid_t pid) {
  ::kill(-pid, SIGKILL);
  return wait_for(pid);
}

bool has_ended(pid_t pid) {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == pid;
}

/// Of the whole file: a last line may be as long as the command line that it repeats.
std::string last_line_of(const std::filesystem::path& log) {
  std::ifstream stream(log, std::ios::binary);
  std::string last;
  for (std::string line; std::getline(stream, line);) {
    if (const auto text = trimmed(line); !text.empty()) last = text;
  }
  return last;
}

/// A command line that is too long would end as a tool that cannot be started, without a word of why.
Status check_words(const ToolProcess& tool) {
  std::size_t total = 0;
  for (const std::string& word : tool.arguments) {
    total += word.size() + 1 + sizeof(char*);
    if (word.size() < kMaxWordBytes) continue;
    return build_error(Reason::kModelUnsupported,
                       tool.executable.string() + ": expected words of a command line of less than " +
                           std::to_string(kMaxWordBytes) + " bytes, found one of " +
                           std::to_string(word.size()) + ", which begins " + quote(word, 40) +
                           "; name fewer layers in keep_fp32, or use build_route builder");
  }
  const auto most =
      static_cast<std::size_t>(std::max(::sysconf(_SC_ARG_MAX), 4096L)) - 4096;  // and the environment
  if (total <= most) return {};
  return build_error(Reason::kModelUnsupported,
                     tool.executable.string() + ": expected a command line of at most " +
                         std::to_string(most) + " bytes, found " + std::to_string(total) +
                         "; name fewer layers in keep_fp32, or use build_route builder");
}

Error stopped(Reason reason, const ToolProcess& tool, const std::string& why) {
  return build_error(reason, tool.executable.string() + " " + why +
                                 "; nothing was published. Last log lines: " + log_tail(tool.log));
}

/// The tool in its own group, and its guard.
Result<pid_t> start(const ToolProcess& tool, Guard& guard) {
  const Prepared prepared = prepare(tool);
  if (prepared.log < 0)
    return build_error(Reason::kIo, "cannot write " + tool.log.string() + ": " + std::strerror(errno));
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) become(tool, prepared, parent);
  const int why = errno;
  ::close(prepared.log);
  if (pid > 0) {
    ::setpgid(pid, pid);  // in the parent too: the group must be there before it is joined or killed
    if (guard.start(pid)) return pid;
  }
  const std::string error = std::strerror(pid < 0 ? why : errno);
  if (pid > 0) reap(pid);
  return build_error(Reason::kBuilderMissing, "cannot start " + tool.executable.string() + ": " + error +
                                                  "; end other programs, or raise the limit of processes");
}

/// Ends the group early where the caller or the time wants it.
Status await(const ToolProcess& tool, pid_t pid) {
  constexpr std::chrono::milliseconds kLook{20};
  while (!has_ended(pid)) {
    if (tool.stop_requested && tool.stop_requested()) {
      reap(pid);
      return stopped(Reason::kCancelled, tool, "was cancelled");
    }
    if (std::chrono::steady_clock::now() >= tool.deadline) {
      reap(pid);
      return stopped(Reason::kBuilderTimeout, tool,
                     "took longer than trtexec_timeout_s allows and was stopped; raise it");
    }
    std::this_thread::sleep_for(kLook);
  }
  return {};
}

}  // namespace

Result<ToolEnd> run_tool(const ToolProcess& tool) {
  if (!tool.executable.is_absolute() || ::access(tool.executable.c_str(), X_OK) != 0) {
    return build_error(Reason::kBuilderMissing, "expected an executable at an absolute path, found " +
                                                    quote(tool.executable.string(), 4096) +
                                                    "; set the tool's path in the configuration");
  }
  SKUA_RETURN_IF_ERROR(check_words(tool));
  Guard guard;
  SKUA_ASSIGN_OR_RETURN(const pid_t pid, start(tool, guard));
  SKUA_RETURN_IF_ERROR(await(tool, pid));
  const int status = reap(pid);
  ToolEnd end;
  end.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  end.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  end.last_line = last_line_of(tool.log);
  return end;
}

}  // namespace skua::compile
