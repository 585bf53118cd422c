// Counts heap allocations and locks (of mutexes and rwlocks) of the calling thread while a function runs. The
// executable that links hot_path_counters.cpp has its allocations and its locks counted, libskua's included.
#pragma once

#include <cstdint>
#include <functional>

namespace skua::test {

struct HotPathCounts {
  std::uint64_t allocations = 0;
  std::uint64_t locks = 0;
};

HotPathCounts count_hot_path(const std::function<void()>& function);

/// Runs a function in which every C++ allocation of the calling thread fails.
void run_without_memory(const std::function<void()>& function);

/// Runs a function in which the `nth` C++ allocation of the calling thread fails, from 1, and where it
/// `is_lasting` all after it; those that are made inside of a call of an SDK do not count. The function must
/// not throw. Whether there was such a one.
bool run_with_failing_allocation(std::uint64_t nth, const std::function<void()>& function,
                                 bool is_lasting = false);

/// C++ allocations of the calling thread minus those that it gave back, since it began.
std::int64_t live_allocations();

}  // namespace skua::test
