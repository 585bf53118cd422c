// Capacities of outputs: what the engine says at the ends of the profiles bounds nothing between them.
#include "compile_fixture.h"

namespace skua::test {
namespace {

TEST(OutputCapacities, DataDependentOutputNeedsACapacity) {
  TensorrtCompileCase non_zero(non_zero_model());
  EXPECT_TRUE(is_build_error(non_zero.compile(), Reason::kOutputUnbounded, "max_output_shapes['y']"));
  non_zero.request.build.max_output_shapes = {{"y", Shape{1, 8}}};
  const auto record = non_zero.compile();
  ASSERT_TRUE(is_ok(record));
  EXPECT_TRUE(record->outputs[0].data_dependent);
  EXPECT_EQ(record->outputs[0].max_shape, (Shape{1, 8}));
}

TEST(OutputCapacities, DeclaredShapeIsTheCapacityOfWhatTensorrtLeavesOpen) {
  TensorrtCompileCase declared(
      OnnxWriter().input("x", kFloat, {8}).output("y", kInt64, {1, 8}).node("NonZero", {"x"}, {"y"}).model());
  declared.give_golden(one_tensor<float>("x", DType::kFloat32, Shape{8}, std::vector<float>(8, 1.0F)),
                       one_tensor<std::int64_t>("y", DType::kInt64, Shape{1, 8}, {0, 1, 2, 3, 4, 5, 6, 7}));
  const auto record = declared.compile();
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->outputs[0].shape, (Shape{1, -1}));
  EXPECT_EQ(record->outputs[0].max_shape, (Shape{1, 8}));
  EXPECT_TRUE(record->outputs[0].data_dependent);
}

using Profiles = std::vector<OptimizationProfile>;
using Bounds = std::map<std::string, Shape>;

Result<EngineRecord> compiled(const std::string& model, const Profiles& profiles, const Bounds& bounds = {}) {
  TensorrtCompileCase made(model);
  made.request.build.optimization_profiles = profiles;
  made.request.build.max_output_shapes = bounds;
  return made.compile();
}

testing::AssertionResult needs_capacity(const Result<EngineRecord>& record, const char* found) {
  const auto named = is_build_error(record, Reason::kOutputUnbounded, "give max_output_shapes['y']");
  return named ? is_build_error(record, Reason::kOutputUnbounded, found) : named;
}

/// y = a[:n mod 7] of a["n"].
std::string remainder_model(const OnnxDims& declared) {
  return OnnxWriter()
      .input("a", kFloat, {"n"})
      .output("y", kFloat, declared)
      .weights("seven", kInt64, {1}, raw<std::int64_t>({7}))
      .weights("zero", kInt64, {1}, raw<std::int64_t>({0}))
      .node("Shape", {"a"}, {"size"})
      .node("Mod", {"size", "seven"}, {"end"})
      .node("Slice", {"a", "zero", "end"}, {"y"})
      .model();
}

// 0, 1 and 0 at the ends, 6 between them.
const Profiles kRemainder = {{"a", Shape{7}, Shape{8}, Shape{14}}};

TEST(OutputCapacities, EndsDoNotBoundARemainder) {
  const std::string model = remainder_model({"rest"});
  EXPECT_TRUE(needs_capacity(compiled(model, kRemainder), "found -1"));
  const auto record = compiled(model, kRemainder, {{"y", Shape{6}}});
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->outputs[0].max_shape, Shape{6});
  EXPECT_FALSE(record->outputs[0].data_dependent);  // the engine knows its shape before a run
}

/// y = a[len(b):].
const std::string kDifferenceModel = OnnxWriter()
                                         .input("a", kFloat, {"n"})
                                         .input("b", kFloat, {"m"})
                                         .output("y", kFloat, {"rest"})
                                         .weights("most", kInt64, {1}, raw<std::int64_t>({1 << 30}))
                                         .node("Shape", {"b"}, {"start"})
                                         .node("Slice", {"a", "start", "most"}, {"y"})
                                         .model();
const Profiles kDifference = {{"a", Shape{8}, Shape{16}, Shape{32}}, {"b", Shape{4}, Shape{8}, Shape{16}}};

// 4, 8 and 16 at the ends; 28 where one input is long and the other short.
TEST(OutputCapacities, EndsDoNotBoundADifferenceOfTwoInputs) {
  EXPECT_TRUE(needs_capacity(compiled(kDifferenceModel, kDifference), "found -1"));
  EXPECT_TRUE(is_ok(compiled(kDifferenceModel, kDifference, {{"y", Shape{28}}})));
}

TEST(OutputCapacities, WhatTheUserGivesMustHoldTheEnds) {
  EXPECT_TRUE(needs_capacity(compiled(kDifferenceModel, kDifference, {{"y", Shape{15}}}), "found 16"));
}

TEST(OutputCapacities, OneShapeAloneIsKnownExactly) {
  const auto record = compiled(remainder_model({"rest"}), {{"a", Shape{9}, Shape{9}, Shape{9}}});
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->outputs[0].max_shape, Shape{2});
}

TEST(OutputCapacities, TheNameOfAnInputsDimensionBounds) {
  const auto record = compiled(remainder_model({"n"}), kRemainder);
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->outputs[0].max_shape, Shape{14});
  const std::string twice = OnnxWriter()
                                .input("a", kFloat, {"n"})
                                .output("y", kFloat, {"n"})
                                .node("Concat", {"a", "a"}, {"y"}, {onnx_integer_attribute("axis", 0)})
                                .model();
  EXPECT_TRUE(needs_capacity(compiled(twice, kRemainder), "expected at most 14, found 28"));
}

TEST(OutputCapacities, ANumberInTheFileThatAnEndExceedsDoesNotStand) {
  EXPECT_TRUE(needs_capacity(compiled(remainder_model({0}), kRemainder), "found 1 "));
}

/// y = x[:, :len(c)] of x["n",8].
TEST(OutputCapacities, ANumberInTheFileStandsForItsDimension) {
  const std::string model = OnnxWriter()
                                .input("x", kFloat, {"n", 8})
                                .input("c", kFloat, {"m"})
                                .output("y", kFloat, {"n", 4})
                                .weights("zero", kInt64, {1}, raw<std::int64_t>({0}))
                                .weights("one", kInt64, {1}, raw<std::int64_t>({1}))
                                .node("Shape", {"c"}, {"end"})
                                .node("Slice", {"x", "zero", "end", "one"}, {"y"})
                                .model();
  const auto record =
      compiled(model, {{"x", Shape{1, 8}, Shape{2, 8}, Shape{5, 8}}, {"c", Shape{4}, Shape{4}, Shape{4}}});
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->outputs[0].shape, (Shape{-1, -1}));
  EXPECT_EQ(record->outputs[0].max_shape, (Shape{5, 4}));
}

}  // namespace
}  // namespace skua::test
