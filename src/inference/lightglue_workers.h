// Threads that share the items of one call with the caller's own thread. Waking and waiting are a futex each:
// no lock and no allocation of ours.
#pragma once

#include <sched.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "skua/result.h"

namespace skua::lightglue {

/// One call's work. `run` is called once for each item, by several threads at once, `worker` being a number
/// that no two of them have in common.
class SharedWork {
 public:
  virtual void run(std::size_t worker, std::size_t item) noexcept = 0;

 protected:
  ~SharedWork() = default;
};

/// Every thread takes the next item when it is free, so a core that somebody else keeps busy delays the items
/// that its thread has taken, and no others: nobody waits for a thread that has taken none. A thread that
/// finds itself on the caller's core leaves it: with somebody else's thread on the other one, Linux counts
/// two against one as balanced, and both would share a core for good.
class SharingThreads {
 public:
  /// `count` threads beside the caller's, all signals blocked in them. OutOfMemoryError when the system gives
  /// none.
  static Result<std::unique_ptr<SharingThreads>> start(std::size_t count);
  ~SharingThreads();
  SharingThreads(const SharingThreads&) = delete;
  SharingThreads& operator=(const SharingThreads&) = delete;

  /// Runs items 0 to count-1 and returns when all have ended. The calling thread is worker 0. One caller at a
  /// time.
  void run(SharedWork& work, std::size_t count) noexcept;

 private:
  SharingThreads() = default;
  void work_on(std::size_t worker) noexcept;
  void serve(std::size_t worker) noexcept;
  void keep_apart(std::size_t worker) noexcept;

  // Written by the caller while no item is to be had, read by those who have taken one.
  SharedWork* work_ = nullptr;
  std::int32_t count_ = 0;
  /// Items that nobody has taken yet; below 0: the threads are to end. 32 bits: what a futex waits on.
  std::atomic<std::int32_t> untaken_{0};
  std::atomic<std::int32_t> unfinished_{0};
  std::atomic<int> caller_cpu_{-1};
  cpu_set_t usable_{};  ///< cores of the process when the threads were started
  std::vector<std::thread> threads_;
};

}  // namespace skua::lightglue
