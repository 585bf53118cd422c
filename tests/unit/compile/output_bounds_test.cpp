// Capacities of inputs and outputs: from the shapes, the profiles and the user's bounds.
#include "compile/output_bounds.h"

#include <gtest/gtest.h>

#include "verdicts.h"

namespace skua::test {
namespace {

ModelTensor tensor(const std::string& name, const Shape& shape, std::vector<std::string> symbols = {}) {
  symbols.resize(shape.rank());
  return {TensorSpec{name, DType::kFloat32, shape, {}, false}, symbols};
}

std::vector<OptimizationProfile> profile(std::int64_t max_rows) {
  return {{"x", Shape{1, 4}, Shape{2, 4}, Shape{max_rows, 4}}};
}

TEST(OutputBounds, StaticAndNamedDimensions) {
  const ModelTensors tensors = {{tensor("x", Shape{-1, 4}, {"rows", ""})},
                                {tensor("a", Shape{2, 3}), tensor("b", Shape{-1, 3}, {"rows", ""})}};
  const auto outputs = compile::bounded_outputs(tensors, profile(9), {});
  ASSERT_TRUE(is_ok(outputs));
  EXPECT_EQ((*outputs)[0].max_shape, (Shape{2, 3}));
  EXPECT_EQ((*outputs)[1].max_shape, (Shape{9, 3}));
  EXPECT_EQ((*outputs)[1].shape, (Shape{-1, 3}));
  EXPECT_FALSE((*outputs)[1].data_dependent);
}

TEST(OutputBounds, UnknownDimensionNeedsTheUsersBound) {
  const ModelTensors tensors = {{tensor("x", Shape{8})}, {tensor("y", Shape{1, -1}, {"", "found"})}};
  EXPECT_TRUE(is_build_error(compile::bounded_outputs(tensors, {}, {}), Reason::kOutputUnbounded,
                             "max_output_shapes['y']"));
  const auto outputs = compile::bounded_outputs(tensors, {}, {{"y", Shape{1, 8}}});
  ASSERT_TRUE(is_ok(outputs));
  EXPECT_EQ((*outputs)[0].max_shape, (Shape{1, 8}));
  EXPECT_TRUE((*outputs)[0].data_dependent);
}

TEST(OutputBounds, UsersBoundMustFit) {
  const ModelTensors tensors = {{tensor("x", Shape{-1, 4}, {"rows", ""})},
                                {tensor("y", Shape{-1, 3}, {"rows", ""})}};
  const auto with = [&](const std::string& name, const Shape& shape) {
    return compile::bounded_outputs(tensors, profile(9), {{name, shape}});
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
  const auto inputs = compile::bounded_inputs({tensor("x", Shape{-1, 4}), tensor("s", Shape{3})}, profile(9));
  EXPECT_EQ(inputs[0].max_shape, (Shape{9, 4}));
  EXPECT_EQ(inputs[1].max_shape, Shape{3});
}

}  // namespace
}  // namespace skua::test
