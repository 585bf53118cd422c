#include "inference/lightglue_workers.h"

#include <pthread.h>

#include <array>
#include <cstdio>
#include <string>
#include <system_error>

#include "core/blocked_signals.h"

namespace skua::lightglue {
namespace {

constexpr std::int32_t kEnd = -1;

}  // namespace

Result<std::unique_ptr<SharingThreads>> SharingThreads::start(std::size_t count) {
  std::unique_ptr<SharingThreads> sharing(new SharingThreads());
  SharingThreads* const self = sharing.get();
  CPU_ZERO(&self->usable_);
  static_cast<void>(
      ::sched_getaffinity(0, sizeof(self->usable_), &self->usable_));  // else none: see keep_apart
  try {
    self->threads_.reserve(count);
    const BlockedSignals inherited;
    for (std::size_t worker = 1; worker <= count; ++worker)
      self->threads_.emplace_back([self, worker] { self->serve(worker); });
  } catch (const std::system_error& error) {
    return make_error(ErrorCode::kOutOfMemory, Reason::kOutOfMemory,
                      "matching threads: expected " + std::to_string(count) +
                          " new threads, the system gives no more (" + std::string(error.what()) +
                          "); raise the limit on threads (ulimit -u, TasksMax) or declare fewer lanes",
                      error.code().value());
  }
  return sharing;
}

SharingThreads::~SharingThreads() {
  untaken_.store(kEnd);  // sequentially consistent: not to pass the look for waiters in notify_all
  untaken_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

// Whoever is late finds items of a later call, or none: an item is taken before `work_` and `count_` are
// read, and as long as a taken item has not ended, run() does not return and nobody writes them.
void SharingThreads::work_on(std::size_t worker) noexcept {
  std::int32_t left = untaken_.load(std::memory_order_acquire);
  while (left > 0) {
    if (!untaken_.compare_exchange_weak(left, left - 1, std::memory_order_acq_rel, std::memory_order_acquire))
      continue;
    keep_apart(worker);
    work_->run(worker, static_cast<std::size_t>(count_ - left));
    if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) unfinished_.notify_one();
    left = untaken_.load(std::memory_order_acquire);
  }
}

void SharingThreads::keep_apart(std::size_t worker) noexcept {
  const int cpu = ::sched_getcpu();
  if (worker == 0) {
    caller_cpu_.store(cpu, std::memory_order_relaxed);
    return;
  }
  if (cpu < 0 || cpu != caller_cpu_.load(std::memory_order_relaxed)) return;
  cpu_set_t others = usable_;
  CPU_CLR(static_cast<std::size_t>(cpu), &others);
  // Refused, or no other core: then they share one, as they would have.
  if (CPU_COUNT(&others) > 0) static_cast<void>(::sched_setaffinity(0, sizeof(others), &others));
}

void SharingThreads::serve(std::size_t worker) noexcept {
  std::array<char, 16> name{};  // the longest that Linux takes
  std::snprintf(name.data(), name.size(), "skua-match-%u", static_cast<unsigned>(worker % 1000));
  ::pthread_setname_np(::pthread_self(), name.data());
  while (untaken_.load(std::memory_order_acquire) != kEnd) {
    work_on(worker);
    untaken_.wait(0, std::memory_order_acquire);
  }
}

void SharingThreads::run(SharedWork& work, std::size_t count) noexcept {
  work_ = &work;
  count_ = static_cast<std::int32_t>(count);
  unfinished_.store(count_, std::memory_order_relaxed);
  untaken_.store(count_);  // as in the destructor
  if (count > 1) untaken_.notify_all();
  work_on(0);
  for (std::int32_t left = unfinished_.load(std::memory_order_acquire); left != 0;
       left = unfinished_.load(std::memory_order_acquire)) {
    unfinished_.wait(left, std::memory_order_acquire);
  }
}

}  // namespace skua::lightglue
