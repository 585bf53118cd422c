// SIGTERM and SIGINT as a request that is honoured in time, whatever the program is doing.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>

#include "skua/result.h"

namespace skua::flight {

/// A thread of its own waits for the two signals, which every other thread has blocked. It asks the program
/// to stop, and where the program has not said within `grace` that it did (`ended()`), because a run or a
/// load cannot be interrupted, it calls `last_words` and ends the process with `exit_status`.
class SignalWatcher {
 public:
  struct Options {
    std::chrono::milliseconds grace{100};
    std::function<void()> last_words = [] {};  ///< called on the watcher's thread
    int exit_status = 0;
  };

  /// Blocks both signals in the calling thread, and so in every thread that is started after: call it first
  /// thing. InternalError when the system gives no descriptor or thread.
  static Result<std::unique_ptr<SignalWatcher>> start(Options options);
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;
  /// As ended().
  ~SignalWatcher();

  /// Whether a signal has come. Lock-free, any thread.
  bool is_requested() const noexcept { return is_requested_.load(std::memory_order_acquire); }
  /// The same, for whoever asks often.
  const std::atomic<bool>& requested() const noexcept { return is_requested_; }
  /// Sleeps until `until_ns` of CLOCK_MONOTONIC; false, at once, when a signal comes or has come. One thread.
  /// No allocation, no lock.
  bool sleep_until(std::int64_t until_ns) const noexcept;
  /// The program has ended in order: the watcher does nothing any more. Idempotent.
  void ended() noexcept;

 private:
  SignalWatcher(Options options, int signals, int wake, int over) noexcept;
  void watch() noexcept;

  const Options options_;
  const int signals_;  ///< signalfd
  const int wake_;     ///< eventfd: readable once a signal has come
  const int over_;     ///< eventfd: readable once the program has ended
  std::atomic<bool> is_requested_{false};
  std::thread thread_;
};

}  // namespace skua::flight
