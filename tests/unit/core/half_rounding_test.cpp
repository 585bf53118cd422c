// Rounding through half, against every half there is.
#include "core/half_rounding.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "cache/half.h"

namespace skua {
namespace {

/// One value at a time takes the portable way, more than eight the processor's where it has one.
float one(float value) {
  round_through_half(std::span(&value, 1));
  return value;
}

std::vector<float> many(std::vector<float> values) {
  round_through_half(values);
  return values;
}

std::vector<float> all_halves() {
  std::vector<float> values;
  for (std::uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    values.push_back(half_to_float(static_cast<std::uint16_t>(bits)));
  }
  return values;
}

bool is_same(float a, float b) {
  return std::isnan(a) ? std::isnan(b) : std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}

TEST(HalfRounding, AHalfStaysWhatItIs) {
  const auto halves = all_halves();
  const auto rounded = many(halves);
  for (std::size_t i = 0; i < halves.size(); ++i) {
    ASSERT_TRUE(is_same(halves[i], rounded[i])) << i;
    ASSERT_TRUE(is_same(halves[i], one(halves[i]))) << i;
  }
}

TEST(HalfRounding, AHalfHasItsBits) {
  const auto halves = all_halves();
  for (std::size_t i = 0; i < halves.size(); ++i) {
    if (!std::isfinite(halves[i])) continue;
    ASSERT_EQ(bits_of_half(halves[i]), i);
  }
}

// Between two neighbouring halves lies one value that is as far from either; it goes to the even one.
TEST(HalfRounding, GoesToTheNearestAndTiesToEven) {
  for (std::uint32_t bits = 0; bits < 0x7BFF; ++bits) {  // up to 65504
    const float low = half_to_float(static_cast<std::uint16_t>(bits));
    const float high = half_to_float(static_cast<std::uint16_t>(bits + 1));
    const float middle = low + (high - low) / 2.0F;
    const float even = bits % 2 == 0 ? low : high;
    for (const float sign : {1.0F, -1.0F}) {
      ASSERT_EQ(one(sign * middle), sign * even) << bits;
      ASSERT_EQ(one(sign * std::nextafter(middle, low)), sign * low) << bits;
      ASSERT_EQ(one(sign * std::nextafter(middle, high)), sign * high) << bits;
    }
  }
}

TEST(HalfRounding, BeyondTheLargestIsInfinite) {
  EXPECT_EQ(one(std::nextafter(65520.0F, 0.0F)), 65504.0F);
  EXPECT_TRUE(std::isinf(one(65520.0F)));
  EXPECT_EQ(one(-1e30F), -std::numeric_limits<float>::infinity());
  EXPECT_EQ(one(1e-9F), 0.0F);
  EXPECT_TRUE(std::signbit(one(-1e-9F)));
  EXPECT_TRUE(std::isnan(one(std::numeric_limits<float>::quiet_NaN())));
  EXPECT_TRUE(std::isnan(many(std::vector<float>(16, std::numeric_limits<float>::signaling_NaN()))[3]));
}

TEST(HalfRounding, BothWaysAgreeOnAnyBits) {
  std::mt19937 random(1);
  std::vector<float> values(100'003);
  for (float& value : values) value = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
  const auto rounded = many(values);
  std::vector<float> copied(values.size());
  round_through_half(values, copied);
  for (std::size_t i = 0; i < values.size(); ++i) {
    ASSERT_TRUE(is_same(rounded[i], one(values[i]))) << values[i];
    ASSERT_TRUE(is_same(rounded[i], copied[i])) << values[i];
  }
}

}  // namespace
}  // namespace skua
