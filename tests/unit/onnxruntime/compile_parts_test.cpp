// The parts of compiling that need no session: capacities, node placement, trial inputs.
#include <algorithm>

#include "cache/half.h"
#include "ort_fixture.h"
#include "runtimes/onnxruntime/output_bounds.h"
#include "runtimes/onnxruntime/provider_proof.h"
#include "runtimes/onnxruntime/trial_inputs.h"

namespace skua::test {
namespace {

ort::SessionTensor tensor(const std::string& name, const Shape& shape,
                          std::vector<std::string> symbols = {}) {
  symbols.resize(shape.rank());
  return {TensorSpec{name, DType::kFloat32, shape, {}, false}, symbols};
}

std::vector<OptimizationProfile> profile(std::int64_t max_rows) {
  return {{"x", Shape{1, 4}, Shape{2, 4}, Shape{max_rows, 4}}};
}

TEST(OutputBounds, StaticAndNamedDimensions) {
  const ort::SessionTensors tensors = {{tensor("x", Shape{-1, 4}, {"rows", ""})},
                                       {tensor("a", Shape{2, 3}), tensor("b", Shape{-1, 3}, {"rows", ""})}};
  const auto outputs = ort::bounded_outputs(tensors, profile(9), {});
  ASSERT_TRUE(is_ok(outputs));
  EXPECT_EQ((*outputs)[0].max_shape, (Shape{2, 3}));
  EXPECT_EQ((*outputs)[1].max_shape, (Shape{9, 3}));
  EXPECT_EQ((*outputs)[1].shape, (Shape{-1, 3}));
  EXPECT_FALSE((*outputs)[1].data_dependent);
}

TEST(OutputBounds, UnknownDimensionNeedsTheUsersBound) {
  const ort::SessionTensors tensors = {{tensor("x", Shape{8})}, {tensor("y", Shape{1, -1}, {"", "found"})}};
  EXPECT_TRUE(is_build_error(ort::bounded_outputs(tensors, {}, {}), Reason::kOutputUnbounded,
                             "max_output_shapes['y']"));
  const auto outputs = ort::bounded_outputs(tensors, {}, {{"y", Shape{1, 8}}});
  ASSERT_TRUE(is_ok(outputs));
  EXPECT_EQ((*outputs)[0].max_shape, (Shape{1, 8}));
  EXPECT_TRUE((*outputs)[0].data_dependent);
}

TEST(OutputBounds, UsersBoundMustFit) {
  const ort::SessionTensors tensors = {{tensor("x", Shape{-1, 4}, {"rows", ""})},
                                       {tensor("y", Shape{-1, 3}, {"rows", ""})}};
  const auto with = [&](const std::string& name, const Shape& shape) {
    return ort::bounded_outputs(tensors, profile(9), {{name, shape}});
  };
  const auto is_bad = [](const auto& result) {
    return is_error(result, ErrorCode::kInvalidArgument, Reason::kInvalidArgument, "max_output_shapes");
  };
  EXPECT_TRUE(is_ok(with("y", Shape{9, 3})));
  EXPECT_TRUE(is_ok(with("y", Shape{20, 3})));
  EXPECT_TRUE(is_bad(with("y", Shape{8, 3})));  // below what the profile can bring
  EXPECT_TRUE(is_bad(with("y", Shape{9, 4})));  // another fixed dimension
  EXPECT_TRUE(is_bad(with("y", Shape{9})));     // another rank
  EXPECT_TRUE(is_bad(with("z", Shape{9, 3})));  // no such output
}

TEST(OutputBounds, InputsTakeTheProfilesMaximum) {
  const auto inputs = ort::bounded_inputs({tensor("x", Shape{-1, 4}), tensor("s", Shape{3})}, profile(9));
  EXPECT_EQ(inputs[0].max_shape, (Shape{9, 4}));
  EXPECT_EQ(inputs[1].max_shape, Shape{3});
}

constexpr char kProfile[] = R"([
  {"cat":"Session","name":"model_loading","args":{}},
  {"cat":"Node","name":"conv_kernel_time","args":{"provider":"CPUExecutionProvider","op_name":"Conv"}},
  {"cat":"Node","name":"conv_kernel_time","args":{"provider":"CPUExecutionProvider","op_name":"Conv"}},
  {"cat":"Node","name":"relu_kernel_time","args":{"provider":"CUDAExecutionProvider","op_name":"Relu"}}])";

TEST(ProviderProof, EachNodeCountsOnce) {
  const auto placement = ort::placement_of(kProfile);
  ASSERT_TRUE(is_ok(placement));
  EXPECT_THAT(placement->at("CPUExecutionProvider"), testing::ElementsAre("conv"));
  EXPECT_THAT(placement->at("CUDAExecutionProvider"), testing::ElementsAre("relu"));
}

TEST(ProviderProof, NodesElsewhereAreNamed) {
  const auto placement = ort::placement_of(kProfile).value();
  const Status checked = ort::check_placement(placement, "CUDAExecutionProvider");
  EXPECT_TRUE(is_build_error(checked, Reason::kNodesOnOtherProvider, "'conv' on CPUExecutionProvider"));
  EXPECT_TRUE(is_ok(ort::check_placement({{"CUDAExecutionProvider", {"relu"}}}, "CUDAExecutionProvider")));
}

TEST(ProviderProof, WithoutEvidenceNothingIsProven) {
  EXPECT_TRUE(is_build_error(ort::placement_of("[]"), Reason::kNodesOnOtherProvider));
  EXPECT_TRUE(is_build_error(ort::placement_of("{"), Reason::kNodesOnOtherProvider));
  EXPECT_TRUE(is_build_error(ort::placement_of(R"([{"cat":"Node","name":3,"args":[]}, 7])"),
                             Reason::kNodesOnOtherProvider));
}

Tensor filled(DType dtype, std::string_view name, std::uint8_t model) {
  Tensor tensor = Tensor::allocate(dtype, Shape{1000}).value();
  Sha256 digest;
  digest.bytes[0] = model;
  ort::fill_trial_input(tensor.view(), digest, name);
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
