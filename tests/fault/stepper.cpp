#include "stepper.h"

#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>

#include <cerrno>
#include <map>

#include "child.h"

namespace skua::test {
namespace {

/// Begins and ends what counts; nothing of ours or of OpenSSL's makes this call.
constexpr long kMark = SYS_getppid;

void mark() { syscall(kMark); }

/// Tells whether a descriptor was left open in between.
int lowest_free_descriptor() {
  const int descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC);
  close(descriptor);
  return descriptor;
}

template <typename Edit>
void edit_registers(pid_t child, Edit edit) {
  user_regs_struct registers{};
  if (ptrace(PTRACE_GETREGS, child, nullptr, &registers) != 0)
    throw std::runtime_error("PTRACE_GETREGS failed");
  edit(registers);
  if (ptrace(PTRACE_SETREGS, child, nullptr, &registers) != 0)
    throw std::runtime_error("PTRACE_SETREGS failed");
}

class Stepper {
 public:
  Stepper(pid_t child, const StepPlan& plan) : child_(child), plan_(plan) {}

  StepTrace run() {
    int status = wait_for(child_);  // its own SIGSTOP
    if (!WIFSTOPPED(status)) throw std::runtime_error("the child did not stop for its tracer");
    constexpr long kOptions = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
    if (ptrace(PTRACE_SETOPTIONS, child_, nullptr, kOptions) != 0) {
      throw std::runtime_error("PTRACE_SETOPTIONS failed");
    }
    long signal = 0;
    for (;;) {
      ptrace(PTRACE_SYSCALL, child_, nullptr, signal);
      status = wait_for(child_);
      if (!WIFSTOPPED(status)) break;
      signal = WSTOPSIG(status) == (SIGTRAP | 0x80) ? 0 : WSTOPSIG(status);
      if (signal == 0) on_stop();
    }
    trace_.status = status;
    trace_.was_killed = WIFSIGNALED(status);
    return std::move(trace_);
  }

 private:
  void on_stop() {
    __ptrace_syscall_info info{};
    ptrace(PTRACE_GET_SYSCALL_INFO, child_, sizeof(info), &info);
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY) on_entry(static_cast<long>(info.entry.nr));
    if (info.op == PTRACE_SYSCALL_INFO_EXIT) on_exit();
  }

  void on_entry(long number) {
    if (number == kMark) {
      is_counting_ = !is_counting_;
      return;
    }
    if (!is_counting_) return;
    trace_.calls.push_back(number);
    if (plan_.call >= 0 && plan_.call != number) return;
    const bool is_it = plan_.what != Intervention::kNone && seen_++ == plan_.at;
    if (is_it) intervene();
  }

  void intervene() {
    trace_.has_fired = true;
    switch (plan_.what) {
      case Intervention::kKill:
        kill(child_, SIGKILL);
        break;
      case Intervention::kFail:
        is_failing_ = true;
        edit_registers(child_,
                       [](auto& registers) { registers.orig_rax = static_cast<unsigned long long>(-1); });
        break;
      case Intervention::kShorten:
        edit_registers(child_, [](auto& registers) { registers.rdx = registers.rdx > 0 ? 1 : 0; });
        break;
      case Intervention::kNone:
        break;
    }
  }

  void on_exit() {
    if (!is_failing_) return;
    is_failing_ = false;
    const auto answer = static_cast<unsigned long long>(-static_cast<long long>(plan_.error_number));
    edit_registers(child_, [answer](auto& registers) { registers.rax = answer; });
  }

  pid_t child_;
  StepPlan plan_;
  StepTrace trace_;
  std::size_t seen_ = 0;  ///< of the calls that the plan counts
  bool is_counting_ = false;
  bool is_failing_ = false;
};

}  // namespace

StepTrace run_stepped(const std::function<void()>& work, const StepPlan& plan) {
  const pid_t child = fork_child([&] {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(3);
    raise(SIGSTOP);
    const int before = lowest_free_descriptor();
    mark();
    work();
    mark();
    if (lowest_free_descriptor() != before) leave_child(kLeakedDescriptor);
  });
  return Stepper(child, plan).run();
}

std::string call_name(long number) {
  static const std::map<long, std::string> kNames = {
#define SKUA_CALL(name) {SYS_##name, #name}
      SKUA_CALL(openat),   SKUA_CALL(read),      SKUA_CALL(write),      SKUA_CALL(fstat),
      SKUA_CALL(fsync),    SKUA_CALL(close),     SKUA_CALL(newfstatat), SKUA_CALL(renameat),
      SKUA_CALL(unlinkat), SKUA_CALL(mkdirat),   SKUA_CALL(flock),      SKUA_CALL(getdents64),
      SKUA_CALL(lseek),    SKUA_CALL(fallocate), SKUA_CALL(fcntl),      SKUA_CALL(getrandom),
      SKUA_CALL(mmap),     SKUA_CALL(munmap),    SKUA_CALL(brk),        SKUA_CALL(mremap),
      SKUA_CALL(madvise),  SKUA_CALL(mprotect),  SKUA_CALL(futex),      SKUA_CALL(geteuid),
      SKUA_CALL(getpid),   SKUA_CALL(linkat),    SKUA_CALL(statx),      SKUA_CALL(renameat2),
      SKUA_CALL(fdatasync)};
#undef SKUA_CALL
  const auto found = kNames.find(number);
  return found == kNames.end() ? "system call " + std::to_string(number) : found->second;
}

}  // namespace skua::test
