// The process that Skua runs in: what a child of fork() may not do, and how what is shared with Python goes.
#pragma once

#include <memory>
#include <utility>

#include "errors.h"

namespace skua::python {

/// Called once, by the module.
void watch_forks();

/// From here on a child of fork() has handles whose threads, locks and SDKs stayed with its parent.
void note_runtime_built() noexcept;

/// Whether this process is such a child. A child of a parent that had built no runtime is none.
bool is_forked() noexcept;

/// Refuses every call in such a child.
void refuse_forked();
inline void check_process() {
  if (is_forked()) refuse_forked();
}

/// Lets an object go without the GIL: it may join threads that want it, or free much memory. In a forked
/// child it is left alone: its threads are not there to be joined.
struct FreeOutside {
  template <typename T>
  void operator()(T* object) const noexcept {
    if (is_forked()) return;
    if (Py_IsInitialized() == 0 || PyGILState_Check() == 0) {
      delete object;
      return;
    }
    const GilRelease released;
    delete object;
  }
};

template <typename T, typename... Arguments>
std::shared_ptr<T> make_kept(Arguments&&... arguments) {
  return std::shared_ptr<T>(new T{std::forward<Arguments>(arguments)...}, FreeOutside());
}

}  // namespace skua::python
