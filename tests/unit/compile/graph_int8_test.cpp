// What counts as int8: refusals with the offender's name, each beside a sibling that passes.
#include "compile/graph_int8.h"
#include "compile_fixture.h"
#include "onnx_writer.h"

namespace skua::test::graph_int8_test {
namespace {

constexpr int kInt8 = 3, kInt32 = 6;
const std::string kScale = raw<float>({0.5F});
const std::string kZero(1, '\0');

/// x float [1,4] times w [4,4] by way of int8; `weight` is the type of w, `zero` that of the zero points.
OnnxWriter matrix_product(int weight = kInt8, int zero = kInt8) {
  OnnxWriter graph;
  graph.input("x", kFloat, {1, 4}).output("y", kFloat, {1, 4}).weights("s", kFloat, {}, kScale);
  const std::string bytes(weight == kInt32 ? 64 : 16, '\1');
  graph.weights("w", weight, {4, 4}, bytes)
      .weights("z", zero, {}, zero == kInt32 ? raw<std::int32_t>({0}) : kZero);
  graph.node("QuantizeLinear", {"x", "s", "z"}, {"xq"}, {}, "q")
      .node("DequantizeLinear", {"xq", "s", "z"}, {"xd"});
  graph.node("DequantizeLinear", {"w", "s"}, {"wd"}, {}, "dw")
      .node("MatMul", {"xd", "wd"}, {"y"}, {}, "product");
  return graph;
}

Status check(const OnnxWriter& graph) {
  return compile::check_int8_graph(parse_onnx(bytes_of(graph.model())).value());
}

testing::AssertionResult is_refused(const Status& status, const std::string& part) {
  return is_build_error(status, Reason::kPrecisionNotSupported, part);
}

TEST(GraphInt8, AProductBetweenInt8ValuesPasses) {
  EXPECT_TRUE(is_ok(check(matrix_product())));
  const auto products = compile::count_products(parse_onnx(bytes_of(matrix_product().model())).value());
  EXPECT_EQ(products.quantised, 1U);
  EXPECT_EQ(products.all, 1U);
}

TEST(GraphInt8, AFloatGraphIsRefusedWithTheRemedy) {
  const Status status = compile::check_int8_graph(parse_onnx(bytes_of(mlp_model())).value());
  EXPECT_TRUE(is_refused(status, "no convolution or matrix product"));
  EXPECT_TRUE(is_refused(status, "skua quantize --precision int8"));
}

TEST(GraphInt8, OneFactorAloneIsNoInt8Product) {
  OnnxWriter graph;
  graph.input("x", kFloat, {1, 4}).output("y", kFloat, {1, 4}).weights("s", kFloat, {}, kScale);
  graph.weights("w", kInt8, {4, 4}, std::string(16, '\1')).node("DequantizeLinear", {"w", "s"}, {"wd"});
  graph.node("MatMul", {"x", "wd"}, {"y"});
  EXPECT_TRUE(is_refused(check(graph), "no convolution or matrix product"));
}

TEST(GraphInt8, OtherTypesAreRefusedByName) {
  EXPECT_TRUE(is_refused(check(matrix_product(kInt32)), "'w' of DequantizeLinear 'dw'"));
  EXPECT_TRUE(is_refused(check(matrix_product(kInt8, kUint8)), "'z' of QuantizeLinear 'q'"));
}

TEST(GraphInt8, WhatIsNotToldIsNotInt8) {
  OnnxWriter graph = matrix_product();
  graph.node("QuantizeLinear", {"x", "s"}, {"other"}, {}, "bare");
  EXPECT_TRUE(is_refused(check(graph), "no zero point of QuantizeLinear 'bare'"));
  OnnxWriter constant = matrix_product();
  const WireMessage value = onnx_tensor_attribute("value", onnx_tensor("", kUint8, {}, kZero));
  constant.node("Constant", {}, {"cz"}, {value}).node("QuantizeLinear", {"x", "s", "cz"}, {"o"}, {}, "late");
  EXPECT_TRUE(is_refused(check(constant), "'cz' of QuantizeLinear 'late'"));
}

TEST(GraphInt8, OperatorsThatComputeWithQuantisedValuesAreRefused) {
  OnnxWriter graph = matrix_product();
  graph.node("MatMulInteger", {"xq", "w"}, {"z2"}, {}, "other");
  EXPECT_TRUE(is_refused(check(graph), "operator MatMulInteger 'other'"));
}

}  // namespace
}  // namespace skua::test::graph_int8_test
