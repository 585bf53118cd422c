// What TensorRT's parser takes in silence is compared with the file, and refused; its errors are told, all of
// them.
#include "compile_fixture.h"

namespace skua::test {
namespace {

using testing::HasSubstr;
using testing::Not;

Result<ModelTensors> contract_of(const std::string& model) {
  const auto parsed = parse(model);
  return tensorrt::network_contract(*parsed->network.network, parsed->source);
}

testing::AssertionResult differs(const std::string& model, const std::string& part) {
  return is_build_error(contract_of(model), Reason::kContractMismatch, part);
}

TEST(NetworkContract, ANetworkAsTheFileSaysPasses) {
  const auto contract = contract_of(dynamic_relu_model());
  ASSERT_TRUE(is_ok(contract));
  ASSERT_EQ(contract->inputs.size(), 1U);
  EXPECT_EQ(contract->inputs[0].spec.shape, (Shape{-1, 4}));
  EXPECT_EQ(contract->inputs[0].symbols[0], "rows");
  ASSERT_EQ(contract->outputs.size(), 1U);
  EXPECT_EQ(contract->outputs[0].spec.dtype, DType::kFloat32);
  EXPECT_EQ(contract->outputs[0].spec.shape, (Shape{-1, 3}));
}

TEST(NetworkContract, TextParsesAsAnEmptyNetworkAndIsRefused) {
  std::string text;
  for (int i = 0; i < 50; ++i) text += "hello world\n";
  tensorrt::ErrorRecorder recorder;
  const auto parsed = tensorrt::parse_network(bytes_of(text), "net", recorder);
  ASSERT_TRUE(is_ok(parsed));  // as measured
  EXPECT_TRUE(is_build_error(tensorrt::network_contract(*parsed->network, OnnxModel()), Reason::kModelEmpty,
                             "0 layers"));
}

TEST(NetworkContract, DoubleThatBecomesFloatIsRefused) {
  EXPECT_TRUE(differs(
      OnnxWriter().input("x", kDouble, {4}).output("y", kDouble, {4}).node("Relu", {"x"}, {"y"}).model(),
      "input 'x': expected float64, found kFLOAT"));
}

TEST(NetworkContract, InputOfUnknownRankThatBecomesAScalarIsRefused) {
  WireMessage graph = OnnxWriter().output("y", kFloat, {}).node("Relu", {"x"}, {"y"}).graph();
  const WireMessage type = WireMessage().message(1, WireMessage().integer(1, kFloat));  // without a shape
  graph.message(11, WireMessage().text(1, "x").message(2, type));
  const WireMessage model =
      WireMessage().integer(1, 8).message(8, WireMessage().integer(2, 17)).message(7, graph);
  EXPECT_TRUE(is_build_error(contract_of(model.bytes()), Reason::kModelUnsupported, "unknown rank"));
}

TEST(NetworkContract, DeclaredOutputThatIsAnotherIsRefused) {
  const auto declared = [](int type, const OnnxDims& dims) {
    return OnnxWriter().input("x", kFloat, {4}).output("y", type, dims).node("Relu", {"x"}, {"y"}).model();
  };
  EXPECT_TRUE(is_ok(contract_of(declared(kFloat, {4}))));
  EXPECT_TRUE(is_ok(contract_of(declared(kFloat, {"n"}))));
  EXPECT_TRUE(differs(declared(kInt64, {4}), "output 'y': expected int64, found kFLOAT"));
  EXPECT_TRUE(differs(declared(kFloat, {7}), "output 'y': expected shape 7, found 4"));
  EXPECT_TRUE(differs(declared(kFloat, {4, 1}), "output 'y'"));
}

TEST(NetworkContract, InputThatIsAlsoAnOutputIsRefused) {
  const std::string model = OnnxWriter()
                                .input("x", kFloat, {4})
                                .output("x", kFloat, {4})
                                .output("y", kFloat, {4})
                                .node("Relu", {"x"}, {"y"})
                                .model();
  EXPECT_TRUE(differs(model, "input 'x' expected, not found"));
  EXPECT_TRUE(differs(model, "'__x' found"));
}

TEST(NetworkContract, InputWhoseValuesDecideAShapeIsRefused) {
  EXPECT_TRUE(is_build_error(contract_of(OnnxWriter()
                                             .input("x", kFloat, {8})
                                             .input("shape", kInt64, {2})
                                             .output("y", kFloat, {"a", "b"})
                                             .node("Reshape", {"x", "shape"}, {"y"})
                                             .model()),
                             Reason::kModelUnsupported, "input 'shape'"));
}

// A network beside the file of another: whatever the parser may have changed.
TEST(NetworkContract, EveryDifferenceOfAnInputOrOutputIsTold) {
  const auto beside = [](const OnnxWriter& file, const char* part) {
    const auto parsed = parse(OnnxWriter()
                                  .input("x", kFloat, {"n", 4})
                                  .output("y", kFloat, {"n", 4})
                                  .node("Relu", {"x"}, {"y"})
                                  .model());
    return is_build_error(
        tensorrt::network_contract(*parsed->network.network, parse_onnx(bytes_of(file.model())).value()),
        Reason::kContractMismatch, part);
  };
  const auto file = [](int type, const OnnxDims& in, const OnnxDims& out) {
    return OnnxWriter().input("x", type, in).output("y", type, out).node("Relu", {"x"}, {"y"});
  };
  EXPECT_TRUE(beside(file(kFloat, {2, 4}, {"n", 4}), "input 'x': expected shape 2x4, found -1x4"));
  EXPECT_TRUE(beside(file(kFloat, {"n", 4, 1}, {"n", 4}), "input 'x': expected shape -1x4x1, found -1x4"));
  EXPECT_TRUE(beside(file(kFloat, {"n", 4}, {"n", 5}), "output 'y': expected shape -1x5, found -1x4"));
  EXPECT_TRUE(beside(file(kHalf, {"n", 4}, {"n", 4}), "input 'x': expected float16, found kFLOAT"));
  EXPECT_TRUE(beside(file(kHalf, {"n", 4}, {"n", 4}), "output 'y': expected float16, found kFLOAT"));
  EXPECT_TRUE(beside(file(kFloat, {"n", 4}, {"n", 4}).output("z", kFloat, {4}).node("Abs", {"x"}, {"z"}),
                     "output 'z' expected, not found"));
  EXPECT_TRUE(beside(
      OnnxWriter().input("x", kFloat, {"n", 4}).output("z", kFloat, {"n", 4}).node("Relu", {"x"}, {"z"}),
      "output 'y' found, not in the model"));
}

// What is unusual and no difference: sizes of 0, types beside float, an input that nobody reads, weights that
// are listed as an input, NaN in them, two nodes of one name, an operator set of any number.
TEST(NetworkContract, WhatTheFileSaysIsNoDifferenceHoweverUnusual) {
  const auto passed = [](int type, const OnnxDims& dims) {
    const std::string model =
        OnnxWriter().input("x", type, dims).output("y", type, dims).node("Identity", {"x"}, {"y"}).model();
    return contract_of(model);
  };
  EXPECT_EQ(passed(kFloat, {0, 3})->inputs[0].spec.shape, (Shape{0, 3}));
  EXPECT_EQ(passed(kInt64, {3})->inputs[0].spec.dtype, DType::kInt64);
  EXPECT_EQ(passed(kUint8, {3})->inputs[0].spec.dtype, DType::kUInt8);
  EXPECT_EQ(passed(kBoolean, {3})->outputs[0].spec.dtype, DType::kBool);
  const std::string nan(16, '\xFF');
  for (const int opset : {1, 17, 99}) {
    const auto contract = contract_of(OnnxWriter()
                                          .input("x", kFloat, {4})
                                          .input("w", kFloat, {4})
                                          .input("unread", kFloat, {2})
                                          .output("y", kFloat, {4})
                                          .weights("w", kFloat, {4}, nan)
                                          .node("Add", {"x", "w"}, {"h"}, {}, "n")
                                          .node("Relu", {"h"}, {"y"}, {}, "n")
                                          .model(opset));
    ASSERT_TRUE(is_ok(contract)) << opset;
    ASSERT_EQ(contract->inputs.size(), 2U);
    EXPECT_EQ(contract->inputs[1].spec.name, "unread");
  }
}

TEST(NetworkContract, ANetworkWithoutOutputsIsRefused) {
  const std::string model = OnnxWriter().input("x", kFloat, {4}).node("Relu", {"x"}, {"y"}).model();
  tensorrt::ErrorRecorder recorder;
  const auto parsed = tensorrt::parse_network(bytes_of(model), "net", recorder);
  ASSERT_TRUE(is_ok(parsed));  // as measured
  EXPECT_TRUE(is_build_error(tensorrt::network_contract(*parsed->network, OnnxModel()), Reason::kModelEmpty,
                             "0 outputs"));
}

Result<tensorrt::ParsedNetwork> parse_only(const std::string& model) {
  static tensorrt::ErrorRecorder recorder;  // outlives what it is given to
  return tensorrt::parse_network(bytes_of(model), "net", recorder);
}

TEST(ParserReport, NamesEveryUnsupportedNode) {
  const auto parsed = parse_only(OnnxWriter()
                                     .input("x", kFloat, {4})
                                     .output("y", kFloat, {4})
                                     .node("Fancy", {"x"}, {"a"}, {}, "first")
                                     .node("Relu", {"a"}, {"b"}, {}, "middle")
                                     .node("Strange", {"b"}, {"y"}, {}, "last")
                                     .model());
  ASSERT_TRUE(is_build_error(parsed, Reason::kModelUnsupported, "node 0 'first' (Fancy)"));
  EXPECT_THAT(parsed.error().message, HasSubstr("node 2 'last' (Strange)"));
  EXPECT_THAT(parsed.error().message, HasSubstr("errors: 2"));
  EXPECT_THAT(parsed.error().message, Not(HasSubstr("middle")));
  EXPECT_NE(parsed.error().native_code, 0);
}

TEST(ParserReport, CutOffModelIsMalformed) {
  const std::string model = add_relu_model();
  EXPECT_TRUE(
      is_build_error(parse_only(model.substr(0, model.size() / 2)), Reason::kModelMalformed, "parse"));
}

TEST(ParserReport, NothingIsHandedToTheParserThatEndsTheProcess) {
  EXPECT_TRUE(is_build_error(parse_only(""), Reason::kModelEmpty, "empty"));
}

TEST(ParserReport, NoBuilderIsNoDevice) {
  sil::reset();
  sil::fail_call("createInferBuilder", 1, 6);
  const auto parsed = parse_only(add_relu_model());
  sil::reset();
  EXPECT_TRUE(is_error(parsed, ErrorCode::kRuntimeNotAvailable, Reason::kProviderNotAvailable, "builder"));
}

}  // namespace
}  // namespace skua::test
