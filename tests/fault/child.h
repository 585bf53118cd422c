// Child processes made by fork, without a program of their own, and memory that they share with the test.
#pragma once

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

#include "leave_child.h"
#include "skua/result.h"

namespace skua::test {

/// A T that this process and its later children see alike.
template <typename T>
class Shared {
 public:
  Shared() : memory_(mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
    if (memory_ == MAP_FAILED) throw std::bad_alloc();
    new (memory_) T();
  }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared() {
    static_assert(std::is_trivially_destructible_v<T>);
    munmap(memory_, sizeof(T));
  }
  T& operator*() const noexcept { return *static_cast<T*>(memory_); }
  T* operator->() const noexcept { return static_cast<T*>(memory_); }

 private:
  void* memory_;
};

/// How something ended, in a form that fits into shared memory.
struct Outcome {
  bool is_done = false;  ///< false: the process died before
  bool is_ok = false;
  bool is_thrown = false;  ///< std::bad_alloc
  ErrorCode code = ErrorCode::kInternal;
  Reason reason = Reason::kInternal;
  int native_code = 0;
  char message[1024] = {};
};

template <typename T>
void tell(Outcome& outcome, const Result<T>& result) {
  outcome.is_ok = result.ok();
  if (!result.ok()) {
    const Error& error = result.error();
    outcome.code = error.code;
    outcome.reason = error.reason;
    outcome.native_code = static_cast<int>(error.native_code);
    std::strncpy(outcome.message, error.message.c_str(), sizeof(outcome.message) - 1);
  }
  outcome.is_done = true;
}

/// Runs `work` in a child that dies with this process and never returns into it.
template <typename Work>
pid_t fork_child(Work work) {
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child > 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  try {
    work();
  } catch (...) {
    leave_child(2);
  }
  leave_child(0);
}

inline int wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) throw std::runtime_error("waitpid failed");
  }
  return status;
}

}  // namespace skua::test
