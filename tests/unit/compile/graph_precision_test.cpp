// What counts as fp32 and as fp16: refusals with the offender's name, each beside a sibling that passes.
#include "compile/graph_precision.h"
#include "compile_fixture.h"
#include "onnx_writer.h"

namespace skua::test {
namespace {

Status check(const std::string& text, Precision precision, const std::vector<std::string>& keep_fp32 = {}) {
  return compile::check_graph_precision(parse_onnx(bytes_of(text)).value(), precision, keep_fp32);
}

testing::AssertionResult is_refused(const Status& status, const std::string& part) {
  return is_build_error(status, Reason::kPrecisionNotSupported, part);
}

const std::string kHalfOnes = raw<std::uint16_t>({0x3C00, 0x3C00, 0x3C00, 0x3C00});
const std::string kFloatOnes = raw<float>({1, 1, 1, 1});

WireMessage to(int type) { return onnx_integer_attribute("to", type); }

TEST(PrecisionFp32, FloatAndIntegerGraphsPass) {
  EXPECT_TRUE(is_ok(check(mlp_model(), Precision::kFp32)));
  EXPECT_TRUE(is_ok(check(non_zero_model(), Precision::kFp32)));
}

TEST(PrecisionFp32, HalfOrDoubleWeightsAreRefused) {
  EXPECT_TRUE(is_refused(check(half_mlp_model(), Precision::kFp32), "float16 weights 'w0'"));
  OnnxWriter doubles;
  doubles.input("x", kDouble, {1}).output("y", kDouble, {1}).weights("w", kDouble, {1}, raw<double>({1}));
  doubles.node("Add", {"x", "w"}, {"y"});
  EXPECT_TRUE(is_refused(check(doubles.model(), Precision::kFp32), "float64 weights 'w'"));
}

TEST(PrecisionFp32, HalfAtTheEdgeBehindCastsPasses) {
  OnnxWriter edge;
  edge.input("x", kHalf, {4}).output("y", kHalf, {4}).weights("w", kFloat, {4}, kFloatOnes);
  edge.node("Cast", {"x"}, {"wide"}, {to(kFloat)}).node("Add", {"wide", "w"}, {"sum"});
  edge.node("Cast", {"sum"}, {"y"}, {to(kHalf)});
  EXPECT_TRUE(is_ok(check(edge.model(), Precision::kFp32)));
}

TEST(PrecisionFp32, HalfInsideIsRefused) {
  OnnxWriter inside;
  inside.input("x", kFloat, {4}).output("y", kFloat, {4});
  inside.node("Cast", {"x"}, {"narrow"}, {to(kHalf)}, "narrowing")
      .node("Cast", {"narrow"}, {"y"}, {to(kFloat)});
  EXPECT_TRUE(is_refused(check(inside.model(), Precision::kFp32), "Cast 'narrowing' to float16"));
}

TEST(Precision, QuantisedGraphsAreRefused) {
  OnnxWriter quantised;
  quantised.input("x", kFloat, {4}).output("y", kUint8, {4}).weights("s", kFloat, {}, raw<float>({1}));
  quantised.weights("z", kUint8, {}, std::string(1, '\0'))
      .node("QuantizeLinear", {"x", "s", "z"}, {"y"}, {}, "q");
  EXPECT_TRUE(is_refused(check(quantised.model(), Precision::kFp32), "QuantizeLinear 'q'"));
  EXPECT_TRUE(is_refused(check(quantised.model(), Precision::kFp16), "QuantizeLinear 'q'"));
}

TEST(Precision, AFloatGraphIsNeitherInt8NorMixed) {
  EXPECT_TRUE(is_refused(check(mlp_model(), Precision::kInt8), "precision int8"));
  EXPECT_TRUE(is_refused(check(mlp_model(), Precision::kMixed, {"*"}), "no float16 tensor"));
}

TEST(PrecisionFp16, HalfGraphPasses) { EXPECT_TRUE(is_ok(check(half_mlp_model(), Precision::kFp16))); }

TEST(PrecisionFp16, FloatGraphIsRefusedWithTheRemedy) {
  EXPECT_TRUE(is_refused(check(mlp_model(), Precision::kFp16), "float32 weights 'w0'"));
  EXPECT_TRUE(is_refused(check(mlp_model(), Precision::kFp16), "skua quantize"));
}

TEST(PrecisionFp16, GraphWithoutAnyHalfIsRefused) {
  OnnxWriter integers;
  integers.input("x", kInt64, {4}).output("y", kInt64, {4}).node("Add", {"x", "x"}, {"y"});
  EXPECT_TRUE(is_refused(check(integers.model(), Precision::kFp16), "no float16 tensor"));
}

std::string one_float_weight(const std::string& node_name) {
  OnnxWriter graph;
  graph.input("x", kHalf, {4}).output("y", kFloat, {4}).weights("w", kFloat, {4}, kFloatOnes);
  graph.node("Cast", {"x"}, {"wide"}, {to(kFloat)}, "widen").node("Add", {"wide", "w"}, {"y"}, {}, node_name);
  return graph.model();
}

TEST(PrecisionFp16, KeepFp32NamesNodes) {
  EXPECT_TRUE(is_refused(check(one_float_weight("head/add"), Precision::kFp16), "float32 weights 'w'"));
  EXPECT_TRUE(is_refused(check(one_float_weight("head/add"), Precision::kFp16), "Cast 'widen' to float32"));
  EXPECT_TRUE(is_refused(check(one_float_weight("head/add"), Precision::kFp16, {"body/*"}), "'w'"));
  EXPECT_TRUE(is_ok(check(one_float_weight("head/add"), Precision::kFp16, {"head/*"})));
}

TEST(PrecisionMixed, IsHalfWithNodesThatComputeInFloat32) {
  EXPECT_TRUE(is_ok(check(one_float_weight("head/add"), Precision::kMixed, {"head/*"})));
  EXPECT_TRUE(is_refused(check(one_float_weight("head/add"), Precision::kMixed), "float32 weights 'w'"));
  EXPECT_TRUE(is_refused(check(one_float_weight("head/add"), Precision::kMixed, {"head/*", "tail/*"}),
                         "no node for the pattern 'tail/*'"));
  EXPECT_TRUE(is_refused(check(half_mlp_model(), Precision::kMixed, {"*"}),
                         "no node of keep_fp32 that computes in float32"));
}

TEST(PrecisionFp16, ResizeScalesStayFloat) {
  OnnxWriter resize;
  resize.input("x", kHalf, {1, 1, 2, 2}).output("y", kHalf, {1, 1, 4, 4});
  resize.weights("scales", kFloat, {4}, raw<float>({1, 1, 2, 2})).node("Resize", {"x", "", "scales"}, {"y"});
  EXPECT_TRUE(is_ok(check(resize.model(), Precision::kFp16)));
}

TEST(PrecisionFp16, FloatInputsMayFeedCastsOnly) {
  OnnxWriter casts;
  casts.input("x", kFloat, {4}).output("y", kHalf, {4}).weights("w", kHalf, {4}, kHalfOnes);
  casts.node("Cast", {"x"}, {"narrow"}, {to(kHalf)}).node("Add", {"narrow", "w"}, {"y"});
  EXPECT_TRUE(is_ok(check(casts.model(), Precision::kFp16)));
  casts.output("z", kFloat, {4}).node("Relu", {"x"}, {"z"});
  EXPECT_TRUE(is_refused(check(casts.model(), Precision::kFp16), "input 'x'"));
}

TEST(PrecisionFp16, CastTowardsAnOutputPassesOneInsideDoesNot) {
  OnnxWriter edge;
  edge.input("x", kHalf, {4}).output("y", kFloat, {4}).node("Relu", {"x"}, {"r"});
  edge.node("Cast", {"r"}, {"y"}, {to(kFloat)});
  EXPECT_TRUE(is_ok(check(edge.model(), Precision::kFp16)));
  OnnxWriter inside;
  inside.input("x", kHalf, {4}).output("y", kHalf, {4}).node("Cast", {"x"}, {"wide"}, {to(kFloat)}, "widen");
  inside.node("Exp", {"wide"}, {"e"}).node("Cast", {"e"}, {"y"}, {to(kHalf)});
  EXPECT_TRUE(is_refused(check(inside.model(), Precision::kFp16), "Cast 'widen'"));
}

TEST(PrecisionFp16, FloatConstantNodesCount) {
  const auto with_constant = [](int type, const std::string& bytes) {
    OnnxWriter graph;
    graph.input("x", kHalf, {4}).output("y", kHalf, {4});
    graph.node("Constant", {}, {"c"}, {onnx_tensor_attribute("value", onnx_tensor("", type, {4}, bytes))},
               "const");
    return graph.node("Add", {"x", "c"}, {"y"}).model();
  };
  EXPECT_TRUE(is_ok(check(with_constant(kHalf, kHalfOnes), Precision::kFp16)));
  EXPECT_TRUE(is_refused(check(with_constant(kFloat, kFloatOnes), Precision::kFp16), "'const'"));
}

TEST(PrecisionFp16, WidenedWeightsAreFound) {
  const auto source = parse_onnx(bytes_of(half_mlp_model())).value();
  const auto widened = parse_onnx(bytes_of(mlp_model())).value();
  EXPECT_TRUE(is_ok(compile::check_weights_still_half(source, source)));
  EXPECT_TRUE(is_refused(compile::check_weights_still_half(source, widened), "widened"));
}

TEST(MatchesPattern, StarsAndQuestionMarks) {
  EXPECT_TRUE(compile::matches_pattern("a*c", "abbc"));
  EXPECT_TRUE(compile::matches_pattern("*", ""));
  EXPECT_TRUE(compile::matches_pattern("*/Soft*", "/head/Softmax"));
  EXPECT_TRUE(compile::matches_pattern("a?c", "abc"));
  EXPECT_FALSE(compile::matches_pattern("a?c", "ac"));
  EXPECT_FALSE(compile::matches_pattern("a*c", "abcd"));
  EXPECT_FALSE(compile::matches_pattern("", "a"));
}

}  // namespace
}  // namespace skua::test
