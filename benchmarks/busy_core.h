// A thread that spins: what a neighbour on one of the cores does to a figure.
#pragma once

#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <thread>

namespace skua::bench {

/// Keeps the last core that this process may use busy, for as long as it lives.
class BusyCore {
 public:
  BusyCore() : thread_([this] { spin(); }) {}
  BusyCore(const BusyCore&) = delete;
  BusyCore& operator=(const BusyCore&) = delete;
  ~BusyCore() {
    is_ended_ = true;
    thread_.join();
  }

 private:
  void spin() {
    cpu_set_t usable, last;
    CPU_ZERO(&usable);
    CPU_ZERO(&last);
    ::sched_getaffinity(0, sizeof(usable), &usable);
    std::size_t core = CPU_SETSIZE - 1;
    while (core > 0 && !CPU_ISSET(core, &usable)) --core;
    CPU_SET(core, &last);
    ::pthread_setaffinity_np(::pthread_self(), sizeof(last), &last);
    while (!is_ended_.load(std::memory_order_relaxed)) {
    }
  }

  std::atomic<bool> is_ended_{false};
  std::thread thread_;
};

}  // namespace skua::bench
