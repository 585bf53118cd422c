#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "cache/golden.h"
#include "cache_fixture.h"

namespace skua::test::golden_format_tests {
namespace {

/// A file put together by hand, field by field, so that the encoder is not its own judge.
class Builder {
 public:
  Builder& number(std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) text_ += static_cast<char>((value >> (8 * i)) & 0xffU);
    return *this;
  }
  Builder& raw(const std::string& bytes) {
    text_ += bytes;
    return *this;
  }
  Builder& head(std::uint32_t count) { return raw("SKUAGLD1").number(count, 4).number(0, 4); }
  Builder& tensor(int role, DType dtype, std::vector<std::int64_t> dims, const std::string& name,
                  const std::string& payload) {
    number(static_cast<std::uint64_t>(role), 1)
        .number(static_cast<std::uint64_t>(dtype), 1)
        .number(dims.size(), 1)
        .number(0, 1);
    number(name.size(), 4).raw(name);
    for (const std::int64_t dim : dims) number(static_cast<std::uint64_t>(dim), 8);
    return number(payload.size(), 8).raw(payload);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

Builder two_tensors() {
  return Builder()
      .head(2)
      .tensor(0, DType::kUInt8, {1, 3}, "x", "abc")
      .tensor(1, DType::kInt16, {2}, "y", "1234");
}

testing::AssertionResult malformed(const std::string& text) {
  return refused(decode_golden(bytes_of(text)), ErrorCode::kEngineDeserialize, Reason::kGoldenMalformed);
}

TEST(GoldenFormat, ReadsAFileWrittenByHand) {
  const auto golden = decode_golden(bytes_of(two_tensors().text()));
  ASSERT_TRUE(accepted(golden));
  ASSERT_EQ(golden->inputs.size(), 1U);
  ASSERT_EQ(golden->outputs.size(), 1U);
  const TensorView& x = golden->inputs.find("x")->view();
  EXPECT_EQ(x.dtype, DType::kUInt8);
  EXPECT_EQ(x.shape, (Shape{1, 3}));
  EXPECT_EQ(std::memcmp(x.data, "abc", 3), 0);
  EXPECT_EQ(golden->outputs.find("y")->view().shape, Shape{2});
}

TEST(GoldenFormat, WritesTheSameBytesAgain) {
  const std::string text =
      Builder()
          .head(4)
          .tensor(0, DType::kFloat16, {2, 0, 3}, "empty", "")
          .tensor(0, DType::kBool, {}, "scalar \xc3\xa4", "\x01")
          .tensor(1, DType::kFloat64, {1, 1, 1, 1, 1, 1, 1, 1}, std::string(255, 'n'), "12345678")
          .tensor(1, DType::kInt64, {2}, "empty", "1234567812345678")
          .text();
  const auto golden = decode_golden(bytes_of(text));
  ASSERT_TRUE(accepted(golden));
  const auto again = encode_golden(golden->inputs, golden->outputs);
  ASSERT_TRUE(accepted(again));
  EXPECT_TRUE(std::ranges::equal(*again, bytes_of(text)));
}

TEST(GoldenFormat, EveryLengthButTheRightOneIsRefused) {
  const std::string text = two_tensors().text();
  for (std::size_t length = 0; length < text.size(); ++length)
    EXPECT_TRUE(malformed(text.substr(0, length))) << length;
  EXPECT_TRUE(accepted(decode_golden(bytes_of(text))));
  EXPECT_TRUE(malformed(text + '\0'));
}

TEST(GoldenFormat, EveryFlippedHeaderByteIsRefusedOrChangesTheMeaning) {
  const std::string text = two_tensors().text();
  for (std::size_t i = 0; i < 16; ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string spoiled = text;
      spoiled[i] = static_cast<char>(spoiled[i] ^ (1 << bit));
      EXPECT_TRUE(malformed(spoiled)) << i;
    }
  }
}

TEST(GoldenFormat, FieldsOutOfRangeAreRefused) {
  const auto one = [](int role, int dtype, std::uint64_t rank, int reserved, std::uint64_t name_length) {
    return Builder()
        .head(1)
        .number(static_cast<std::uint64_t>(role), 1)
        .number(static_cast<std::uint64_t>(dtype), 1)
        .number(rank, 1)
        .number(static_cast<std::uint64_t>(reserved), 1)
        .number(name_length, 4)
        .raw(std::string(name_length, 'n'))
        .number(1, 1)
        .raw(std::string(7, '\0'))
        .number(1, 8)
        .raw("v")
        .text();
  };
  ASSERT_TRUE(accepted(decode_golden(bytes_of(one(0, 5, 1, 0, 1)))));
  EXPECT_TRUE(malformed(one(2, 5, 1, 0, 1)));
  EXPECT_TRUE(malformed(one(0, 0, 1, 0, 1)));
  EXPECT_TRUE(malformed(one(0, 13, 1, 0, 1)));
  EXPECT_TRUE(malformed(one(0, 255, 1, 0, 1)));
  EXPECT_TRUE(malformed(one(0, 5, 9, 0, 1)));
  EXPECT_TRUE(malformed(one(0, 5, 1, 1, 1)));
  EXPECT_TRUE(malformed(one(0, 5, 1, 0, 0)));
  EXPECT_TRUE(malformed(one(0, 5, 1, 0, 256)));
  EXPECT_TRUE(accepted(decode_golden(bytes_of(one(0, 5, 1, 0, 255)))));
  EXPECT_TRUE(malformed(Builder().head(0).text()));
  EXPECT_TRUE(malformed(Builder().head(65).text()));
}

TEST(GoldenFormat, SizesAreCheckedBeforeMemoryIsTaken) {
  const std::int64_t huge = std::int64_t{1} << 40;
  const auto stated = [](std::vector<std::int64_t> dims, std::uint64_t bytes) {
    Builder builder;
    builder.head(1).number(0, 1).number(1, 1).number(dims.size(), 1).number(0, 1).number(1, 4).raw("n");
    for (const std::int64_t dim : dims) builder.number(static_cast<std::uint64_t>(dim), 8);
    return builder.number(bytes, 8).raw("abcd").text();
  };
  ASSERT_TRUE(accepted(decode_golden(bytes_of(stated({1}, 4)))));
  EXPECT_TRUE(malformed(stated({-1}, 4)));
  EXPECT_TRUE(malformed(stated({huge}, 4)));
  EXPECT_TRUE(malformed(stated({huge}, static_cast<std::uint64_t>(huge) * 4)));
  EXPECT_TRUE(malformed(stated({huge, huge}, 0)));
  EXPECT_TRUE(malformed(stated({huge, huge, 0}, 4)));
  EXPECT_TRUE(malformed(stated({1}, 3)));
  EXPECT_TRUE(malformed(stated({1}, 5)));
  EXPECT_TRUE(malformed(stated({0}, 4)));
  EXPECT_TRUE(malformed(stated({1}, ~std::uint64_t{0})));
}

TEST(GoldenFormat, NamesAreTextAndDifferPerRole) {
  const auto named = [](const std::string& name) {
    return Builder().head(1).tensor(0, DType::kInt8, {1}, name, "v").text();
  };
  EXPECT_TRUE(accepted(decode_golden(bytes_of(named("desc0")))));
  for (const std::string bad : {"a\nb", "\x1b[31m", "\xff", "\xc2\x85", "a\x7f"})
    EXPECT_TRUE(malformed(named(bad)));
  const auto pair = [](int first, int second, const std::string& name) {
    return Builder()
        .head(2)
        .tensor(first, DType::kInt8, {1}, "x", "v")
        .tensor(second, DType::kInt8, {1}, name, "v")
        .text();
  };
  EXPECT_TRUE(accepted(decode_golden(bytes_of(pair(0, 1, "x")))));
  EXPECT_TRUE(accepted(decode_golden(bytes_of(pair(0, 0, "y")))));
  EXPECT_TRUE(malformed(pair(0, 0, "x")));
  EXPECT_TRUE(malformed(pair(1, 1, "x")));
  EXPECT_TRUE(malformed(pair(1, 0, "y"))) << "outputs before inputs";
}

TEST(GoldenFormat, RefusesToWriteWhatItWouldNotRead) {
  const auto map_of = [](const std::string& name) {
    TensorMap map;
    map.insert(name, Tensor::allocate(DType::kInt8, Shape{1}).value()).value();
    return map;
  };
  const TensorMap none;
  EXPECT_TRUE(accepted(encode_golden(map_of("x"), none)));
  const auto invalid = [&](const TensorMap& inputs) {
    return refused(encode_golden(inputs, none), ErrorCode::kInvalidArgument, Reason::kInvalidArgument);
  };
  EXPECT_TRUE(invalid(none));
  EXPECT_TRUE(invalid(map_of("")));
  EXPECT_TRUE(invalid(map_of(std::string(256, 'n'))));
  EXPECT_TRUE(invalid(map_of("a\n")));
  TensorMap on_gpu;
  on_gpu.insert("x", Tensor::borrow({nullptr, DType::kInt8, Shape{1}, {DeviceType::kCuda, 0}})).value();
  EXPECT_TRUE(invalid(on_gpu));
  TensorMap many;
  for (int i = 0; i < 65; ++i)
    many.insert("n" + std::to_string(i), Tensor::allocate(DType::kInt8, Shape{1}).value()).value();
  EXPECT_TRUE(invalid(many));
}

}  // namespace
}  // namespace skua::test::golden_format_tests
