// Long work that Ctrl-C ends in order: on a thread of its own, while this one looks for signals.
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "core/blocked_signals.h"
#include "errors.h"

namespace skua::python {

/// Runs `work` on another thread and waits for its end, without the GIL. With the GIL taken, every 50 ms,
/// Python's signal handlers run; when one raises, `interrupt` is called once. Rethrows what `work` threw.
/// Returns what a handler raised, where one did; invalid: none did.
nanobind::object run_watched(const std::function<void()>& work, const std::function<void()>& interrupt);

/// The result of `work`, which holds no Python object. When a signal's handler raises, `interrupt` is called
/// and the work's end waited for; then `undo` is called with its result, without the GIL, and what was raised
/// goes on.
template <typename Work, typename Undo>
auto interruptible(
    Work&& work, Undo&& undo, const std::function<void()>& interrupt = [] {}) {
  std::optional<decltype(work())> result;
  const nanobind::object raised = run_watched([&] { result.emplace(work()); }, interrupt);
  if (!raised.is_valid()) return *std::move(result);
  if (result) without_gil([&] { return undo(*result), 0; });
  PyErr_SetObject(raised.type().ptr(), raised.ptr());
  throw nanobind::python_error();
}

}  // namespace skua::python
