// Stops a child process at each of its system calls: to kill it there, to let the call fail with an errno, or
// to let it move fewer bytes than asked for. By ptrace, without a program of its own: about 10 microseconds
// per call.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace skua::test {

enum class Intervention : std::uint8_t {
  kNone,
  kKill,     ///< SIGKILL before the call is made
  kFail,     ///< the call is not made and answers with an errno
  kShorten,  ///< the call gets one byte to move where it asked for more
};

struct StepPlan {
  Intervention what = Intervention::kNone;
  std::size_t at = 0;  ///< which system call, from 0: of all, or of those with number `call`
  int error_number = 0;
  long call = -1;
};

struct StepTrace {
  std::vector<long> calls;  ///< numbers of the system calls, in order
  bool has_fired = false;
  bool was_killed = false;  ///< by a signal, the plan's or another one
  int status = 0;           ///< as waitpid answered
};

/// Exit code of a child whose `work` left a descriptor open.
inline constexpr int kLeakedDescriptor = 4;

/// Runs `work` in a child and intervenes once. Only the calls that `work` makes count, not those around it.
/// The child is single-threaded as far as this goes: system calls of threads that it starts are not seen.
StepTrace run_stepped(const std::function<void()>& work, const StepPlan& plan = {});

/// "openat"; the number for a call that nothing here knows.
std::string call_name(long number);

}  // namespace skua::test
