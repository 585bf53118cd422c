#include "turns.h"

#include "errors.h"

namespace skua::python {

bool Turns::take(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, limit, [&] { return holder_ == std::thread::id(); })) return false;
  holder_ = std::this_thread::get_id();
  return true;
}

void Turns::give_back() noexcept {
  const std::lock_guard lock(mutex_);
  holder_ = std::thread::id();
  changed_.notify_one();
}

bool Turns::is_mine() const {
  const std::lock_guard lock(mutex_);
  return holder_ == std::this_thread::get_id();
}

Turn::Turn(Turns& turns) : turns_(turns) {
  constexpr std::chrono::milliseconds kLook{50};
  if (turns.is_mine())
    raise_argument(Reason::kInvalidArgument,
                   "a signal handler called what it interrupted: expected a call after that one has ended; "
                   "set a flag in the handler and call then");
  while (!without_gil([&] { return turns.take(kLook); })) {
    if (PyErr_CheckSignals() != 0) throw nanobind::python_error();
  }
}

}  // namespace skua::python
