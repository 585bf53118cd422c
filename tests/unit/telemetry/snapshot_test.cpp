// The snapshot under a writer that never pauses: no torn state, no starved reader, no starved writer. A plain
// copy fails the same test.
#include "telemetry/snapshot.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <thread>
#include <vector>

#include "counts.h"

namespace skua {
namespace {

#ifdef __SANITIZE_THREAD__
constexpr bool kIsThreadSanitizer = true;
#else
constexpr bool kIsThreadSanitizer = false;
#endif

/// A state in which every member says the same number.
ThermalState state_of_number(std::int64_t number) {
  ThermalState state;
  const auto small = static_cast<std::int32_t>(number % 1'000'000);
  state.cpu_temp_c = static_cast<float>(small);
  state.gpu_temp_c = static_cast<float>(small);
  state.measured_clock_mhz = small;
  state.thermal_throttle_active = number % 2 != 0;
  state.is_telemetry_available = true;
  state.measured_at_ns = number;
  return state;
}

bool is_whole(const ThermalState& state) {
  const ThermalState expected = state_of_number(state.measured_at_ns);
  return state.cpu_temp_c == expected.cpu_temp_c && state.gpu_temp_c == expected.gpu_temp_c &&
         state.measured_clock_mhz == expected.measured_clock_mhz &&
         state.thermal_throttle_active == expected.thermal_throttle_active && state.is_telemetry_available;
}

/// What everybody would write first.
class PlainCopy {
 public:
  ThermalState load() const noexcept { return state_; }
  void store(const ThermalState& state) noexcept { state_ = state; }

 private:
  ThermalState state_;
};

struct Outcome {
  std::uint64_t reads = 0, torn = 0, older = 0;
  std::int64_t stores = 0;
};

constexpr std::int64_t kEnoughStores = 100;

/// Reads `reads` times, and then on until the writer has got its turn often enough.
template <typename Snapshot>
void read_many(const Snapshot& snapshot, std::uint64_t reads, bool stops_when_torn, Outcome& outcome) {
  std::int64_t newest = 0;
  for (; outcome.reads < reads || newest < kEnoughStores; ++outcome.reads) {
    const ThermalState state = snapshot.load();
    if (!is_whole(state)) ++outcome.torn;
    if (state.measured_at_ns < newest) ++outcome.older;
    newest = state.measured_at_ns;
    if (stops_when_torn && outcome.torn > 0) return;
  }
}

/// Two readers beside a writer that never pauses.
template <typename Snapshot>
Outcome race(std::uint64_t reads, bool stops_when_torn = false) {
  Snapshot snapshot;
  snapshot.store(state_of_number(1));
  std::atomic<bool> is_done{false};
  std::int64_t number = 1;
  std::thread writer([&] {
    while (!is_done.load(std::memory_order_relaxed)) snapshot.store(state_of_number(++number));
  });
  std::array<Outcome, 2> outcomes;
  std::thread other([&] { read_many(snapshot, reads / 2, stops_when_torn, outcomes[1]); });
  read_many(snapshot, reads / 2, stops_when_torn, outcomes[0]);
  other.join();
  is_done = true;
  writer.join();
  return {outcomes[0].reads + outcomes[1].reads, outcomes[0].torn + outcomes[1].torn,
          outcomes[0].older + outcomes[1].older, number};
}

TEST(ThermalSnapshot, BeforeTheFirstStoreNothingIsAvailable) {
  const ThermalSnapshot snapshot;
  const ThermalState state = snapshot.load();
  EXPECT_FALSE(state.is_telemetry_available);
  EXPECT_FALSE(state.thermal_throttle_active);
  EXPECT_TRUE(std::isnan(state.gpu_temp_c));
  EXPECT_EQ(state.measured_clock_mhz, 0);
}

TEST(ThermalSnapshot, TheNewestStoreIsRead) {
  ThermalSnapshot snapshot;
  for (std::int64_t number = 1; number < 100; ++number) {
    snapshot.store(state_of_number(number));
    EXPECT_EQ(snapshot.load().measured_at_ns, number);
  }
}

TEST(ThermalSnapshot, NoStateIsTornUnderAWriterThatNeverPauses) {
  const auto reads = static_cast<std::uint64_t>(skua_test::count("snapshot_reads"));
  const Outcome outcome = race<ThermalSnapshot>(reads);
  EXPECT_GE(outcome.reads, reads / 2 * 2);
  EXPECT_EQ(outcome.torn, 0U);
  EXPECT_EQ(outcome.older, 0U) << "a reader was given an older state after a newer one";
  EXPECT_GE(outcome.stores, kEnoughStores);
}

/// With two slots nearly every read is disturbed: what guards the ring is used all the time.
TEST(ThermalSnapshot, NoStateIsTornWhereEveryReadIsDisturbed) {
  const auto reads = static_cast<std::uint64_t>(skua_test::count("snapshot_reads"));
  const Outcome outcome = race<BasicThermalSnapshot<4, 2>>(reads);
  EXPECT_EQ(outcome.torn, 0U);
  EXPECT_EQ(outcome.older, 0U);
}

/// The way that bounds a reader's tries, taken on every read. A writer that starved would let this hang.
TEST(ThermalSnapshot, NoStateIsTornWithARaisedHand) {
  const auto reads = static_cast<std::uint64_t>(skua_test::count("snapshot_reads"));
  const Outcome outcome = race<BasicThermalSnapshot<0, 2>>(reads);
  EXPECT_GE(outcome.reads, reads / 2 * 2);
  EXPECT_EQ(outcome.torn, 0U);
  EXPECT_EQ(outcome.older, 0U);
  EXPECT_GE(outcome.stores, kEnoughStores);
}

TEST(ThermalSnapshot, APlainCopyFailsTheSameTest) {
  if (kIsThreadSanitizer) GTEST_SKIP() << "a plain copy is the very race that the thread sanitizer reports";
  const Outcome outcome = race<PlainCopy>(2'000'000'000, true);
  EXPECT_GT(outcome.torn, 0U) << "after " << outcome.reads << " reads";
}

}  // namespace
}  // namespace skua
