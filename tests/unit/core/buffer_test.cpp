#include "core/buffer.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

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

}  // namespace
}  // namespace skua
