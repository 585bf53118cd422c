#include "gil.h"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

namespace skua::python {
namespace {

// Of the process, as the interpreter is.
std::atomic<bool> is_interpreter_ending{false};
std::atomic<int> coming_back{0};
std::atomic<std::thread::id> last_thread{};

bool may_come_back() noexcept {
  return !is_interpreter_ending || last_thread.load() == std::this_thread::get_id();
}

}  // namespace

GilRelease::~GilRelease() {
  ++coming_back;
  if (!may_come_back()) {
    --coming_back;
    for (;;) ::pause();
  }
  PyEval_RestoreThread(state_);
  --coming_back;
}

void end_coming_back() {
  last_thread = std::this_thread::get_id();
  is_interpreter_ending = true;
  constexpr std::chrono::milliseconds kLook{1};
  PyThreadState* const state = PyEval_SaveThread();
  while (coming_back > 0) std::this_thread::sleep_for(kLook);
  PyEval_RestoreThread(state);
}

void forget_coming_back() noexcept { coming_back = 0; }

}  // namespace skua::python
