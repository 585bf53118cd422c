// What the parser changes without a word, and what it says of a model that it has not parsed.
#include "models.h"
#include "sil_nvinfer_fixture.h"

namespace skua::sil_test {
namespace {

using test::kDouble;
using test::kFloat;

TEST_F(SilNvinfer, DoubleBecomesFloat) {
  Workshop workshop(listener);
  ASSERT_TRUE(workshop.parse(input_of(kDouble, {4})));
  EXPECT_EQ(workshop.network->getInput(0)->getType(), nvinfer1::DataType::kFLOAT);
  EXPECT_EQ(workshop.network->getOutput(0)->getType(), nvinfer1::DataType::kFLOAT);
  EXPECT_EQ(listener.warnings(), "") << "nothing says so";
}

TEST_F(SilNvinfer, DoubleWeightsBeyondFloatAreClampedWithAWarning) {
  const auto warned = [this](double weight) {
    Workshop workshop(listener);
    EXPECT_TRUE(workshop.parse(OnnxWriter()
                                   .input("x", kDouble, {1})
                                   .output("y", kDouble, {1})
                                   .weights("w", kDouble, {1}, raw<double>({weight}))
                                   .node("Add", {"x", "w"}, {"y"})
                                   .model()));
    return listener.warnings().find("clamped to 3.40282e+38") != std::string::npos;
  };
  EXPECT_FALSE(warned(1e38));
  EXPECT_TRUE(warned(-1e39));
}

TEST_F(SilNvinfer, AnInputOfUnknownRankBecomesAScalar) {
  // A type without a shape: field 1 the name, field 2 the type.
  const WireMessage type = WireMessage().message(1, WireMessage().integer(1, kFloat));
  const WireMessage graph = WireMessage()
                                .message(1, WireMessage().text(1, "x").text(2, "y").text(4, "Relu"))
                                .message(11, WireMessage().text(1, "x").message(2, type))
                                .message(12, WireMessage().text(1, "y").message(2, type));
  const std::string model = WireMessage()
                                .integer(1, 8)
                                .message(7, graph)
                                .message(8, WireMessage().text(1, "").integer(2, 17))
                                .bytes();
  Workshop workshop(listener);
  ASSERT_TRUE(workshop.parse(model)) << listener.errors();
  EXPECT_EQ(workshop.network->getInput(0)->getDimensions().nbDims, 0);
}

TEST_F(SilNvinfer, DeclaredOutputsDoNotCount) {
  Workshop workshop(listener);
  ASSERT_TRUE(workshop.parse(declared_wrongly()));
  EXPECT_EQ(sizes(workshop.network->getOutput(0)->getDimensions()), std::vector<std::int64_t>{4});
  EXPECT_EQ(workshop.network->getOutput(0)->getType(), nvinfer1::DataType::kFLOAT);
}

TEST_F(SilNvinfer, ShapesOfComparisonsAreKnown) {
  Workshop workshop(listener);
  ASSERT_TRUE(workshop.parse(OnnxWriter()
                                 .input("a", kFloat, {2, 1})
                                 .input("b", kFloat, {3})
                                 .output("y", test::kBoolean, {2, 3})
                                 .node("LessOrEqual", {"a", "b"}, {"l"})
                                 .node("GreaterOrEqual", {"a", "b"}, {"g"})
                                 .node("And", {"l", "g"}, {"y"})
                                 .model()));
  EXPECT_EQ(sizes(workshop.network->getOutput(0)->getDimensions()), (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(workshop.network->getNbLayers(), 3);
}

TEST_F(SilNvinfer, AnInputThatIsAlsoAnOutputIsRenamed) {
  Workshop workshop(listener);
  ASSERT_TRUE(workshop.parse(OnnxWriter()
                                 .input("x", kFloat, {4})
                                 .output("x", kFloat, {4})
                                 .output("y", kFloat, {4})
                                 .node("Relu", {"x"}, {"y"})
                                 .model()));
  EXPECT_STREQ(workshop.network->getInput(0)->getName(), "__x");
  EXPECT_STREQ(workshop.network->getOutput(0)->getName(), "x");
  EXPECT_NE(workshop.build(), "") << listener.errors();
}

TEST_F(SilNvinfer, AnInputWithWeightsIsAConstant) {
  Workshop workshop(listener);
  ASSERT_TRUE(workshop.parse(OnnxWriter()
                                 .input("x", kFloat, {4})
                                 .input("w", kFloat, {4})
                                 .output("y", kFloat, {4})
                                 .weights("w", kFloat, {4}, std::string(16, '\0'))
                                 .node("Add", {"x", "w"}, {"y"})
                                 .model()));
  EXPECT_EQ(workshop.network->getNbInputs(), 1);
}

TEST_F(SilNvinfer, AnInputThatDecidesShapesIsAShapeTensor) {
  Workshop workshop(listener);
  ASSERT_TRUE(workshop.parse(reshape_model())) << listener.errors();
  EXPECT_FALSE(workshop.network->getInput(0)->isShapeTensor());
  EXPECT_TRUE(workshop.network->getInput(1)->isShapeTensor());
  EXPECT_EQ(sizes(workshop.network->getOutput(0)->getDimensions()), (std::vector<std::int64_t>{-1, -1}));
}

TEST_F(SilNvinfer, DuplicateNodeNamesAreWarnedOf) {
  Workshop workshop(listener);
  ASSERT_TRUE(workshop.parse(
      one_node("Relu", "n").output("z", kFloat, {1, 4}).node("Abs", {"x"}, {"z"}, {}, "n").model()));
  EXPECT_NE(listener.warnings().find("duplicate"), std::string::npos);
  EXPECT_NE(workshop.build(), "") << listener.errors();
}

TEST_F(SilNvinfer, FlagsOfTheParserAreNotChecked) {
  Workshop workshop(listener);
  EXPECT_EQ(workshop.parser->getFlags(), 1U);
  workshop.parser->setFlag(static_cast<nvonnxparser::OnnxParserFlag>(40));
  EXPECT_EQ(workshop.parser->getFlags(), 1U | 1U << 8U);
}

struct Support {
  const char* name;
  std::string model;
  bool is_supported;
  std::vector<std::vector<std::int64_t>> subgraphs;
};

class SilParserSupports : public SilNvinfer, public testing::WithParamInterface<Support> {};

TEST_P(SilParserSupports, InSubgraphsThatAllFailTogether) {
  const Support& row = GetParam();
  Workshop workshop(listener);
  EXPECT_EQ(workshop.parser->supportsModelV2(row.model.data(), row.model.size()), row.is_supported);
  ASSERT_EQ(workshop.parser->getNbSubgraphs(), static_cast<std::int64_t>(row.subgraphs.size()));
  for (std::size_t i = 0; i < row.subgraphs.size(); ++i) {
    std::int64_t length = 0;
    const std::int64_t* const nodes = workshop.parser->getSubgraphNodes(static_cast<std::int64_t>(i), length);
    EXPECT_EQ(std::vector<std::int64_t>(nodes, nodes + length), row.subgraphs[i]);
    EXPECT_EQ(workshop.parser->isSubgraphSupported(static_cast<std::int64_t>(i)), row.is_supported);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Rows, SilParserSupports,
    testing::ValuesIn(std::vector<Support>{
        {"valid", test::mlp_model(), true, {{0, 1, 2}}},
        {"empty", "", true, {}},
        {"garbage", "\x07", false, {}},
        {"second_node_unknown", one_node("Relu").node("Odd", {"y"}, {"z"}).model(), false, {{0}}},
        {"all_nodes_unknown", one_node("Odd").model(), false, {}}}),
    [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace skua::sil_test
