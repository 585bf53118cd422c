#include "calibration/cache_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>

#include "counts.h"
#include "verdicts.h"

namespace skua::calibration {
namespace {

using test::is_error;
using test::is_ok;
using testing::ElementsAre;

constexpr std::string_view kHeader = "TRT-100300-EntropyCalibration2\n";

std::string with_header(std::string_view lines) { return std::string(kHeader) + std::string(lines); }

template <typename T>
testing::AssertionResult is_malformed(const Result<T>& result, const std::string& part) {
  return is_error(result, ErrorCode::kCalibrationCache, Reason::kMalformed, part);
}
template <typename T>
testing::AssertionResult is_too_large(const Result<T>& result, const std::string& part) {
  return is_error(result, ErrorCode::kCalibrationCache, Reason::kTooLarge, part);
}

TEST(CacheText, ReadsWhatTensorrtWrites) {
  const CacheText cache =
      parse_cache_text(with_header("images: 3c010a14\n/conv/Conv_output_0: 3d800000\n")).value();
  EXPECT_EQ(cache.library_version, 100300U);
  EXPECT_EQ(cache.algorithm, Algorithm::kEntropy2);
  ASSERT_EQ(cache.scales.size(), 2U);
  EXPECT_EQ(cache.scales[0], (TensorScale{"images", std::bit_cast<float>(0x3c010a14U)}));
  EXPECT_EQ(cache.scales[1], (TensorScale{"/conv/Conv_output_0", 0.0625F}));
  const CacheText older = parse_cache_text("TRT-8501-MinMaxCalibration\nx: 3f800000\n").value();
  EXPECT_EQ(older.library_version, 8501U);
  EXPECT_EQ(older.algorithm, Algorithm::kMinMax);
}

TEST(CacheText, ANameEndsAtTheLastSeparator) {
  const CacheText cache =
      parse_cache_text(with_header("(Unnamed Layer* 5) [Conv]: 3f800000: 40000000\n : : 3f800000\n")).value();
  EXPECT_THAT(cache.scales, ElementsAre(TensorScale{"(Unnamed Layer* 5) [Conv]: 3f800000", 2.0F},
                                        TensorScale{" : ", 1.0F}));
}

TEST(CacheText, TheHeaderHasOneSpelling) {
  for (const char* header :
       {"", "TRT", "TRT-", "TRT-100300", "TRT-100300-", "trt-100300-EntropyCalibration2",
        "TRT--EntropyCalibration2", "TRT-0100300-EntropyCalibration2", "TRT-1003000-EntropyCalibration2",
        "TRT-10.3-EntropyCalibration2", "TRT-+10300-EntropyCalibration2", "TRT-100300-EntropyCalibration",
        "TRT-100300-LegacyCalibration", "TRT-100300-EntropyCalibration2 ", "TRT-100300-EntropyCalibration2\r",
        "\xEF\xBB\xBFTRT-100300-EntropyCalibration2"}) {
    EXPECT_TRUE(
        is_malformed(parse_cache_text(std::string(header) + "\nx: 3f800000\n"), "line 1: expected TRT-"))
        << header;
  }
}

TEST(CacheText, ALineIsANameAndEightDigits) {
  for (const char* line :
       {"", "x", "x:3f800000", "x: 3F800000", "x: 3f80000", "x: 3f8000000", "x: 0x3f8000", "x: +3f80000",
        "x: 3f80000 ", "x: 3f800000\r", "x: 3f800000 ", "x\t3f800000", "# x"}) {
    EXPECT_TRUE(is_malformed(parse_cache_text(with_header(line) + "\ny: 3f800000\n"), "line 2: expected"))
        << line;
  }
}

TEST(CacheText, NamesArePrintable) {
  for (const std::string& name : {std::string(), std::string("\x1b[2J"), std::string("a\0b", 3),
                                  std::string("\xff"), std::string("a\x7f")}) {
    EXPECT_TRUE(is_malformed(parse_cache_text(with_header(name + ": 3f800000\n")), "line 2: expected a name"))
        << name;
  }
  const std::string longest(kMaxTensorNameBytes, 'n');
  EXPECT_TRUE(is_ok(parse_cache_text(with_header(longest + ": 3f800000\n"))));
  EXPECT_TRUE(is_malformed(parse_cache_text(with_header(longest + "n: 3f800000\n")), "1 to 4096 bytes"));
  EXPECT_TRUE(
      is_malformed(parse_cache_text(with_header(std::string(1 << 20, 'n') + ": 3f800000\n")), "1 to 4096"));
}

TEST(CacheText, ScalesArePositiveFiniteAndPlausible) {
  for (const char* digits : {"00000000",     // zero
                             "80000000",     // minus zero
                             "bf800000",     // -1
                             "7f800000",     // infinity
                             "ff800000",     // minus infinity
                             "7fc00000",     // not a number
                             "00000001",     // the least there is
                             "1f7fffff",     // just below 2^-64
                             "5f800001",     // just above 2^64
                             "7f7fffff"}) {  // the largest there is
    EXPECT_TRUE(
        is_malformed(parse_cache_text(with_header("x: " + std::string(digits) + "\n")),
                     "line 2: expected a scale between 2^-64 and 2^64, found '" + std::string(digits) + "'"))
        << digits;
  }
  const CacheText cache = parse_cache_text(with_header("least: 1f800000\nlargest: 5f800000\n")).value();
  EXPECT_EQ(cache.scales[0].scale, kMinScale);
  EXPECT_EQ(cache.scales[1].scale, kMaxScale);
}

TEST(CacheText, NoTensorTwice) {
  EXPECT_TRUE(is_malformed(parse_cache_text(with_header("a: 3f800000\nb: 3f800000\na: 3f800000\n")),
                           "line 4: expected each tensor once, found 'a'"));
}

TEST(CacheText, AtLeastOneTensorAndAWholeLastLine) {
  for (const std::string& text : {std::string(), std::string("\n"), std::string(kHeader)})
    EXPECT_TRUE(is_malformed(parse_cache_text(text), "at least one tensor")) << text;
  EXPECT_TRUE(
      is_malformed(parse_cache_text(with_header("a: 3f800000\nb: 3f800000")), "line 3: expected a line end"));
}

/// A cut between two lines leaves a text that is well formed: the digest beside it is what tells.
TEST(CacheText, NoCutWithinALineIsAccepted) {
  const std::string whole = with_header("alpha: 3f800000\nbeta: 3d000000\ngamma: 40000000\n");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::string cut = whole.substr(0, size);
    const bool is_between = size > kHeader.size() && cut.back() == '\n';
    EXPECT_EQ(parse_cache_text(cut).ok(), is_between) << size;
  }
}

TEST(CacheText, BoundedBeforeItIsRead) {
  std::string many(kHeader);
  for (std::size_t i = 0; i <= kMaxCacheTensors; ++i) many += "t" + std::to_string(i) + ": 3f800000\n";
  EXPECT_TRUE(is_too_large(parse_cache_text(many), "at most 500000 tensors, found 500001"));
  many.resize(many.rfind('t'));
  EXPECT_EQ(parse_cache_text(many).value().scales.size(), kMaxCacheTensors);
  EXPECT_TRUE(is_too_large(parse_cache_text(std::string(kMaxCacheBytes + 1, 'x')), "bytes, found 67108865"));
}

TEST(CacheText, PrintsOnlyWhatCanBeReadBack) {
  const auto print = [](const std::string& name, float scale, std::uint32_t version = 100300) {
    return print_cache_text({version, Algorithm::kMinMax, {{name, scale}}});
  };
  EXPECT_EQ(print("x", 1.0F).value(), "TRT-100300-MinMaxCalibration\nx: 3f800000\n");
  EXPECT_TRUE(is_malformed(print("a: 3f800000\nb", 1.0F), "names and scales that a line can hold"));
  EXPECT_TRUE(is_malformed(print("", 1.0F), "expected a name"));
  EXPECT_TRUE(is_malformed(print("x", std::nanf("")), "expected a scale"));
  EXPECT_TRUE(is_malformed(print("x", 1.0F, 0), "line 1"));
  EXPECT_TRUE(is_malformed(print_cache_text({100300, Algorithm::kMinMax, {}}), "at least one tensor"));
}

/// A name of printable UTF-8 with what could be taken for the format's own parts.
std::string any_name(std::mt19937_64& random) {
  static constexpr std::array<std::string_view, 12> kParts = {
      ": ", ":", " ", "3f800000", "TRT-", "/conv", "\"", "\\", "#", "\u00e9", "\u65e5", "\U0001F681"};
  std::string name;
  for (std::uint64_t i = 0, n = 1 + random() % 12; i < n; ++i) name += kParts[random() % kParts.size()];
  return name;
}

/// Every legal exponent, with any mantissa.
float any_scale(std::mt19937_64& random) {
  constexpr std::uint32_t kLeast = std::bit_cast<std::uint32_t>(kMinScale);
  constexpr std::uint32_t kLargest = std::bit_cast<std::uint32_t>(kMaxScale);
  return std::bit_cast<float>(kLeast + static_cast<std::uint32_t>(random() % (kLargest - kLeast + 1)));
}

TEST(CacheText, PrintThenParseIsTheIdentity) {
  const std::uint64_t rounds = skua_test::count("cache_text_scales");
  std::mt19937_64 random(20261129);
  std::uint64_t seen = 0;
  while (seen < rounds) {
    CacheText cache{1 + static_cast<std::uint32_t>(random() % 999'999),
                    random() % 2 == 0 ? Algorithm::kEntropy2 : Algorithm::kMinMax,
                    {}};
    for (std::size_t i = 0; i < 64; ++i) {
      cache.scales.push_back({std::to_string(i) + any_name(random), any_scale(random)});
    }
    const std::string text = print_cache_text(cache).value();
    ASSERT_EQ(parse_cache_text(text).value(), cache) << text;
    seen += cache.scales.size();
  }
  skua_test::reached("cache_text_scales", seen);
}

}  // namespace
}  // namespace skua::calibration
