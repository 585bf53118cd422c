// A clock that stands where a test puts it.
#pragma once

#include "skua/ports.h"

namespace skua::test {

class FixedClock final : public Clock {
 public:
  std::int64_t monotonic_ns() const noexcept override { return system_clock().monotonic_ns(); }
  std::int64_t utc_us() const noexcept override { return now_us; }
  std::int64_t now_us = 0;
};

}  // namespace skua::test
