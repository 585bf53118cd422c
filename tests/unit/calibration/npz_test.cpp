// Archives of arrays: what is one, and every way of being none.
#include "calibration/npz.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <map>
#include <sstream>

#include "samples_fixture.h"
#include "verdicts.h"

namespace skua::calibration::npz_tests {
namespace {

using skua::test::is_build_error;
using skua::test::is_ok;
using namespace skua::calibration::sample_tests;  // NOLINT(google-build-using-namespace)

constexpr Reason kMalformed = Reason::kDataSetMalformed;
const std::vector<TensorSpec> kInputs = {input("x", DType::kFloat32, {1, 2})};
const std::string kGood = npy_of("<f4", "(1, 2)", floats({1, 2}));

Result<TensorMap> decode(const std::string& archive, const std::vector<TensorSpec>& inputs = kInputs) {
  return decode_npz(bytes_of(archive), inputs, "s.npz");
}
testing::AssertionResult refuses(const std::string& archive, const std::string& part) {
  const auto read = decode(archive);
  if (!read.ok() && read.error().message.find("s.npz") == std::string::npos)
    return testing::AssertionFailure() << "does not name the file: " << read.error().message;
  return is_build_error(read, kMalformed, part);
}
/// Of one array.
testing::AssertionResult refuses_array(const std::string& array, const std::string& part) {
  return refuses(zip_of({{"x.npy", array}}), part);
}

TEST(Npz, ASampleIsOneArrayAnInput) {
  const std::vector<TensorSpec> inputs = {input("b", DType::kInt64, {}), kInputs[0]};
  for (const zip_int32_t method : {ZIP_CM_STORE, ZIP_CM_DEFLATE}) {
    const std::string archive =
        zip_of({{"x.npy", kGood}, {"b.npy", npy_of("<i8", "()", data_of<std::int64_t>({7}))}}, {method});
    const auto read = decode(archive, inputs);
    ASSERT_TRUE(is_ok(read));
    ASSERT_EQ(read->size(), 2U);
    EXPECT_EQ(read->begin()->first, "b") << "in the order of the inputs";
    EXPECT_EQ(read->find("b")->as<std::int64_t>()[0], 7);
    EXPECT_EQ(read->find("x")->as<float>()[1], 2.0F);
    EXPECT_EQ(read->find("x")->view().shape, Shape({1, 2}));
  }
}

/// python/skua_precision/samples.py is tested with the same rows.
TEST(Npz, ArchivesAreJudgedAsByTheOtherReader) {
  std::ifstream file(std::string(SKUA_SOURCE_DIR) + "/tests/fixtures/samples/archives.txt");
  std::map<std::string, int> seen;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    std::istringstream words(line);
    std::string verdict, name, digits, bytes;
    words >> verdict >> name >> digits;
    for (std::size_t i = 0; i < digits.size(); i += 2)
      bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
    ++seen[verdict];
    if (verdict == "bad") {
      EXPECT_TRUE(refuses(bytes, "data set, s.npz")) << name;
      continue;
    }
    const auto read = decode(bytes);
    ASSERT_TRUE(is_ok(read)) << name;
    EXPECT_EQ(read->find("x")->as<float>()[1], 2.0F) << name;
  }
  EXPECT_GT(seen["good"], 5);
  EXPECT_GT(seen["bad"], 30);
}

/// Of nothing but a directory: `count` members, all of them the one at the beginning.
std::string directory_of(std::uint64_t count, bool is_zip64) {
  const auto number = [](std::uint64_t value, std::size_t bytes) {
    return std::string(reinterpret_cast<const char*>(&value), bytes);
  };
  const std::string member = zip_of({{"x.npy", kGood}});
  const std::size_t at = member.find("PK\x01\x02"), end = member.rfind("PK\x05\x06");
  std::string bytes = member.substr(0, at);
  for (std::uint64_t i = 0; i < count; ++i) bytes += member.substr(at, end - at);
  const std::uint64_t size = bytes.size() - at, behind = bytes.size();
  if (is_zip64) {  // APPNOTE 4.3.14 and 4.3.15
    bytes += "PK\x06\x06" + number(44, 8) + number(45, 2) + number(45, 2) + std::string(8, '\0') +
             number(count, 8) + number(count, 8) + number(size, 8) + number(at, 8);
    bytes += "PK\x06\x07" + std::string(4, '\0') + number(behind, 8) + number(1, 4);
  }
  const std::uint64_t shown = is_zip64 ? 0xFFFF : count;
  return bytes + "PK\x05\x06" + std::string(4, '\0') + number(shown, 2) + number(shown, 2) + number(size, 4) +
         number(at, 4) + std::string(2, '\0');
}

TEST(Npz, ADirectoryIsJudgedBeforeItIsReadWhole) {
  EXPECT_TRUE(is_ok(decode(directory_of(1, false)))) << "the control";
  EXPECT_TRUE(refuses(directory_of(2, false), "expected"));
  EXPECT_TRUE(refuses(directory_of(1001, false), "at most 1000 arrays"));
  const std::string large = directory_of(40'000, true);
  EXPECT_TRUE(refuses(large, "a directory in ZIP64"));
  const std::string whole = zip_of({{"x.npy", kGood}});
  EXPECT_TRUE(refuses(large.substr(0, large.size() - 22) + whole, "with something in front"));
  EXPECT_TRUE(refuses("front" + whole, "with something in front or behind"));
  EXPECT_TRUE(refuses(whole + "behind", "a .npz file"));
}

TEST(Npz, AHeaderThatIsNoneSaysHowASampleIsWritten) {
  const auto read = decode(zip_of({{"x.npy", "no array"}}));
  ASSERT_FALSE(read.ok());
  EXPECT_TRUE(read.error().message.ends_with("; write the sample with numpy.savez")) << read.error().message;
}

TEST(Npz, EveryTypeIsRead) {
  const std::vector<std::pair<std::string, DType>> types = {
      {"<f4", DType::kFloat32}, {"<f2", DType::kFloat16}, {"<f8", DType::kFloat64}, {"|i1", DType::kInt8},
      {"|u1", DType::kUInt8},   {"<i2", DType::kInt16},   {"<u2", DType::kUInt16},  {"<i4", DType::kInt32},
      {"<u4", DType::kUInt32},  {"<i8", DType::kInt64},   {"<u8", DType::kUInt64},  {"|b1", DType::kBool}};
  for (const auto& [descr, dtype] : types) {
    const std::string data(3 * dtype_size(dtype), '\1');
    const auto read = decode(zip_of({{"x.npy", npy_of(descr, "(3,)", data)}}), {input("x", dtype, {3})});
    ASSERT_TRUE(is_ok(read)) << descr;
    EXPECT_EQ(std::memcmp(read->find("x")->view().data, data.data(), data.size()), 0) << descr;
  }
}

TEST(Npz, ArraysThatAreMissingTooManyOrTwiceAreRefused) {
  EXPECT_TRUE(is_ok(decode(zip_of({{"x.npy", kGood}})))) << "the control";
  EXPECT_TRUE(refuses(zip_of({{"y.npy", kGood}}), "expected one array an input (x), found y"));
  EXPECT_TRUE(refuses(zip_of({{"x.npy", kGood}, {"y.npy", kGood}}), "found x, y"));
  EXPECT_TRUE(refuses(zip_of({{"x.npy", kGood}, {"x", kGood}}), "expected every array once"));
  // An empty archive is an end record alone.
  EXPECT_TRUE(refuses(std::string("PK\5\6") + std::string(18, '\0'), "found none"));
  EXPECT_TRUE(
      is_build_error(decode(zip_of({{"x.npy", kGood}}), {kInputs[0], input("y", DType::kFloat32, {1})}),
                     kMalformed, "one array an input (x, y), found x"));
  EXPECT_TRUE(
      refuses(replaced(zip_of({{"x.npy", kGood}, {"y.npy", kGood}}), "y.npy", "x.npy"), "already exists"));
  std::vector<std::pair<std::string, std::string>> many;
  for (int i = 0; i < 1000; ++i) many.emplace_back(std::string(300, 'n') + std::to_string(i), kGood);
  const auto read = decode(zip_of(many));
  EXPECT_TRUE(is_build_error(read, kMalformed, "one array an input"));
  EXPECT_LT(read.error().message.size(), 2000U) << "names are foreign text";
}

TEST(Npz, AnotherTypeOrShapeIsRefused) {
  EXPECT_TRUE(refuses_array(npy_of("<f8", "(1, 2)", data_of<double>({1, 2})),
                            "expected float32 for input 'x', found float64"));
  EXPECT_TRUE(
      refuses_array(npy_of("<f4", "(2, 1)", floats({1, 2})), "expected shape 1x2 for input 'x', found 2x1"));
  EXPECT_TRUE(refuses_array(npy_of("<f4", "(2,)", floats({1, 2})), "found 2"));
  EXPECT_TRUE(refuses_array(npy_of("<f4", "(1, 0)", ""), "found an empty array"));
  EXPECT_TRUE(refuses_array(npy_of(">f4", "(1, 2)", floats({1, 2})), "element type '>f4'"));
  EXPECT_TRUE(refuses_array(npy_of("|O", "(1, 2)", floats({1, 2})), "element type '|O'"));
}

TEST(Npz, ADynamicDimensionTakesWhatItsMaximumAllows) {
  const std::string two = zip_of({{"x.npy", npy_of("<f4", "(2, 2)", floats({1, 2, 3, 4}))}});
  EXPECT_TRUE(is_ok(decode(two, {input("x", DType::kFloat32, {-1, 2})}))) << "an unknown maximum: any";
  EXPECT_TRUE(is_ok(decode(two, {input("x", DType::kFloat32, {-1, 2}, {2, 2})})));
  EXPECT_TRUE(is_build_error(decode(two, {input("x", DType::kFloat32, {-1, 2}, {1, 2})}), kMalformed,
                             "expected shape -1x2 and at most 1x2 for input 'x', found 2x2"));
  EXPECT_TRUE(is_build_error(decode(two, {input("x", DType::kFloat32, {-1, 3}, {2, 3})}), kMalformed));
}

TEST(Npz, ColumnsFirstBecomeRowsFirst) {
  std::vector<float> by_column;  // of [2,3,2] with value 100 a + 10 b + c
  for (int c = 0; c < 2; ++c)
    for (int b = 0; b < 3; ++b)
      for (int a = 0; a < 2; ++a) by_column.push_back(static_cast<float>(100 * a + 10 * b + c));
  const auto read = decode(zip_of({{"x.npy", npy_of("<f4", "(2, 3, 2)", floats(by_column), true)}}),
                           {input("x", DType::kFloat32, {2, 3, 2})});
  ASSERT_TRUE(is_ok(read));
  const std::span<float> values = read->find("x")->as<float>();
  EXPECT_EQ(std::vector<float>(values.begin(), values.end()),
            (std::vector<float>{0, 1, 10, 11, 20, 21, 100, 101, 110, 111, 120, 121}));
}

TEST(Npz, WhatIsNotFiniteIsRefused) {
  for (const float value : {NAN, -NAN, INFINITY, -INFINITY}) {
    EXPECT_TRUE(refuses_array(npy_of("<f4", "(1, 2)", floats({1, value})), "finite values for input 'x'"));
    const std::string wide = zip_of({{"x.npy", npy_of("<f8", "(1,)", data_of<double>({value}))}});
    EXPECT_TRUE(is_build_error(decode(wide, {input("x", DType::kFloat64, {1})}), kMalformed, "finite"));
  }
  EXPECT_TRUE(is_ok(decode(zip_of({{"x.npy", npy_of("<f4", "(1, 2)", floats({3.4e38F, -1e-45F}))}}))));
  const auto half = [](std::uint16_t bits) {
    const std::string file = npy_of("<f2", "(1,)", data_of<std::uint16_t>({bits}));
    return decode(zip_of({{"x.npy", file}}), {input("x", DType::kFloat16, {1})});
  };
  for (const int bits : {0x7C00, 0xFC00, 0x7C01, 0xFFFF})
    EXPECT_TRUE(is_build_error(half(static_cast<std::uint16_t>(bits)), kMalformed, "finite")) << bits;
  for (const int bits : {0x7BFF, 0xFBFF, 0x0001, 0x8000})
    EXPECT_TRUE(is_ok(half(static_cast<std::uint16_t>(bits)))) << bits;
}

TEST(Npz, AHeaderIsJudgedBeforeAnythingIsAllocated) {
  EXPECT_TRUE(refuses_array(npy_of("<f4", "(1, 1099511627776)", floats({1, 2})), "expected shape 1x2"));
  const std::string huge = zip_of({{"x.npy", npy_of("<f4", "(1, 1099511627776)", floats({1, 2}))}});
  EXPECT_TRUE(is_build_error(decode(huge, {input("x", DType::kFloat32, {-1, -1})}), kMalformed,
                             "expected 4398046511104 bytes of values in 'x.npy', found 8"));
  for (const std::string& array :
       {npy_of("<f4", "(1, 9223372036854775807)", ""), npy_of("<f4", "(1, -2)", ""), npy("", ""),
        npy("{'descr': '<f4', 'fortran_order': False}", floats({1, 2})), std::string("\x93NUMPY\1"),
        std::string(), kGood.substr(0, 20), npy(kGood.substr(10, kGood.size() - 18), floats({1, 2}), 3)}) {
    EXPECT_TRUE(refuses_array(array, "'x.npy': ")) << array.substr(0, 40);
  }
  for (const std::size_t size : {0U, 4U, 12U, 16U})
    EXPECT_TRUE(refuses_array(npy_of("<f4", "(1, 2)", std::string(size, '\1')), "8 bytes of values")) << size;
}

TEST(Npz, WhatNumpyDoesNotWriteIsNotUnpacked) {
  EXPECT_TRUE(refuses(zip_of({{"x.npy", std::string(500, 'x')}}, {ZIP_CM_BZIP2}), "stored or deflated"));
  EXPECT_TRUE(refuses(zip_of({{"x.npy", kGood}}, {ZIP_CM_STORE, "secret"}), "stored or deflated"));
}

std::string four_bytes(std::uint32_t value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};  // little endian, as the archive
}

TEST(Npz, AMemberThatHoldsMoreOrLessThanItSaysIsRefused) {
  const std::vector<float> values(2000, 0.5F);
  const std::string array = npy_of("<f4", "(2000,)", floats(values));
  const auto says = [&](const std::string& inside, std::size_t size) {
    const std::string archive = zip_of({{"x.npy", inside}}, {ZIP_CM_DEFLATE});
    return decode(replaced(archive, four_bytes(static_cast<std::uint32_t>(inside.size())),
                           four_bytes(static_cast<std::uint32_t>(size))),
                  {input("x", DType::kFloat32, {2000})});
  };
  EXPECT_TRUE(is_ok(says(array, array.size()))) << "the control";
  EXPECT_TRUE(is_build_error(says(array + std::string(50'000'000, '\0'), array.size()), kMalformed, "more"));
  EXPECT_TRUE(is_build_error(says(array.substr(0, array.size() - 4), array.size()), kMalformed));
  EXPECT_TRUE(is_build_error(says(array, 0x80000001U), kMalformed, "at most 2147483648 bytes of arrays"));
}

TEST(Npz, DamageBehindTheFirstPieceOfALargeArrayIsNoticed) {
  std::vector<float> noise;
  for (std::uint32_t i = 0; i < 40000; ++i) noise.push_back(static_cast<float>(i * 2654435761U));
  const std::vector<TensorSpec> inputs = {input("x", DType::kFloat32, {40000})};
  for (const zip_int32_t method : {ZIP_CM_STORE, ZIP_CM_DEFLATE}) {
    const std::string whole = zip_of({{"x.npy", npy_of("<f4", "(40000,)", floats(noise))}}, {method});
    const auto read = decode(whole, inputs);
    ASSERT_TRUE(is_ok(read));
    const auto values = read->find("x")->as<float>();
    EXPECT_TRUE(std::equal(values.begin(), values.end(), noise.begin(), noise.end()));
    for (std::size_t at = whole.size() / 2; at < whole.size() * 9 / 10; at += 997) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
      EXPECT_TRUE(is_build_error(decode(damaged, inputs), kMalformed, "s.npz")) << at;
    }
  }
}

std::string fixture(const std::string& name) {
  std::ifstream stream(std::string(SKUA_SOURCE_DIR) + "/tests/fixtures/samples/" + name, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

TEST(Npz, WhatWasWrittenIsReadAgain) {
  const std::vector<TensorSpec> inputs = {input("/a/b", DType::kFloat16, {2, 3}),
                                          input("id", DType::kInt64, {})};
  const auto write = [&] {
    TensorMap arrays;
    for (const TensorSpec& spec : inputs) {
      Tensor tensor = Tensor::allocate(spec.dtype, spec.shape).value();
      std::memset(tensor.view().data, 0x11, tensor.view().size_bytes());
      EXPECT_TRUE(is_ok(arrays.insert(spec.name, std::move(tensor))));
    }
    return encode_npz(arrays).value();
  };
  const std::string archive = write();
  const auto read = decode(archive, inputs);
  ASSERT_TRUE(is_ok(read));
  EXPECT_EQ(read->find("id")->as<std::int64_t>()[0], 0x1111111111111111);
  EXPECT_EQ(read->find("/a/b")->as<std::uint16_t>()[5], 0x1111);
  EXPECT_EQ(write(), archive) << "the same arrays, the same bytes";
}

/// What numpy.savez and numpy.savez_compressed made of 24 numbers of noise.
class NumpyFile : public testing::TestWithParam<const char*> {
 protected:
  NumpyFile() : whole_(fixture(GetParam())) {}
  Result<TensorMap> read(const std::string& bytes) {
    return decode(bytes, {input("x", DType::kFloat32, {1, 2, 3, 4})});
  }
  std::vector<float> values(const std::string& bytes) {
    const auto found = read(bytes).value();
    const auto values = found.find("x")->as<float>();
    return {values.begin(), values.end()};
  }
  const std::string whole_;
};
INSTANTIATE_TEST_SUITE_P(Each, NumpyFile, testing::Values("stored.npz", "deflated.npz"));

TEST_P(NumpyFile, IsRead) {
  const std::vector<float> found = values(whole_);
  ASSERT_EQ(found.size(), 24U);
  EXPECT_EQ(found, values(fixture("stored.npz")));
  EXPECT_NE(found[0], found[23]);
}

TEST_P(NumpyFile, NoCutIsRead) {
  for (std::size_t size = 0; size < whole_.size(); ++size)
    EXPECT_TRUE(is_build_error(read(whole_.substr(0, size)), kMalformed)) << size;
}

TEST_P(NumpyFile, AFlippedBitIsRefusedOrChangesNoValue) {
  const std::vector<float> expected = values(whole_);
  std::size_t refused = 0;
  for (std::size_t bit = 0; bit < whole_.size() * 8; ++bit) {
    std::string flipped = whole_;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    const auto found = read(flipped);
    if (found.ok()) {
      EXPECT_EQ(values(flipped), expected) << bit;
    } else {
      EXPECT_TRUE(is_build_error(found, kMalformed, "s.npz")) << bit;
      ++refused;
    }
  }
  EXPECT_GT(refused, 8 * 24 * sizeof(float)) << "the control: all values are in there";
}

}  // namespace
}  // namespace skua::calibration::npz_tests
