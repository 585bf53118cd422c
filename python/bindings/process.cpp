#include "process.h"

#include <pthread.h>

#include <atomic>

#include "recorder.h"

namespace skua::python {
namespace {

std::atomic<bool> has_built{false};
std::atomic<int> owner_count{0};
std::atomic<bool> is_child{false};

}  // namespace

void watch_forks() {
  ::pthread_atfork(nullptr, nullptr, [] {
    is_child = is_child || has_built || owner_count > 0;
    forget_coming_back();
    forget_recorder_calls();
  });
}

void note_owner(int change) noexcept { owner_count += change; }
void note_runtime_built() noexcept { has_built = true; }
bool is_forked() noexcept { return is_child.load(std::memory_order_relaxed); }

void refuse_forked() {
  raise_argument(Reason::kForkedProcess,
                 "this process was forked from one that had built a runtime; its threads and its SDK stayed "
                 "there: start a new process instead (multiprocessing: the start method 'spawn')");
}

}  // namespace skua::python
