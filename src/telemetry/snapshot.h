// The thermal snapshot: one writer (the telemetry thread), any number of readers on any thread, C4 among them
// on every frame. Lock-free, and bounded for a reader whatever the writer does.
//
// States are numbered, and number n lies in slot n % kSlots. A slot's sequence is 2n while it holds state n,
// and odd while it is written (a seqlock; H.-J. Boehm, "Can Seqlocks Get Along With Programming Language
// Memory Models?", MSPC 2012). A reader takes the newest number, copies its slot, and wants the sequence of
// that very number before and after: so it gets whole states, and never an older one after a newer one. The
// writer would have to go once around the ring during those few loads to disturb it. A reader that was
// disturbed kOptimisticTries times raises a hand: the writer begins no further state while a hand is up. At
// most one write is then under way, and it goes to the slot after the newest, so the newest is copied
// undisturbed.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "skua/thermal_state.h"

namespace skua {

/// The parameters are for tests: with no tries every read raises its hand, with two slots a reader is
/// disturbed all the time.
template <int kOptimisticTries, std::size_t kSlots>
class BasicThermalSnapshot {
 public:
  static_assert(kSlots >= 2);

  /// The newest state; before the first store, "not available". No lock, no allocation, no clock call. A few
  /// nanoseconds; at most kOptimisticTries + 1 copies.
  ThermalState load() const noexcept {
    ThermalState state;
    for (int i = 0; i < kOptimisticTries; ++i) {
      if (copy(newest_.load(std::memory_order_acquire), state)) return state;
    }
    hands_.fetch_add(1, std::memory_order_seq_cst);
    // Sequentially consistent with the writer's look at hands_: see above.
    copy(newest_.load(std::memory_order_seq_cst), state);
    hands_.fetch_sub(1, std::memory_order_release);
    return state;
  }

  /// Publishes a state. One thread at a time. Waits for readers with a raised hand: for the time that they
  /// need for a copy.
  void store(const ThermalState& state) noexcept;

 private:
  static_assert(std::is_trivially_copyable_v<ThermalState>);
  static constexpr std::size_t kWords = (sizeof(ThermalState) + 7) / 8;
  using Words = std::array<std::uint64_t, kWords>;

  struct alignas(64) Slot {
    std::atomic<std::uint64_t> sequence{0};
    std::array<std::atomic<std::uint64_t>, kWords> words{};
  };

  /// False: the slot holds another state, or was written meanwhile; `state` is then as it was. Loads that
  /// acquire stay in their order, so that the second look at the sequence comes last.
  bool copy(std::uint64_t number, ThermalState& state) const noexcept {
    if (number == 0) return true;  // nothing stored yet: the default state
    const Slot& slot = slots_[number % kSlots];
    if (slot.sequence.load(std::memory_order_acquire) != 2 * number) return false;
    Words words;
    for (std::size_t i = 0; i < kWords; ++i) words[i] = slot.words[i].load(std::memory_order_acquire);
    if (slot.sequence.load(std::memory_order_relaxed) != 2 * number) return false;
    std::memcpy(static_cast<void*>(&state), words.data(), sizeof(state));
    return true;
  }

  std::array<Slot, kSlots> slots_{};
  alignas(64) std::atomic<std::uint64_t> newest_{0};  ///< its number; 0: there is none
  alignas(64) mutable std::atomic<std::uint32_t> hands_{0};
};

using ThermalSnapshot = BasicThermalSnapshot<4, 8>;

extern template class BasicThermalSnapshot<4, 8>;
extern template class BasicThermalSnapshot<4, 2>;
extern template class BasicThermalSnapshot<0, 2>;

}  // namespace skua
