#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

#include "check.h"
#include "skua/tensor.h"

namespace skua {
namespace {

using test::is_invalid;
using test::is_ok;

constexpr std::int64_t kHuge = std::int64_t{1} << 32U;

TEST(Shape, CountsElements) {
  EXPECT_EQ(Shape({2, 3, 4}).element_count().value(), 24U);
  EXPECT_EQ(Shape().element_count().value(), 1U);
  EXPECT_EQ(Shape({5, 0, 7}).element_count().value(), 0U);
}

TEST(Shape, RefusesToCountDynamicDimensions) {
  EXPECT_TRUE(is_invalid(Shape({2, -1}).element_count(), "2x-1"));
  EXPECT_TRUE(is_ok(Shape({2, 1}).element_count()));
}

TEST(Shape, NoticesOverflowOfTheCount) {
  EXPECT_TRUE(is_invalid(Shape({kHuge, kHuge}).element_count(), "more elements"));
  // 2^63 fits into size_t but not into a pointer difference.
  EXPECT_TRUE(is_invalid(Shape({kHuge, kHuge / 2}).element_count(), "more elements"));
  EXPECT_TRUE(is_ok(Shape({kHuge, kHuge / 4}).element_count()));
}

TEST(Shape, NoticesOverflowOfTheBytes) {
  const Shape shape({kHuge, kHuge / 4});
  EXPECT_TRUE(is_invalid(shape.byte_size(DType::kFloat64), "more bytes"));
  EXPECT_EQ(shape.byte_size(DType::kInt8).value(), std::size_t{1} << 62U);
}

TEST(Shape, AnEmptyTensorIsEmptyHoweverLargeTheRestIs) {
  EXPECT_EQ(Shape({kHuge, kHuge, 0}).element_count().value(), 0U);
  EXPECT_TRUE(is_invalid(Shape({kHuge, kHuge, 1}).element_count(), "more elements"));
}

TEST(Shape, FromRefusesWhatIsNoShape) {
  const std::vector<std::int64_t> nine(9, 1), eight(8, 1), negative = {1, -2}, dynamic = {1, -1};
  EXPECT_TRUE(is_invalid(Shape::from(nine), "9 dimensions"));
  EXPECT_EQ(Shape::from(eight).value().rank(), 8U);
  EXPECT_TRUE(is_invalid(Shape::from(negative), "axis 1"));
  EXPECT_FALSE(Shape::from(dynamic).value().is_static());
}

TEST(Shape, TextReadsBack) {
  for (const Shape& shape : {Shape(), Shape({7}), Shape({1, 3, 640, 360}), Shape({-1, 0, 2})}) {
    EXPECT_EQ(Shape::parse(shape.to_string()).value(), shape) << shape.to_string();
  }
  EXPECT_EQ(Shape({1, -1}).to_string(), "1x-1");
  EXPECT_EQ(Shape().to_string(), "scalar");
}

TEST(Shape, ParseRefusesEverythingElse) {
  for (const char* text : {"", "x", "1x", "x1", "1xx2", "1X2", "1,2", "01", "-0", "+1", " 1", "1 ", "-2",
                           "1.5", "Scalar", "1x1x1x1x1x1x1x1x1", "9223372036854775808"}) {
    EXPECT_TRUE(is_invalid(Shape::parse(text), text)) << text;
  }
  EXPECT_TRUE(is_ok(Shape::parse("1x1x1x1x1x1x1x1")));
  EXPECT_TRUE(is_ok(Shape::parse("9223372036854775807")));
}

TEST(Shape, EqualityLooksAtRankAndDimensions) {
  EXPECT_EQ(Shape({1, 2}), Shape({1, 2}));
  EXPECT_NE(Shape({1, 2}), Shape({2, 1}));
  EXPECT_NE(Shape({1, 0}), Shape({1}));  // unused dimensions are 0 inside
  EXPECT_NE(Shape(), Shape({1}));
}

}  // namespace
}  // namespace skua
