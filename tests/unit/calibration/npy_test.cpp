#include "calibration/npy.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "samples_fixture.h"

namespace skua::npy_tests {
namespace {

using calibration::sample_tests::npy;
using calibration::sample_tests::replaced;

constexpr char kGoodDict[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }";

Result<Tensor> decoded(const std::string& bytes) {
  return decode_npy(std::as_bytes(std::span(bytes)), "in.npy");
}

class NpyFile : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_;
};

TEST(Npy, ReadsVersionOneAndTwo) {
  const std::string data("\0\0\x80\x3f\0\0\0\x40", 8);  // 1.0f, 2.0f
  for (const char major : {'\1', '\2'}) {
    const auto tensor = decoded(npy(kGoodDict, data, major));
    ASSERT_TRUE(tensor.ok()) << tensor.error().message;
    EXPECT_EQ(tensor->view().shape, Shape({1, 2}));
    EXPECT_EQ(tensor->as<float>()[1], 2.0F);
  }
}

TEST(Npy, ReadsScalarsAndEmptyTensors) {
  const auto scalar =
      decoded(npy("{'descr': '<i8', 'fortran_order': False, 'shape': (), }", std::string(8, '\1')));
  ASSERT_TRUE(scalar.ok()) << scalar.error().message;
  EXPECT_EQ(scalar->view().shape.rank(), 0U);
  const auto empty = decoded(npy("{'descr': '|b1', 'fortran_order': False, 'shape': (0, 7), }", ""));
  ASSERT_TRUE(empty.ok()) << empty.error().message;
  EXPECT_EQ(empty->view().size_bytes(), 0U);
}

TEST(Npy, RefusesForeignOrdersAndTypes) {
  const std::string data(8, '\0');
  ASSERT_TRUE(decoded(npy(kGoodDict, data)).ok());
  const auto fortran = decoded(npy(replaced(kGoodDict, "False", "True"), data));
  ASSERT_FALSE(fortran.ok());
  EXPECT_NE(fortran.error().message.find("Fortran"), std::string::npos);
  for (const char* descr : {">f4", "<c8", "|S4", "|O", "<U1"}) {
    const auto tensor = decoded(npy(replaced(kGoodDict, "<f4", descr), data));
    ASSERT_FALSE(tensor.ok()) << descr;
    EXPECT_EQ(tensor.error().reason, Reason::kDtypeMismatch);
    EXPECT_NE(tensor.error().message.find(descr), std::string::npos);
  }
}

TEST(Npy, RefusesMalformedHeaders) {
  const std::string data(8, '\0');
  ASSERT_TRUE(decoded(npy(kGoodDict, data)).ok());
  for (const char* dict :
       {"", "{", "{}", "[]", "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), 'more': 1}",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1, 2)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 2)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1 2)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2)} x",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 9223372036854775807)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,2)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,2)}",
        "{'descr': '<f4', 'fortran_order': False, 'fortran_order': False, 'shape': (1, 2)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), 'shape': (1, 2)}",
        "{'descr': '<f4', 'shape': (1, 2)}", "{'fortran_order': False, 'shape': (1, 2)}",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1, 2)}"}) {
    const auto tensor = decoded(npy(dict, data));
    ASSERT_FALSE(tensor.ok()) << dict;
    EXPECT_EQ(tensor.error().code, ErrorCode::kInvalidArgument) << dict;
  }
}

TEST(Npy, AHeaderIsReadWithoutTheValues) {
  const std::string whole = npy(replaced(kGoodDict, "False", "True"), std::string(8, '\0'), 2);
  const auto bytes = std::as_bytes(std::span(whole));
  const std::size_t values_at = whole.size() - 8;
  const auto header = decode_npy_header(bytes.first(values_at), "in.npy");
  ASSERT_TRUE(header.ok()) << header.error().message;
  EXPECT_EQ(header->shape, Shape({1, 2}));
  EXPECT_TRUE(header->is_fortran);
  EXPECT_EQ(header->data_offset, values_at);
  EXPECT_FALSE(decode_npy_header(bytes.first(values_at - 1), "in.npy").ok());
}

TEST(Npy, RefusesEveryTruncationAndTrailingBytes) {
  for (const char major : {'\1', '\2'}) {
    const std::string good = npy(kGoodDict, std::string(8, '\0'), major);
    ASSERT_TRUE(decoded(good).ok());
    for (std::size_t length = 0; length < good.size(); ++length) {
      EXPECT_FALSE(decoded(good.substr(0, length)).ok()) << length;
    }
    EXPECT_FALSE(decoded(good + "x").ok());
  }
}

TEST(Npy, AHeaderHasABound) {
  const std::string data(8, '\0'), dict(kGoodDict);
  EXPECT_TRUE(decoded(npy(dict + std::string(10'000 - dict.size(), ' '), data, 2)).ok());
  EXPECT_FALSE(decoded(npy(dict + std::string(10'001 - dict.size(), ' '), data, 2)).ok());
}

TEST(Npy, RefusesOtherVersionsAndMagic) {
  const std::string good = npy(kGoodDict, std::string(8, '\0'));
  std::string version = good;
  version[6] = 3;
  EXPECT_FALSE(decoded(version).ok());
  std::string magic = good;
  magic[1] = 'X';
  EXPECT_FALSE(decoded(magic).ok());
}

TEST_F(NpyFile, RoundTripOfEveryType) {
  for (const DType dtype :
       {DType::kFloat32, DType::kFloat16, DType::kFloat64, DType::kInt8, DType::kUInt8, DType::kInt16,
        DType::kUInt16, DType::kInt32, DType::kUInt32, DType::kInt64, DType::kUInt64, DType::kBool}) {
    auto tensor = Tensor::allocate(dtype, Shape({2, 3}));
    ASSERT_TRUE(tensor.ok());
    std::memset(tensor->view().data, 1, tensor->view().size_bytes());
    const auto file = folder_ / "x.npy";
    ASSERT_TRUE(write_npy(file, tensor->view()).ok());
    const auto back = read_npy(file);
    ASSERT_TRUE(back.ok()) << back.error().message;
    EXPECT_EQ(back->view().dtype, dtype);
    EXPECT_EQ(back->view().shape, Shape({2, 3}));
    EXPECT_EQ(std::memcmp(back->view().data, tensor->view().data, tensor->view().size_bytes()), 0);
  }
}

TEST_F(NpyFile, HeaderIsAlignedAsNumpyWantsIt) {
  const auto tensor = Tensor::allocate(DType::kFloat32, Shape({1, 480, 640}));
  ASSERT_TRUE(tensor.ok());
  const std::string header = encode_npy_header(tensor->view());
  EXPECT_EQ(header.size() % 64, 0U);
  EXPECT_EQ(header.back(), '\n');
}

TEST_F(NpyFile, AnEmptyTensorIsWrittenAndAFolderIsNeeded) {
  const Tensor empty = Tensor::allocate(DType::kFloat32, Shape({0, 3})).value();
  ASSERT_TRUE(write_npy(folder_ / "x.npy", empty.view()).ok());
  EXPECT_EQ(read_npy(folder_ / "x.npy").value().view().shape, Shape({0, 3}));
  EXPECT_EQ(write_npy(folder_ / "none" / "x.npy", empty.view()).error().reason, Reason::kNotFound);
}

TEST_F(NpyFile, MissingFileAndFolderAreNamed) {
  EXPECT_EQ(read_npy("no-such-file-here.npy").error().reason, Reason::kNotFound);
  EXPECT_EQ(read_npy(folder_ / "none" / "x.npy").error().reason, Reason::kNotFound);
  EXPECT_EQ(read_npy(folder_ / "none.npy").error().reason, Reason::kNotFound);
  const auto folder = read_npy(folder_);
  ASSERT_FALSE(folder.ok());
  EXPECT_NE(folder.error().message.find(folder_.string()), std::string::npos);
}

}  // namespace
}  // namespace skua::npy_tests
