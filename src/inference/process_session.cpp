#include "inference/process_session.h"

#include <dirent.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/text.h"

namespace skua {
namespace {

struct ProcessUse {
  bool is_running = false;
  std::uint64_t memory_bytes = 0;
};

/// What /proc/PID/status says. A process that has ended meanwhile does not run; one that is there and cannot
/// be looked at (no descriptor is left) does.
ProcessUse use_of(pid_t pid) {
  constexpr std::uint64_t kKib = 1024;
  ProcessUse use;
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  use.is_running = !status.is_open() && ::getsid(pid) >= 0;
  for (std::string line; std::getline(status, line);) {
    const std::string_view text(line);
    const std::string_view value = trimmed(text.substr(std::min(text.find(':') + 1, text.size())));
    if (text.starts_with("State:")) use.is_running = !value.starts_with('Z') && !value.starts_with('X');
    if (text.starts_with("RssAnon:") || text.starts_with("RssShmem:")) {
      use.memory_bytes += parse_uint64(value.substr(0, value.find(' '))).value_or(0) * kKib;
    }
  }
  return use;
}

/// Nothing: nobody can say who they are.
std::optional<std::vector<pid_t>> members_of(pid_t session) {
  std::vector<pid_t> members;
  const std::unique_ptr<DIR, int (*)(DIR*)> processes(::opendir("/proc"), ::closedir);
  if (!processes) return std::nullopt;
  while (const dirent* entry = ::readdir(processes.get())) {
    const auto number = parse_uint64(entry->d_name);
    if (number && ::getsid(static_cast<pid_t>(*number)) == session) {
      members.push_back(static_cast<pid_t>(*number));
    }
  }
  return members;
}

}  // namespace

SessionUse use_of_session(pid_t session) {
  SessionUse sum;
  for (const pid_t pid : members_of(session).value_or(std::vector<pid_t>())) {
    const ProcessUse use = use_of(pid);
    sum.processes += use.is_running ? 1U : 0U;
    sum.memory_bytes += use.memory_bytes;
  }
  return sum;
}

bool end_session(pid_t session) {
  constexpr std::chrono::seconds kPatience{10};
  constexpr std::chrono::milliseconds kPause{1};
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    const auto members = members_of(session);
    bool is_any_left = !members.has_value();
    for (const pid_t pid : members.value_or(std::vector<pid_t>())) {
      if (!use_of(pid).is_running) continue;
      is_any_left = true;
      ::kill(pid, SIGKILL);
    }
    if (!is_any_left) return true;
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace skua
