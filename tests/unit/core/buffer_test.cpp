#include "core/buffer.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <thread>
#include <vector>

#include "check.h"

namespace skua {
namespace {

using test::is_error;

constexpr std::size_t kHugePage = std::size_t{2} << 20U;

std::uintptr_t address_of(Buffer& buffer) { return reinterpret_cast<std::uintptr_t>(buffer.bytes().data()); }

TEST(Buffer, HasTheSizeAskedForAndIsWritable) {
  for (const std::size_t size :
       {std::size_t{1}, std::size_t{4096}, std::size_t{4097}, kHugePage, kHugePage + 1}) {
    Buffer buffer = Buffer::allocate(size).value();
    ASSERT_EQ(buffer.bytes().size(), size);
    EXPECT_GE(buffer.capacity(), size);
    buffer.bytes().front() = std::byte{1};
    buffer.bytes().back() = std::byte{2};
    EXPECT_EQ(address_of(buffer) % (size >= kHugePage ? kHugePage : 4096), 0U) << size;
  }
}

TEST(Buffer, AllOfAHugeBufferIsMapped) {
  Buffer buffer = Buffer::allocate(3 * kHugePage + 5).value();
  buffer.set_size(buffer.capacity());
  for (std::size_t at = 0; at < buffer.capacity(); at += 4096) buffer.bytes()[at] = std::byte{1};
  EXPECT_EQ(buffer.bytes().back(), std::byte{0});
}

TEST(Buffer, EmptyNeedsNoMemory) {
  Buffer buffer = Buffer::allocate(0).value();
  EXPECT_TRUE(buffer.bytes().empty());
  EXPECT_EQ(buffer.capacity(), 0U);
}

TEST(Buffer, RefusesWhatNoMachineHas) {
  constexpr std::size_t kMax = std::numeric_limits<std::size_t>::max();
  for (const std::size_t size : {kMax, kMax / 2, std::size_t{1} << 60U}) {
    EXPECT_TRUE(is_error(Buffer::allocate(size), ErrorCode::kOutOfMemory, Reason::kOutOfMemory,
                         std::to_string(size)));
  }
}

TEST(Buffer, MoveLeavesNothingBehind) {
  Buffer first = Buffer::allocate(100).value();
  const auto address = address_of(first);
  Buffer second = std::move(first);
  EXPECT_EQ(first.capacity(), 0U);  // NOLINT(bugprone-use-after-move): that is the question
  Buffer third = Buffer::allocate(kHugePage).value();
  third = std::move(second);
  EXPECT_EQ(address_of(third), address);
  EXPECT_EQ(third.bytes().size(), 100U);
}

TEST(BufferPool, GivesTheSmallestThatIsLargeEnough) {
  BufferPool pool(2);
  Buffer large = Buffer::allocate(64 * 4096).value(), small = Buffer::allocate(8 * 4096).value();
  const auto large_at = address_of(large), small_at = address_of(small);
  pool.give_back(std::move(large));
  pool.give_back(std::move(small));
  Buffer first = pool.take(5 * 4096).value();
  EXPECT_EQ(address_of(first), small_at);
  EXPECT_EQ(first.bytes().size(), std::size_t{5 * 4096});
  Buffer second = pool.take(5 * 4096).value();
  EXPECT_EQ(address_of(second), large_at);
}

TEST(BufferPool, MakesANewOneWhenAllAreTooSmall) {
  BufferPool pool(1);
  pool.give_back(Buffer::allocate(4096).value());
  EXPECT_EQ(pool.take(4097).value().bytes().size(), 4097U);
}

TEST(BufferPool, KeepsTheLargerOnesWhenItIsFull) {
  BufferPool pool(1);
  Buffer large = Buffer::allocate(64 * 4096).value();
  const auto large_at = address_of(large);
  pool.give_back(Buffer::allocate(4096).value());
  pool.give_back(std::move(large));
  pool.give_back(Buffer::allocate(4096).value());
  Buffer taken = pool.take(4096).value();
  EXPECT_EQ(address_of(taken), large_at);
}

TEST(Buffer, ResizingKeepsThePagesThatAreThere) {
  Buffer buffer = Buffer::allocate(4 * kHugePage).value();
  std::fill(buffer.bytes().begin(), buffer.bytes().end(), std::byte{7});
  const auto address = address_of(buffer);
  ASSERT_TRUE(buffer.resize(kHugePage + 1).ok());
  EXPECT_EQ(address_of(buffer), address);
  EXPECT_EQ(buffer.capacity(), 2 * kHugePage);
  ASSERT_TRUE(buffer.resize(6 * kHugePage).ok());
  EXPECT_EQ(buffer.bytes().size(), 6 * kHugePage);
  EXPECT_EQ(address_of(buffer) % kHugePage, 0U);
  EXPECT_EQ(buffer.bytes()[2 * kHugePage - 1], std::byte{7}) << "a page that stayed";
  EXPECT_EQ(buffer.bytes()[2 * kHugePage], std::byte{0}) << "a page that had gone back";
  std::fill(buffer.bytes().begin(), buffer.bytes().end(), std::byte{9});
}

// Before Linux 6.17 the second growth gives fresh memory: what counts is that every byte is there and ours.
TEST(Buffer, GrowingTwiceLeavesNoHoleAndNothingOfOthers) {
  Buffer buffer = Buffer::allocate(kHugePage).value();
  std::fill(buffer.bytes().begin(), buffer.bytes().end(), std::byte{7});
  Buffer neighbour = Buffer::allocate(2 * kHugePage).value();
  std::fill(neighbour.bytes().begin(), neighbour.bytes().end(), std::byte{3});
  ASSERT_TRUE(buffer.resize(3 * kHugePage).ok());
  std::fill(buffer.bytes().begin() + kHugePage, buffer.bytes().end(), std::byte{8});
  EXPECT_EQ(buffer.bytes()[kHugePage - 1], std::byte{7}) << "the first growth keeps the pages";
  ASSERT_TRUE(buffer.resize(6 * kHugePage).ok());
  ASSERT_EQ(buffer.bytes().size(), 6 * kHugePage);
  const bool is_kept = buffer.bytes().front() == std::byte{7};
  for (std::size_t i = 0; i < 6; ++i) {
    const auto expected = !is_kept || i >= 3 ? std::byte{0} : i == 0 ? std::byte{7} : std::byte{8};
    const auto page = buffer.bytes().subspan(i * kHugePage, kHugePage);
    EXPECT_TRUE(std::all_of(page.begin(), page.end(), [&](std::byte b) { return b == expected; })) << i;
  }
  std::fill(buffer.bytes().begin(), buffer.bytes().end(), std::byte{9});
  EXPECT_TRUE(std::all_of(neighbour.bytes().begin(), neighbour.bytes().end(),
                          [](std::byte b) { return b == std::byte{3}; }));
}

TEST(Buffer, AnySizeCanFollowAnyOther) {
  const std::size_t sizes[] = {0, 1, 4096, 5000, kHugePage - 1, kHugePage, 3 * kHugePage + 5};
  for (const std::size_t from : sizes) {
    for (const std::size_t to : sizes) {
      Buffer buffer = Buffer::allocate(from).value();
      ASSERT_TRUE(buffer.resize(to).ok()) << from << " " << to;
      ASSERT_EQ(buffer.bytes().size(), to);
      EXPECT_EQ(buffer.capacity(), Buffer::allocate(to).value().capacity()) << from << " " << to;
      std::fill(buffer.bytes().begin(), buffer.bytes().end(), std::byte{1});
    }
  }
}

// A kernel takes nothing back that begins within one of its pages, which some for aarch64 have of 64 KiB.
TEST(Buffer, AShrunkOneGivesBackWholePages) {
  constexpr std::size_t kLargestPage = 65536;
  Buffer buffer = Buffer::allocate(2 * kLargestPage).value();
  void* const second_half = buffer.bytes().data() + kLargestPage;
  ASSERT_EQ(msync(second_half, kLargestPage, MS_ASYNC), 0) << "the control";
  ASSERT_TRUE(buffer.resize(1).ok());
  EXPECT_EQ(msync(second_half, kLargestPage, MS_ASYNC), -1);
  EXPECT_EQ(errno, ENOMEM);
  const long page = sysconf(_SC_PAGESIZE);
  EXPECT_EQ(buffer.capacity() % static_cast<std::size_t>(page), 0U);
  RecordProperty("page_bytes", std::to_string(page));  // lane aarch64 runs this once more with others
}

TEST(Buffer, ResizingToWhatNoMachineHasLeavesNothing) {
  Buffer buffer = Buffer::allocate(2 * kHugePage).value();
  EXPECT_TRUE(is_error(buffer.resize(std::size_t{1} << 60U), ErrorCode::kOutOfMemory, Reason::kOutOfMemory));
  EXPECT_EQ(buffer.capacity(), 0U);
  EXPECT_TRUE(buffer.resize(kHugePage).ok()) << "the control";
}

TEST(BufferPool, AKeptBufferIsBroughtToTheSizeAskedFor) {
  BufferPool pool(1);
  pool.give_back(Buffer::allocate(8 * kHugePage).value());
  Buffer small = pool.take(kHugePage).value();
  EXPECT_EQ(small.capacity(), kHugePage) << "no more memory is held than was asked for";
  pool.give_back(std::move(small));
  EXPECT_EQ(pool.take(3 * kHugePage).value().capacity(), 3 * kHugePage);
  EXPECT_EQ(pool.kept(), 0U) << "one that is too small is made larger, not kept beside a new one";
}

TEST(BufferPool, KeepsNothingThatNobodyWillAskFor) {
  BufferPool pool(2, 3);
  Buffer first = pool.take(4096).value(), second = pool.take(4096).value();
  pool.give_back(std::move(first));
  EXPECT_EQ(pool.kept(), 1U);
  pool.give_back(std::move(second));
  EXPECT_EQ(pool.kept(), 1U) << "one request is left";
  Buffer third = pool.take(4096).value();
  pool.give_back(std::move(third));
  EXPECT_EQ(pool.kept(), 0U);
}

TEST(BufferPool, ACopyIsAHandleToTheSamePool) {
  BufferPool pool(1);
  BufferPool(pool).give_back(Buffer::allocate(4096).value());
  EXPECT_EQ(pool.kept(), 1U);
}

TEST(BufferPool, ServesThreadsAtOnce) {
  BufferPool pool(3);
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([pool, t]() mutable {
      for (std::size_t i = 1; i < 200; ++i) {
        Buffer buffer = pool.take(4096 * (i % 7 + 1)).value();
        std::fill(buffer.bytes().begin(), buffer.bytes().end(), static_cast<std::byte>(t));
        const auto last = buffer.bytes().back();
        EXPECT_EQ(last, static_cast<std::byte>(t));
        pool.give_back(std::move(buffer));
      }
    });
  }
  threads.clear();
  EXPECT_LE(pool.kept(), 3U);
  EXPECT_GE(pool.kept(), 1U);
}

}  // namespace
}  // namespace skua
