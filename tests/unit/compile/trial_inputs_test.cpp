// Inputs that are made up, yet always the same.
#include "compile/trial_inputs.h"

#include <algorithm>

#include "cache/half.h"
#include "compile_fixture.h"

namespace skua::test {
namespace {

Tensor filled(DType dtype, std::string_view name, std::uint8_t model) {
  Tensor tensor = Tensor::allocate(dtype, Shape{1000}).value();
  Sha256 digest;
  digest.bytes[0] = model;
  compile::fill_trial_input(tensor.view(), digest, name);
  return tensor;
}

TEST(TrialInputs, SameForSameModelAndNameOnly) {
  const auto values = [](const Tensor& tensor) { return read<float>(tensor.view()); };
  const auto first = values(filled(DType::kFloat32, "x", 1));
  EXPECT_EQ(values(filled(DType::kFloat32, "x", 1)), first);
  EXPECT_NE(values(filled(DType::kFloat32, "y", 1)), first);
  EXPECT_NE(values(filled(DType::kFloat32, "x", 2)), first);
}

TEST(TrialInputs, FloatsFillTheUnitInterval) {
  const auto floats = read<float>(filled(DType::kFloat32, "x", 1).view());
  const auto [least, most] = std::minmax_element(floats.begin(), floats.end());
  EXPECT_GE(*least, 0.0F);
  EXPECT_LT(*least, 0.05F);
  EXPECT_GT(*most, 0.95F);
  EXPECT_LT(*most, 1.0F);
}

TEST(TrialInputs, HalvesFillTheUnitInterval) {
  float least = 1, most = 0, sum = 0;
  for (const std::uint16_t bits : read<std::uint16_t>(filled(DType::kFloat16, "x", 1).view())) {
    least = std::min(least, half_to_float(bits));
    most = std::max(most, half_to_float(bits));
    sum += half_to_float(bits);
  }
  EXPECT_GE(least, 0.0F);
  EXPECT_LT(most, 1.0F);
  EXPECT_NEAR(sum / 1000, 0.5, 0.05);
}

TEST(TrialInputs, IntegersAreSmallAndBoolsAlternate) {
  for (const std::int64_t value : read<std::int64_t>(filled(DType::kInt64, "x", 1).view())) {
    EXPECT_GE(value, 0);
    EXPECT_LE(value, 3);
  }
  const auto bools = read<std::uint8_t>(filled(DType::kBool, "x", 1).view());
  EXPECT_THAT(std::vector<std::uint8_t>(bools.begin(), bools.begin() + 4), testing::ElementsAre(0, 1, 0, 1));
}

}  // namespace
}  // namespace skua::test
