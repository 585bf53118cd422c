#include "load_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>

extern char** environ;  // NOLINT(readability-redundant-declaration): POSIX has no header for it

namespace skua::bench {
namespace {

Error failed(const std::string& program, const std::string& what, int number) {
  return make_error(ErrorCode::kIo, Reason::kIo, program + ": " + what, number);
}

std::string read_to_end(int pipe) {
  std::string text;
  std::array<char, 4096> piece;
  for (;;) {
    const ssize_t got = read(pipe, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
}

int spawn(const std::vector<std::string>& command, int output, pid_t& child) {
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  const int status = posix_spawn(&child, command[0].c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  return status;
}

}  // namespace

Result<std::string> run_process(const std::vector<std::string>& command) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return failed(command[0], "no pipe", errno);
  pid_t child = 0;
  const int started = spawn(command, ends[1], child);
  close(ends[1]);
  std::string text = started == 0 ? read_to_end(ends[0]) : "";
  close(ends[0]);
  if (started != 0) return failed(command[0], "cannot be started", started);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return text;
  return failed(command[0], "did not end with status 0; its words are above", WEXITSTATUS(status));
}

Result<double> peak_memory_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024.0;  // in kB
  }
  return failed("/proc/self/status", "has no VmHWM", 0);
}

}  // namespace skua::bench
