#include "events/frame_ring.h"

#include <gtest/gtest.h>

#include <array>
#include <thread>
#include <vector>

#include "counts.h"
#include "hot_path_counters.h"

namespace skua {
namespace {

/// Everything in it says the same number, so that a torn copy shows.
StampedFrame numbered(std::int64_t number, std::int64_t producer = 0) {
  StampedFrame frame;
  frame.utc_us = frame.monotonic_ns = frame.event.took_ns = number;
  frame.event.frame = static_cast<std::uint64_t>(number);
  frame.event.native_code = static_cast<std::int32_t>(producer);
  frame.event.backbone.fill(static_cast<char>(number % 100));
  return frame;
}

bool is_whole(const StampedFrame& frame) {
  const StampedFrame expected = numbered(frame.utc_us);
  return frame.monotonic_ns == expected.utc_us && frame.event.took_ns == expected.utc_us &&
         frame.event.frame == expected.event.frame && frame.event.backbone == expected.event.backbone;
}

std::vector<std::int64_t> pop_all(FrameRing& ring) {
  std::vector<std::int64_t> numbers;
  StampedFrame frame;
  for (std::uint64_t position = 0; ring.pop(frame, position);) numbers.push_back(frame.utc_us);
  return numbers;
}

TEST(FrameRing, CapacityIsAPowerOfTwo) {
  EXPECT_EQ(FrameRing(0).capacity(), 2U);
  EXPECT_EQ(FrameRing(64).capacity(), 64U);
  EXPECT_EQ(FrameRing(65).capacity(), 128U);
}

TEST(FrameRing, EntriesComeOutInOrderWithTheirPositions) {
  FrameRing ring(4);
  for (std::int64_t round = 0; round < 10; ++round) {
    EXPECT_TRUE(ring.push(numbered(2 * round)));
    EXPECT_TRUE(ring.push(numbered(2 * round + 1)));
    StampedFrame frame;
    std::uint64_t position = 0;
    for (const std::int64_t expected : {2 * round, 2 * round + 1}) {
      ASSERT_TRUE(ring.pop(frame, position));
      EXPECT_EQ(frame.utc_us, expected);
      EXPECT_EQ(position, static_cast<std::uint64_t>(expected));
    }
    EXPECT_FALSE(ring.pop(frame, position));
  }
  EXPECT_EQ(ring.dropped_count(), 0U);
}

TEST(FrameRing, FullRingDropsItsOldest) {
  FrameRing ring(4);
  for (std::int64_t i = 0; i < 11; ++i) EXPECT_TRUE(ring.push(numbered(i)));
  EXPECT_EQ(pop_all(ring), (std::vector<std::int64_t>{7, 8, 9, 10}));
  EXPECT_EQ(ring.dropped_count(), 7U);
  EXPECT_EQ(ring.head(), ring.tail());
}

TEST(FrameRing, PushingAllocatesNothing) {
  FrameRing ring(4);
  const auto counts = test::count_hot_path([&ring] {
    for (std::int64_t i = 0; i < 100; ++i) ring.push(numbered(i));
  });
  EXPECT_EQ(counts.allocations, 0U);
  EXPECT_EQ(counts.locks, 0U);
}

TEST(FrameRing, ManyProducersLoseNothingUncountedAndTearNothing) {
  constexpr std::size_t kProducers = 3;
  const std::int64_t rounds = skua_test::count("event_rounds");
  FrameRing ring(16);
  std::atomic<int> running{kProducers};
  std::vector<std::thread> producers;
  for (std::size_t p = 0; p < kProducers; ++p) {
    producers.emplace_back([&ring, &running, rounds, p] {
      for (std::int64_t i = 0; i < rounds; ++i) ring.push(numbered(i, static_cast<std::int64_t>(p)));
      --running;
    });
  }
  std::uint64_t popped = 0;
  std::array<std::int64_t, kProducers> last{-1, -1, -1};
  StampedFrame frame;
  std::uint64_t position = 0;
  while (running > 0 || ring.head() != ring.tail()) {
    if (!ring.pop(frame, position)) continue;
    ++popped;
    ASSERT_TRUE(is_whole(frame));
    auto& previous = last.at(static_cast<std::size_t>(frame.event.native_code));
    ASSERT_LT(previous, frame.utc_us);  // each producer's entries keep their order
    previous = frame.utc_us;
  }
  for (std::thread& producer : producers) producer.join();
  EXPECT_EQ(popped + ring.dropped_count(), kProducers * static_cast<std::uint64_t>(rounds));
}

}  // namespace
}  // namespace skua
