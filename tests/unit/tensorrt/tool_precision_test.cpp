// Layers that are kept in FP32 where the inspector shows them as a part of a fused one, and where it does
// not.
#include "runtimes/tensorrt/compile_precision.h"
#include "tool_fixture.h"

namespace skua::test::tool_precision_tests {
namespace {

constexpr char kFused[] = R"({"Layers":[
  {"Name":"one + two","LayerType":"SoftMax","Inputs":[],"Outputs":[{"Name":"a","Format/Datatype":"FP16"}]},
  {"Name":"three + four","LayerType":"SoftMax","Inputs":[],"Outputs":[{"Name":"b","Format/Datatype":"FP32"}]},
  {"Name":"__myl_1","LayerType":"kgen","Inputs":[],"Outputs":[{"Name":"c","Format/Datatype":"FP16"}],
   "Metadata":"[ONNX Layer: five]\u001e[ONNX Layer: six]"},
  {"Name":"__myl_2","LayerType":"kgen","Inputs":[],"Outputs":[{"Name":"d","Format/Datatype":"FP32"}],
   "Metadata":"[ONNX Layer: seven]"},
  {"Name":"four","LayerType":"SoftMax","Inputs":[],"Outputs":[{"Name":"e","Format/Datatype":"FP32"}]},
  {"Name":"four + nine","LayerType":"SoftMax","Inputs":[],"Outputs":[{"Name":"f","Format/Datatype":"FP16"}]},
  {"Name":"ten","LayerType":"SoftMax","Inputs":[],"Outputs":[{"Name":"g","Format/Datatype":"FP16"}]},
  {"Name":"ten + eleven","LayerType":"SoftMax","Inputs":[],"Outputs":[{"Name":"h","Format/Datatype":"FP32"}]}],
 "Bindings":["x","y"]})";

tensorrt::KeptLayers kept(const std::string& name) { return tensorrt::kept_layers(kFused, {name}).value(); }

// Its kernel may compute in float between casts: its edges prove nothing either way.
TEST(FusedLayers, PartsOfAHalfOneAreNotShown) {
  for (const char* name : {"one", "two", "five", "six", "nine"}) {
    EXPECT_THAT(kept(name).hidden, testing::ElementsAre(name));
    EXPECT_TRUE(kept(name).is_any_named) << name;
    EXPECT_TRUE(is_ok(tensorrt::check_kept(kept(name)))) << name;
  }
}

TEST(FusedLayers, PartsOfAWholeOneAreProven) {
  for (const char* name : {"three", "seven"}) EXPECT_THAT(kept(name).proven, testing::ElementsAre(name));
}

TEST(FusedLayers, ItsOwnNameCountsFirst) {
  EXPECT_THAT(kept("four").proven, testing::ElementsAre("four"));
  EXPECT_THAT(kept("ten").half, testing::ElementsAre("ten"));
}

TEST(FusedLayers, PartsOfNamesAreNoNames) {
  for (const char* name : {"on", "tw", "eight", "ONNX Layer", "[ONNX Layer: five]"}) {
    EXPECT_THAT(kept(name).hidden, testing::ElementsAre(name));
    EXPECT_FALSE(kept(name).is_any_named) << name;
  }
}

/// Two layers and their names.
std::string named_model(const std::string& first, const std::string& second) {
  return OnnxWriter()
      .input("x", kFloat, {4})
      .output("y", kFloat, {4})
      .node("Sigmoid", {"x"}, {"h"}, {}, first)
      .node("Relu", {"h"}, {"y"}, {}, second)
      .model();
}

/// A tool was to keep the layer "kept"; its engine has one of this name instead, in half precision.
Result<EngineRecord> with_layer(const std::string& name) {
  ToolCase asked(BuildRoute::kPolygraphy, named_model("kept", "other"), Precision::kFp16);
  asked.request.build.keep_fp32 = {"kept"};
  asked.deliver(plan_by_hand(named_model(name, "other"), [](auto&, nvinfer1::IBuilderConfig& config) {
    config.setFlag(nvinfer1::BuilderFlag::kFP16);
    config.setProfilingVerbosity(nvinfer1::ProfilingVerbosity::kDETAILED);
  }));
  return asked.compile();
}

TEST(FusedLayers, AToolThatNamesNoneOfThemIsRefused) {
  EXPECT_TRUE(is_build_error(with_layer("renamed"), Reason::kPrecisionNotSupported, "found none of them"));
  EXPECT_TRUE(is_build_error(with_layer("kept"), Reason::kPrecisionNotSupported, "found half precision"));
}

TEST(FusedLayers, AToolThatHasFusedThemIsTaken) {
  const auto record = with_layer("kept + more");
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->proof.at("keep_fp32.not_shown"), "kept");
  EXPECT_EQ(record->proof.at("keep_fp32.read_back"), "none");
}

TEST(ToolPrecision, ACastOfAKeptLayersNameEndsTheBuildBeforeTheToolStarts) {
  for (const BuildRoute route : {BuildRoute::kTrtexec, BuildRoute::kPolygraphy}) {
    ToolCase tool(route,
                  OnnxWriter()
                      .input("x", kFloat, {4})
                      .output("y", kHalf, {4})
                      .node("Sigmoid", {"x"}, {"h"}, {}, "same")
                      .node("Cast", {"h"}, {"y"}, {onnx_integer_attribute("to", kHalf)}, "same")
                      .model(),
                  Precision::kFp16);
    tool.request.build.keep_fp32 = {"same"};
    tool.request.config.trtexec = tool.request.config.polygraphy = tool.script("touch started");
    EXPECT_TRUE(is_build_error(tool.compile(), Reason::kPrecisionNotSupported, "found one named 'same'"));
    EXPECT_FALSE(std::filesystem::exists(tool.request.staging_dir / "started"));
  }
}

TEST(ToolPrecision, TheProofOfAReferenceSaysWhatIsNotReadBack) {
  ToolCase tool(BuildRoute::kTrtexec, mlp_model()), builder(BuildRoute::kBuilder, mlp_model());
  const auto by_tool = tool.compile(), by_builder = builder.compile();
  ASSERT_TRUE(is_ok(by_tool));
  ASSERT_TRUE(is_ok(by_builder));
  EXPECT_THAT(by_tool->proof.at("precision"), testing::HasSubstr("not read back"));
  EXPECT_EQ(by_builder->proof.at("precision"), "the types of the source graph");
}

}  // namespace
}  // namespace skua::test::tool_precision_tests
