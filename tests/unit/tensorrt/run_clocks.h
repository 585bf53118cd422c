// Clocks of a test's own: how long anything takes in them does not depend on the machine.
#pragma once

#include <atomic>
#include <cstdint>

#include "skua/ports.h"

namespace skua::test {

inline constexpr std::int64_t kMs = 1'000'000;
inline constexpr std::int64_t kSecond = 1000 * kMs;

/// Stands still, or goes on by one step with each look at it.
class SteppingClock final : public Clock {
 public:
  std::int64_t monotonic_ns() const noexcept override { return now_ns_ += step_ns_; }
  std::int64_t utc_us() const noexcept override { return 0; }
  /// Without a look.
  std::int64_t now_ns() const noexcept { return now_ns_; }
  void step_by(std::int64_t step_ns) noexcept { step_ns_ = step_ns; }

 private:
  mutable std::atomic<std::int64_t> now_ns_{kSecond};
  std::atomic<std::int64_t> step_ns_{0};
};

}  // namespace skua::test
