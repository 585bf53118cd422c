// The resident set and its slope, on memory that the test takes for real.
#include "flight/memory_watch.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <vector>

#include "hot_path_counters.h"
#include "temp_folder.h"

namespace skua::flight {
namespace {

constexpr std::uint64_t kWarmUp = MemoryWatch::kWarmUpFrames;
constexpr std::size_t kBlock = 1U << 20U;
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr bool kHasShadow = true;  // every block touched takes more than itself
#else
constexpr bool kHasShadow = false;
#endif

/// Samples so many frames behind the warm-up, with `bytes` more memory touched before each.
void fly(MemoryWatch& watch, std::uint64_t frames, std::size_t bytes) {
  static std::vector<std::unique_ptr<char[]>> held;
  held.clear();
  for (std::uint64_t frame = 0; frame < kWarmUp + frames; ++frame) {
    if (bytes > 0 && frame >= kWarmUp) {
      held.push_back(std::make_unique<char[]>(bytes));
      std::memset(held.back().get(), 1, bytes);
    }
    watch.sample(frame);
  }
}

TEST(MemoryWatchTest, TheWarmUpIsLeftOut) {
  MemoryWatch watch;
  for (std::uint64_t frame = 0; frame < kWarmUp; ++frame) watch.sample(frame);
  EXPECT_EQ(watch.samples(), 0U);
  EXPECT_EQ(watch.slope(), 0.0);
  watch.sample(kWarmUp);
  EXPECT_EQ(watch.samples(), 1U);
  EXPECT_GT(watch.first_bytes(), 0);
  EXPECT_EQ(watch.slope(), 0.0) << "one sample makes no line";
}

TEST(MemoryWatchTest, MemoryThatGrowsByABlockAFrameIsASlopeOfABlock) {
  if (kHasShadow) GTEST_SKIP() << "a sanitizer keeps memory of its own beside ours";
  MemoryWatch watch;
  fly(watch, 50, kBlock);
  EXPECT_NEAR(watch.slope(), static_cast<double>(kBlock), 0.05 * kBlock);
  EXPECT_GE(watch.last_bytes() - watch.first_bytes(), static_cast<std::int64_t>(45 * kBlock));
  EXPECT_GE(watch.peak_bytes(), watch.last_bytes());
  EXPECT_GE(watch.rises(), 45U) << "a leak is in every frame";
}

/// One step in the middle is as steep a line as a leak; it is told apart by its number of rises.
TEST(MemoryWatchTest, AStepRisesOnce) {
  if (kHasShadow) GTEST_SKIP() << "a sanitizer keeps memory of its own beside ours";
  MemoryWatch watch;
  for (std::uint64_t frame = 0; frame < kWarmUp + 25; ++frame) watch.sample(frame);
  const std::uint64_t before = watch.rises();
  const auto step = std::make_unique<char[]>(10 * kBlock);
  std::memset(step.get(), 1, 10 * kBlock);
  for (std::uint64_t frame = kWarmUp + 25; frame < kWarmUp + 50; ++frame) watch.sample(frame);
  EXPECT_GT(watch.slope(), 0.2 * kBlock);
  EXPECT_GE(watch.rises(), before + 1);
  EXPECT_LE(watch.rises(), before + 3);
}

/// A library's pages that come in late are no leak.
TEST(MemoryWatchTest, PagesOfAFileAreNotCounted) {
  if (kHasShadow) GTEST_SKIP() << "a sanitizer keeps memory of its own beside ours";
  const skua::test::TempFolder folder;
  constexpr std::size_t kBytes = 32 * kBlock;
  folder.write("library", std::string(kBytes, 'x'));
  const int fd = ::open((folder.path() / "library").c_str(), O_RDONLY | O_CLOEXEC);
  void* const mapped = ::mmap(nullptr, kBytes, PROT_READ, MAP_PRIVATE, fd, 0);
  ASSERT_NE(mapped, MAP_FAILED);
  MemoryWatch watch;
  for (std::uint64_t frame = 0; frame <= kWarmUp; ++frame) watch.sample(frame);
  volatile char sum = 0;
  for (std::size_t i = 0; i < kBytes; i += 4096) sum = sum + static_cast<const char*>(mapped)[i];
  watch.sample(kWarmUp + 1);
  EXPECT_LT(watch.last_bytes() - watch.first_bytes(), static_cast<std::int64_t>(kBlock));
  ::munmap(mapped, kBytes);
  ::close(fd);
}

TEST(MemoryWatchTest, MemoryThatDoesNotGrowIsNoSlope) {
  MemoryWatch watch;
  fly(watch, 50, 0);
  EXPECT_LT(watch.slope(), 0.01 * kBlock);
}

/// Frame numbers of a flight of weeks: sums of squares would have lost the slope.
TEST(MemoryWatchTest, ASlopeOfALongFlightIsKept) {
  if (kHasShadow) GTEST_SKIP() << "a sanitizer keeps memory of its own beside ours";
  MemoryWatch watch;
  for (std::uint64_t frame = 0; frame < kWarmUp; ++frame) watch.sample(frame);
  std::vector<std::unique_ptr<char[]>> held;
  for (std::uint64_t frame = 0; frame < 40; ++frame) {
    held.push_back(std::make_unique<char[]>(kBlock));
    std::memset(held.back().get(), 1, kBlock);
    watch.sample((std::uint64_t{1} << 40U) + frame);
  }
  EXPECT_NEAR(watch.slope(), static_cast<double>(kBlock), 0.05 * kBlock);
}

TEST(MemoryWatchTest, ASampleAllocatesAndLocksNothing) {
  MemoryWatch watch;
  fly(watch, 2, 0);
  const auto counts = skua::test::count_hot_path([&] { watch.sample(100); });
  EXPECT_EQ(counts.allocations + counts.locks, 0U);
  EXPECT_EQ(watch.samples(), 3U);
}

}  // namespace
}  // namespace skua::flight
