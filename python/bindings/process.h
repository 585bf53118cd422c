// The process that Skua runs in: what a child of fork() may not do, and how what is shared with Python goes.
#pragma once

#include <memory>
#include <utility>

#include "errors.h"

namespace skua::python {

/// Called once, by the module.
void watch_forks();

/// A child of fork() has handles whose threads, locks and SDKs stayed with its parent where the parent holds
/// the owner of a runtime at that moment (one that is being built among them), or has built one before: its
/// SDK's threads stay for the life of the process. A build that failed leaves nothing behind.
void note_owner(int change) noexcept;
void note_runtime_built() noexcept;

/// Whether this process is such a child.
bool is_forked() noexcept;

/// Refuses the call in such a child. Asked by what uses a runtime, a handle or the record of a flight, and by
/// what builds one; file names, digests, sidecars, verdicts and configurations need none and go on there.
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
