#include "calibration/cache_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <random>
#include <set>

#include "cache/utf8.h"
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

/// A character, or what could be taken for a part of the format; not always printable.
std::string any_part(std::mt19937_64& random) {
  static constexpr std::array<std::string_view, 12> kParts = {
      ": ", ":",      " ",      "3f800000",  "TRT-100300-EntropyCalibration2", "/conv", "\"", "\\",
      "#",  "\u00e9", "\u65e5", "\U0001F681"};
  if (random() % 2 == 0) return std::string(kParts[random() % kParts.size()]);
  const auto code = static_cast<std::uint32_t>(random() % (random() % 2 == 0 ? 0x80U : 0x110000U));
  const auto byte = [](std::uint32_t bits) { return static_cast<char>(bits); };
  const auto tail = [&](unsigned shift) { return byte(0x80U | ((code >> shift) & 0x3FU)); };
  if (code < 0x80U) return {byte(code)};
  if (code < 0x800U) return {byte(0xC0U | (code >> 6U)), tail(0)};
  if (code < 0x10000U) return {byte(0xE0U | (code >> 12U)), tail(6), tail(0)};
  return {byte(0xF0U | (code >> 18U)), tail(12), tail(6), tail(0)};
}

/// A name that the format allows, now and then as long as one may be.
std::string any_name(std::mt19937_64& random) {
  const std::uint64_t wanted = random() % 2000 == 0 ? kMaxTensorNameBytes : 1 + random() % 12;
  std::string name;
  for (std::uint64_t i = 0; i < wanted; ++i) {
    const std::string part = any_part(random);
    if (is_printable_utf8(part) && name.size() + part.size() <= kMaxTensorNameBytes) name += part;
  }
  return name.empty() ? ":" : name;
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
    std::set<std::string> names;
    while (names.size() < 64) names.insert(any_name(random));
    for (const std::string& name : names) cache.scales.push_back({name, any_scale(random)});
    std::shuffle(cache.scales.begin(), cache.scales.end(), random);
    const std::string text = print_cache_text(cache).value();
    ASSERT_EQ(parse_cache_text(text).value(), cache) << text;
    seen += cache.scales.size();
  }
  skua_test::reached("cache_text_scales", seen);
}

/// Every legal scale, or one in so many of them; whatever the step, both ends and both sides of every power
/// of two.
TEST(CacheText, EveryScaleIsReadBackAsItWasPrinted) {
  const auto step = static_cast<std::uint32_t>(skua_test::count("cache_scale_stride"));
  constexpr std::uint32_t kLeast = std::bit_cast<std::uint32_t>(kMinScale);
  constexpr std::uint32_t kLargest = std::bit_cast<std::uint32_t>(kMaxScale);
  constexpr std::uint32_t kOctave = 1U << 23U;
  CacheText cache{100300, Algorithm::kMinMax, {}};
  const auto look = [&] {
    ASSERT_EQ(parse_cache_text(print_cache_text(cache).value()).value(), cache);
    cache.scales.clear();
  };
  const auto add = [&](std::uint32_t bits) {
    cache.scales.push_back({std::to_string(cache.scales.size()), std::bit_cast<float>(bits)});
    if (cache.scales.size() == 4096) look();
  };
  for (std::uint32_t power = kLeast; power <= kLargest; power += kOctave) {
    if (power > kLeast) add(power - 1);
    add(power);
    if (power < kLargest) add(power + 1);
  }
  for (std::uint32_t bits = kLeast; bits <= kLargest; bits += step) add(bits);
  look();
}

}  // namespace
}  // namespace skua::calibration
