#include "telemetry/snapshot.h"

#include <sched.h>

#include <cstring>

namespace skua {

template <int kOptimisticTries, std::size_t kSlots>
void BasicThermalSnapshot<kOptimisticTries, kSlots>::store(const ThermalState& state) noexcept {
  Words words{};
  std::memcpy(words.data(), &state, sizeof(state));
  while (hands_.load(std::memory_order_seq_cst) != 0) sched_yield();
  const std::uint64_t next = newest_.load(std::memory_order_relaxed) + 1;
  Slot& slot = slots_[next % kSlots];
  slot.sequence.store(2 * next - 1, std::memory_order_relaxed);
  // Each store releases, so that whoever sees a new word also sees the odd sequence.
  for (std::size_t i = 0; i < kWords; ++i) slot.words[i].store(words[i], std::memory_order_release);
  slot.sequence.store(2 * next, std::memory_order_release);
  newest_.store(next, std::memory_order_seq_cst);
}

template class BasicThermalSnapshot<4, 8>;
template class BasicThermalSnapshot<4, 2>;
template class BasicThermalSnapshot<0, 2>;

}  // namespace skua
