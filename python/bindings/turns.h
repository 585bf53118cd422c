// Long calls that share what only one of them may use at a time.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace skua::python {

/// Whose turn it is. Thread-safe, without the GIL.
class Turns {
 public:
  /// False: `limit` passed first.
  bool take(std::chrono::milliseconds limit);
  void give_back() noexcept;
  /// Whether the calling thread has the turn.
  bool is_mine() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::thread::id holder_;
};

/// The calling thread's turn while it lives. Needs the GIL, and waits without it; signal handlers run
/// meanwhile, and what one raises ends the wait. InvalidArgumentError for a handler that asks for a turn
/// which the call that it interrupted has: it would wait for itself.
class Turn {
 public:
  explicit Turn(Turns& turns);
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() { turns_.give_back(); }

 private:
  Turns& turns_;
};

}  // namespace skua::python
