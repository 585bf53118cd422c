#include "skua/ports.h"

#include <gtest/gtest.h>

#include <chrono>

namespace skua {
namespace {

TEST(Ports, SystemClockIsMonotonicAndInTheRightUnit) {
  Clock& clock = system_clock();
  const std::int64_t before = clock.monotonic_ns();
  const auto steady = std::chrono::steady_clock::now().time_since_epoch();
  const std::int64_t after = clock.monotonic_ns();
  EXPECT_LE(before, after);
  // The same clock in the same unit: the standard library's reading lies between ours.
  const std::int64_t steady_ns = std::chrono::nanoseconds(steady).count();
  EXPECT_LE(before, steady_ns);
  EXPECT_LE(steady_ns, after);
}

TEST(Ports, UtcIsInMicroseconds) {
  using namespace std::chrono;
  const auto wall_us = duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
  const std::int64_t minute_us = 60'000'000;
  EXPECT_NEAR(static_cast<double>(skua::system_clock().utc_us()), static_cast<double>(wall_us),
              static_cast<double>(minute_us));
}

TEST(Ports, LevelNames) {
  EXPECT_EQ(to_string(Level::kDebug), "DEBUG");
  EXPECT_EQ(to_string(Level::kInfo), "INFO");
  EXPECT_EQ(to_string(Level::kWarn), "WARN");
  EXPECT_EQ(to_string(Level::kError), "ERROR");
}

}  // namespace
}  // namespace skua
