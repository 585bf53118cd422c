// The software-in-the-loop ONNX parser, row by row of what the real one was measured to answer.
#include "refusals.h"
#include "sil_nvinfer_fixture.h"

namespace skua::sil_test {
namespace {

using test::kFloat;
using test::kHalf;
using test::kInt64;

class SilParserRefuses : public SilNvinfer, public testing::WithParamInterface<Refusal> {};

TEST_P(SilParserRefuses, WithCodeNodeAndText) {
  const Refusal& row = GetParam();
  Workshop workshop(listener);
  EXPECT_FALSE(workshop.parse(row.model));
  ASSERT_GE(workshop.parser->getNbErrors(), 1);
  const nvonnxparser::IParserError& error = *workshop.parser->getError(0);
  EXPECT_EQ(static_cast<int>(error.code()), row.code) << error.desc();
  EXPECT_EQ(error.node(), row.node) << error.desc();
  EXPECT_NE(std::string(error.desc()).find(row.text), std::string::npos) << error.desc();
  EXPECT_EQ(workshop.network->getNbOutputs(), 0);
  EXPECT_NE(listener.errors().find(row.text), std::string::npos) << "parser errors are logged";
  for (const char* text : {error.file(), error.func(), error.nodeName(), error.nodeOperator()})
    EXPECT_NE(text, nullptr);
  EXPECT_EQ(workshop.build(), "") << "what is left has no output";
}

INSTANTIATE_TEST_SUITE_P(Rows, SilParserRefuses, testing::ValuesIn(refusals()),
                         [](const auto& row) { return row.param.name; });

struct Acceptance {
  const char* name;
  std::string model;
  int layers, inputs, outputs;
  const char* warning;  ///< "" for none at all
};

std::string many_words() {
  std::string text;
  for (int i = 0; i < 50; ++i) text += "hello world, this is not a network. ";
  return text;
}

std::string flipped_weights() {
  std::string model = test::mlp_model();
  model[200] = static_cast<char>(model[200] ^ 1);
  return model;
}

std::string nan_weights() {
  return OnnxWriter()
      .input("x", kFloat, {1})
      .output("y", kFloat, {1})
      .weights("w", kFloat, {1}, std::string(4, '\xFF'))
      .node("Add", {"x", "w"}, {"y"})
      .model();
}

std::string unused_input() { return one_node("Relu").input("z", kFloat, {2}).model(); }

std::vector<Acceptance> acceptances() {
  return {
      {"empty_file", "", 0, 0, 0, ""},
      {"text", many_words(), 0, 0, 0, ""},
      {"flipped_weights", flipped_weights(), 3, 1, 1, ""},
      {"static_network", test::mlp_model(), 3, 1, 1, ""},
      {"dynamic_network", test::dynamic_rows_model(), 1, 1, 1, ""},
      {"half_network", test::half_mlp_model(), 3, 1, 1, ""},
      {"no_outputs", OnnxWriter().input("x", kFloat, {4}).node("Relu", {"x"}, {"y"}).model(), 1, 1, 0, ""},
      {"opset_1", one_node("Relu").model(1), 1, 1, 1, "at least opset 7"},
      {"opset_6", one_node("Relu").model(6), 1, 1, 1, "at least opset 7"},
      {"opset_27", one_node("Relu").model(27), 1, 1, 1, ""},
      {"opset_99", one_node("Relu").model(99), 1, 1, 1, ""},
      {"int64_input", input_of(kInt64, {3}), 1, 1, 1, "Make sure input x has Int64 binding."},
      {"uint8_input", input_of(test::kUint8, {3}), 1, 1, 1, ""},
      {"bool_input", input_of(test::kBoolean, {3}), 1, 1, 1, ""},
      {"size_0", input_of(kFloat, {0, 3}), 1, 1, 1, ""},
      {"declared_wrongly", declared_wrongly(), 1, 1, 1, ""},
      {"unused_input", unused_input(), 1, 2, 1, "Unused Input: z"},
      {"nan_weights", nan_weights(), 1, 1, 1, ""},
      {"uint8_zero_point", quantised_model(2, 0), 2, 1, 1, "converted to INT8"},
      {"symmetric_quantisation", quantised_model(3, 0), 2, 1, 1, ""},
      {"large_top_k", top_k_model(4000), 1, 1, 2, ""},
  };
}

class SilParserAccepts : public SilNvinfer, public testing::WithParamInterface<Acceptance> {};

TEST_P(SilParserAccepts, SayingSoOrNothing) {
  const Acceptance& row = GetParam();
  Workshop workshop(listener);
  EXPECT_TRUE(workshop.parse(row.model)) << listener.errors();
  EXPECT_EQ(workshop.parser->getNbErrors(), 0);
  EXPECT_EQ(workshop.network->getNbLayers(), row.layers);
  EXPECT_EQ(workshop.network->getNbInputs(), row.inputs);
  EXPECT_EQ(workshop.network->getNbOutputs(), row.outputs);
  const std::string warnings = listener.warnings();
  if (*row.warning == '\0') {
    EXPECT_EQ(warnings, "");
  }
  EXPECT_NE(warnings.find(row.warning), std::string::npos) << warnings;
}

INSTANTIATE_TEST_SUITE_P(Rows, SilParserAccepts, testing::ValuesIn(acceptances()),
                         [](const auto& row) { return row.param.name; });

TEST_F(SilNvinfer, ANullModelWithoutSizeParsesAsNothing) {
  Workshop workshop(listener);
  EXPECT_TRUE(workshop.parser->parse(nullptr, 0));
  EXPECT_EQ(workshop.network->getNbLayers(), 0);
}

TEST_F(SilNvinfer, ANullModelWithASizeEndsTheProcess) {
  EXPECT_DEATH(
      {
        Workshop workshop(listener);
        workshop.parser->parse(nullptr, 100);
      },
      "");
}

TEST_F(SilNvinfer, EveryCutInsideTheGraphIsRefused) {
  const std::string model = test::mlp_model();
  for (std::size_t size = 3; size < model.size() - 6; size += 7) {
    Workshop workshop(listener);
    EXPECT_FALSE(workshop.parse(model.substr(0, size))) << size;
  }
}

TEST_F(SilNvinfer, AParserParsesOnce) {
  Workshop workshop(listener);
  ASSERT_TRUE(workshop.parse(test::mlp_model()));
  EXPECT_FALSE(workshop.parse(test::mlp_model()));
  EXPECT_EQ(workshop.parser->getError(0)->code(), nvonnxparser::ErrorCode::kMODEL_DESERIALIZE_FAILED);
  EXPECT_STREQ(workshop.parser->getError(0)->desc(), "A model was previously parsed!");
  EXPECT_NE(workshop.build(), "") << "the first network is still good";
}

TEST_F(SilNvinfer, SomeTextsGoToTheStandardErrorAlone) {
  const std::pair<std::string, const char*> rows[] = {
      {cycle(), "ERROR: Graph contains a cycle\n"},
      {name_given_twice(), "ERROR: Output name is not unique: y\n"},
      {input_of(4, {4}), "Unsupported ONNX data type: UINT16 (4)\n"}};
  for (const auto& [model, text] : rows) {
    Workshop workshop(listener);
    testing::internal::CaptureStderr();
    EXPECT_FALSE(workshop.parse(model));
    EXPECT_EQ(testing::internal::GetCapturedStderr(), text);
    EXPECT_EQ(listener.errors().find(text), std::string::npos);
  }
}

TEST_F(SilNvinfer, NeitherOperatorSetNorFormatIsAGate) {
  const WireMessage type = WireMessage().message(
      1, WireMessage().integer(1, kFloat).message(2, WireMessage().message(1, WireMessage().integer(1, 4))));
  const WireMessage graph = WireMessage()
                                .message(1, WireMessage().text(1, "x").text(2, "y").text(4, "Relu"))
                                .message(11, WireMessage().text(1, "x").message(2, type))
                                .message(12, WireMessage().text(1, "y").message(2, type));
  Workshop workshop(listener);
  ASSERT_TRUE(workshop.parse(WireMessage().integer(1, 99).message(7, graph).bytes())) << listener.errors();
  EXPECT_EQ(listener.warnings(), "");
  EXPECT_NE(workshop.build(), "") << listener.errors();
}

TEST_F(SilNvinfer, EveryUnsupportedNodeIsReported) {
  Workshop workshop(listener);
  EXPECT_FALSE(workshop.parse(OnnxWriter()
                                  .input("x", kFloat, {4})
                                  .output("y", kFloat, {4})
                                  .node("Odd", {"x"}, {"a"}, {}, "first")
                                  .node("Relu", {"a"}, {"b"})
                                  .node("Strange", {"b"}, {"y"}, {}, "second")
                                  .model()));
  ASSERT_EQ(workshop.parser->getNbErrors(), 2);
  EXPECT_STREQ(workshop.parser->getError(0)->nodeName(), "first");
  EXPECT_STREQ(workshop.parser->getError(1)->nodeName(), "second");
  EXPECT_STREQ(workshop.parser->getError(1)->nodeOperator(), "Strange");
  EXPECT_EQ(workshop.parser->getError(2), nullptr);
  workshop.parser->clearErrors();
  EXPECT_EQ(workshop.parser->getNbErrors(), 0);
}

TEST_F(SilNvinfer, OfWrongValuesTheFirstAloneIsReported) {
  Workshop workshop(listener);
  EXPECT_FALSE(workshop.parse(two_mismatched_products()));
  ASSERT_EQ(workshop.parser->getNbErrors(), 1);
  EXPECT_STREQ(workshop.parser->getError(0)->nodeName(), "first");
}

TEST_F(SilNvinfer, WeightsOfAnotherSizeAreToldInTheLog) {
  Workshop workshop(listener);
  EXPECT_FALSE(workshop.parse(short_weights()));
  EXPECT_NE(listener.errors().find(
                "Size mismatch when importing initializer: w. Expected size: 8 , actual size: 16"),
            std::string::npos)
      << listener.errors();
}

TEST_F(SilNvinfer, LayersBeforeABadNodeStay) {
  Workshop workshop(listener);
  EXPECT_FALSE(workshop.parse(mismatched_product()));
  EXPECT_EQ(workshop.network->getNbLayers(), 1);
}

}  // namespace
}  // namespace skua::sil_test
