#include "core/parallel.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace skua {
namespace {

/// What the workers share: the next index, and the first failure.
class Round {
 public:
  Round(std::size_t count, const std::function<void(std::size_t, std::size_t)>& work)
      : count_(count), work_(work) {}

  void run(std::size_t worker) noexcept {
    try {
      for (std::size_t i = next_++; i < count_; i = next_++) work_(worker, i);
    } catch (...) {
      next_ = count_;
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
    }
  }

  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  const std::size_t count_;
  const std::function<void(std::size_t, std::size_t)>& work_;
  std::atomic<std::size_t> next_{0};
  std::mutex mutex_;
  std::exception_ptr failure_;
};

}  // namespace

std::size_t usable_cores() noexcept {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    return std::max<std::size_t>(static_cast<std::size_t>(CPU_COUNT(&set)), 1);
  }
  return std::max(std::thread::hardware_concurrency(), 1U);  // more cores than the set can name
}

void for_each_index(std::size_t count, std::size_t workers,
                    const std::function<void(std::size_t worker, std::size_t index)>& work) {
  Round round(count, work);
  std::vector<std::jthread> threads;
  const std::size_t wanted = std::min(std::max<std::size_t>(workers, 1), std::max<std::size_t>(count, 1));
  threads.reserve(wanted);
  for (std::size_t worker = 1; worker < wanted; ++worker) {
    try {
      threads.emplace_back([&round, worker] { round.run(worker); });
    } catch (const std::system_error&) {
      break;  // slower, not wrong
    }
  }
  round.run(0);
  threads.clear();  // joins
  round.rethrow();
}

}  // namespace skua
