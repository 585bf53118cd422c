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

}  // namespace

Result<ToolEnd> run_tool(const ToolProcess& tool) {
  constexpr std::chrono::milliseconds kLook{20};
  if (!tool.executable.is_absolute() || ::access(tool.executable.c_str(), X_OK) != 0) {
    return build_error(Reason::kBuilderMissing, "expected an executable at an absolute path, found " +
                                                    quote(tool.executable.string(), 4096) +
                                                    "; set the tool's path in the configuration");
  }
  SKUA_RETURN_IF_ERROR(check_words(tool));
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
