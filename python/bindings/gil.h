// Leaving the interpreter's lock, and coming back to it, also at the interpreter's end: there a thread that
// asks for the lock is ended by Python from inside of that call, through frames of C++, which ends the
// process with an abort.
#pragma once

#include <utility>

#include "nanobind/nanobind.h"

namespace skua::python {

/// Releases the GIL while it lives. A thread that comes back after `end_coming_back` stays where it is for
/// good: the process is about to end, and Python has nothing left for it to do.
class GilRelease {
 public:
  GilRelease() noexcept : state_(PyEval_SaveThread()) {}
  GilRelease(const GilRelease&) = delete;
  GilRelease& operator=(const GilRelease&) = delete;
  ~GilRelease();

 private:
  PyThreadState* state_;
};

/// For the interpreter's exit, with the GIL: from here on the calling thread alone comes back to it. Waits
/// for those that were about to.
void end_coming_back();

/// For a child of fork(): whoever was coming back stayed with the parent.
void forget_coming_back() noexcept;

/// Runs `function` with the GIL released. What it returns must hold no Python object.
template <typename Function>
auto without_gil(Function&& function) {
  const GilRelease released;
  return std::forward<Function>(function)();
}

}  // namespace skua::python
