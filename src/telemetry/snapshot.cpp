#include "telemetry/snapshot.h"

#include <sched.h>

#include <cstring>

namespace skua {

template <int kOptimisticTries>
bool BasicThermalSnapshot<kOptimisticTries>::copy(const Slot& slot, ThermalState& state) noexcept {
  const std::uint64_t before = slot.sequence.load(std::memory_order_acquire);
  Words words;
  for (std::size_t i = 0; i < kWords; ++i) words[i] = slot.words[i].load(std::memory_order_acquire);
  if (before % 2 != 0 || slot.sequence.load(std::memory_order_relaxed) != before) return false;
  if (before == 0) return true;  // nothing stored yet: the default state
  std::memcpy(static_cast<void*>(&state), words.data(), sizeof(state));
  return true;
}

template <int kOptimisticTries>
void BasicThermalSnapshot<kOptimisticTries>::store(const ThermalState& state) noexcept {
  Words words{};
  std::memcpy(words.data(), &state, sizeof(state));
  while (hands_.load(std::memory_order_seq_cst) != 0) sched_yield();
  const std::size_t next = (newest_.load(std::memory_order_relaxed) + 1) % kSlots;
  Slot& slot = slots_[next];
  const std::uint64_t before = slot.sequence.load(std::memory_order_relaxed);
  slot.sequence.store(before + 1, std::memory_order_relaxed);
  // Each store releases, so that whoever sees a new word also sees the odd sequence.
  for (std::size_t i = 0; i < kWords; ++i) slot.words[i].store(words[i], std::memory_order_release);
  slot.sequence.store(before + 2, std::memory_order_release);
  newest_.store(next, std::memory_order_seq_cst);
}

template class BasicThermalSnapshot<0>;
template class BasicThermalSnapshot<4>;

}  // namespace skua
