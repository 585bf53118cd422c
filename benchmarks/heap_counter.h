// Counts what a piece of code takes from the heap, whoever asks: the program that links heap_counter.cpp has
// its malloc family replaced, for every library in the process, the SDK's included. Only for programs that
// count; the counting would show in a time.
#pragma once

#include <cstdint>
#include <functional>

namespace skua::bench {

struct HeapCounts {
  std::uint64_t allocations = 0;
  std::uint64_t bytes = 0;
};

/// What the calling thread allocates while `function` runs.
HeapCounts count_heap(const std::function<void()>& function);

/// While true, whatever is allocated with an alignment (Skua's tensors are) gets pages of its own, so that
/// touching it can be watched.
void give_tensors_their_own_pages(bool is_wanted) noexcept;

}  // namespace skua::bench
