#include "compile/tool_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <thread>

#include "compile/compilation.h"
#include "core/text.h"
#include "inference/compile_process.h"

namespace skua::compile {
namespace {

constexpr int kCannotStart = 127;

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
  prepared.environment = {"PATH=/usr/bin:/bin", "LC_ALL=C", "TMPDIR=" + tool.working_folder.string(),
                          "HOME=" + tool.working_folder.string()};
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
  if (::getppid() != parent) ::_exit(kCannotStart);
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
  ::_exit(kCannotStart);
}

int reap(pid_t pid) {
  ::kill(-pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

bool has_ended(pid_t pid) {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == pid;
}

std::string last_line_of(const std::filesystem::path& log) {
  const std::string tail = log_tail(log);
  const std::string_view text = trimmed(tail);
  const auto start = text.find_last_of('\n');
  return std::string(trimmed(start == std::string_view::npos ? text : text.substr(start + 1)));
}

Error stopped(Reason reason, const ToolProcess& tool, const std::string& why) {
  return build_error(reason, tool.executable.string() + " " + why +
                                 "; nothing was published. Last log lines: " + log_tail(tool.log));
}

}  // namespace

Result<ToolEnd> run_tool(const ToolProcess& tool) {
  constexpr std::chrono::milliseconds kLook{20};
  if (!tool.executable.is_absolute() || ::access(tool.executable.c_str(), X_OK) != 0) {
    return build_error(Reason::kBuilderMissing, "expected an executable at an absolute path, found " +
                                                    quote(tool.executable.string(), 4096) +
                                                    "; set the tool's path in the configuration");
  }
  const Prepared prepared = prepare(tool);
  if (prepared.log < 0) {
    return build_error(Reason::kIo, "cannot write " + tool.log.string() + ": " + std::strerror(errno));
  }
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) become(tool, prepared, parent);
  ::close(prepared.log);
  if (pid < 0) {
    return build_error(Reason::kBuilderMissing,
                       "cannot start " + tool.executable.string() + ": " + std::strerror(errno));
  }
  ::setpgid(pid, pid);  // in the parent too: the group must be there before it is killed
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
  const int status = reap(pid);
  ToolEnd end;
  end.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  end.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  end.last_line = last_line_of(tool.log);
  return end;
}

}  // namespace skua::compile
