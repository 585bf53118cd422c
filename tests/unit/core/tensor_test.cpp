#include "skua/tensor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <set>

#include "check.h"

namespace skua {
namespace {

using test::is_error;
using test::is_invalid;
using test::is_ok;

constexpr int kDTypes = static_cast<int>(DType::kBool);

TEST(DType, NamesReadBackAndAreDistinct) {
  std::set<std::string_view> names;
  for (int number = 1; number <= kDTypes; ++number) {
    const auto dtype = static_cast<DType>(number);
    EXPECT_EQ(dtype_from_string(to_string(dtype)).value(), dtype);
    EXPECT_GT(dtype_size(dtype), 0U);
    names.insert(to_string(dtype));
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(kDTypes));
}

TEST(DType, SizesAreThoseOfTheNames) {
  EXPECT_EQ(dtype_size(DType::kFloat16), 2U);
  EXPECT_EQ(dtype_size(DType::kFloat32), sizeof(float));
  EXPECT_EQ(dtype_size(DType::kFloat64), sizeof(double));
  EXPECT_EQ(dtype_size(DType::kInt64), 8U);
  EXPECT_EQ(dtype_size(DType::kBool), 1U);
  EXPECT_EQ(dtype_size(static_cast<DType>(0)), 0U);
  EXPECT_EQ(dtype_size(static_cast<DType>(kDTypes + 1)), 0U);
}

TEST(DType, UnknownNameListsTheKnownOnes) {
  EXPECT_TRUE(is_invalid(dtype_from_string("half"), "float16"));
  EXPECT_TRUE(is_invalid(dtype_from_string("Float16"), "'Float16'"));
}

TEST(TensorView, SizeIsZeroForWhatHasNone) {
  TensorView view{nullptr, DType::kFloat32, Shape({2, 3}), {}};
  EXPECT_EQ(view.size_bytes(), 24U);
  view.shape = Shape({2, -1});
  EXPECT_EQ(view.size_bytes(), 0U);
  view.shape = Shape({std::int64_t{1} << 62U, 8});
  EXPECT_EQ(view.size_bytes(), 0U);
  view = TensorView{nullptr, static_cast<DType>(99), Shape({2}), {}};
  EXPECT_EQ(view.size_bytes(), 0U);
}

TEST(Tensor, OwnsZeroedAlignedMemory) {
  for (const std::int64_t count : {1, 63, 64, 65, 1000}) {
    const Tensor tensor = Tensor::allocate(DType::kUInt8, Shape({count})).value();
    EXPECT_TRUE(tensor.is_owner());
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.view().data) % 64, 0U);
    const auto bytes = tensor.as<std::uint8_t>();
    ASSERT_EQ(bytes.size(), static_cast<std::size_t>(count));
    EXPECT_TRUE(std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; }));
  }
}

TEST(Tensor, AnEmptyTensorHasAnAddress) {
  const Tensor tensor = Tensor::allocate(DType::kFloat32, Shape({0, 4})).value();
  EXPECT_NE(tensor.view().data, nullptr);
  EXPECT_TRUE(tensor.as<float>().empty());
}

TEST(Tensor, RefusesWhatCannotBeAllocated) {
  EXPECT_TRUE(is_invalid(Tensor::allocate(DType::kFloat32, Shape({-1})), "dynamic"));
  EXPECT_TRUE(is_invalid(Tensor::allocate(static_cast<DType>(0), Shape({1})), "element type 0"));
  EXPECT_TRUE(is_ok(Tensor::allocate(DType::kFloat32, Shape({1}))));
}

TEST(Tensor, BorrowedMemoryStaysTheCallers) {
  float values[2] = {1.0F, 2.0F};
  const Tensor tensor = Tensor::borrow({values, DType::kFloat32, Shape({2}), {}});
  EXPECT_FALSE(tensor.is_owner());
  tensor.as<float>()[1] = 5.0F;
  EXPECT_EQ(values[1], 5.0F);
}

TEST(Tensor, MovingKeepsTheMemory) {
  Tensor first = Tensor::allocate(DType::kInt32, Shape({1})).value();
  void* const data = first.view().data;
  const Tensor second = std::move(first);
  EXPECT_EQ(second.view().data, data);
  EXPECT_TRUE(second.is_owner());
}

TEST(TensorMap, KeepsTheOrderOfInsertion) {
  TensorMap map;
  for (const char* name : {"b", "a", "c"}) {
    ASSERT_TRUE(is_ok(map.insert(name, Tensor::allocate(DType::kBool, Shape()).value())));
  }
  std::string order;
  for (const auto& [name, tensor] : map) order += name;
  EXPECT_EQ(order, "bac");
  EXPECT_EQ(map.size(), 3U);
}

TEST(TensorMap, RefusesASecondTensorOfOneName) {
  TensorMap map;
  ASSERT_TRUE(is_ok(map.insert("a", Tensor::allocate(DType::kInt8, Shape()).value())));
  EXPECT_TRUE(is_invalid(map.insert("a", Tensor()), "'a'"));
  EXPECT_EQ(map.find("a")->view().dtype, DType::kInt8);
  EXPECT_EQ(map.find("b"), nullptr);
}

}  // namespace
}  // namespace skua
