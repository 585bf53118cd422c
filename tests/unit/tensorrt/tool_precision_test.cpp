// Layers that are kept in FP32 where the inspector shows them as a part of a fused one, and where it does
// not.
#include "runtimes/tensorrt/compile_precision.h"
#include "tool_fixture.h"

namespace skua::test {
namespace {

constexpr char kFused[] = R"({"Layers":[
  {"Name":"one + two","LayerType":"SoftMax","Inputs":[],"Outputs":[{"Name":"a","Format/Datatype":"FP16"}]},
  {"Name":"three + four","LayerType":"SoftMax","Inputs":[],"Outputs":[{"Name":"b","Format/Datatype":"FP32"}]},
  {"Name":"__myl_1","LayerType":"kgen","Inputs":[],"Outputs":[{"Name":"c","Format/Datatype":"FP16"}],
   "Metadata":"[ONNX Layer: five]\u001e[ONNX Layer: six]"},
  {"Name":"__myl_2","LayerType":"kgen","Inputs":[],"Outputs":[{"Name":"d","Format/Datatype":"FP32"}],
   "Metadata":"[ONNX Layer: seven]"},
  {"Name":"four","LayerType":"SoftMax","Inputs":[],"Outputs":[{"Name":"e","Format/Datatype":"FP32"}]},
  {"Name":"four + nine","LayerType":"SoftMax","Inputs":[],"Outputs":[{"Name":"f","Format/Datatype":"FP16"}]}],
 "Bindings":["x","y"]})";

tensorrt::KeptLayers kept(const std::string& name) { return tensorrt::kept_layers(kFused, {name}).value(); }

TEST(FusedLayers, PartsOfAHalfOneAreRefused) {
  for (const char* name : {"one", "two", "five", "six", "nine"}) {
    EXPECT_TRUE(is_build_error(tensorrt::check_kept(kept(name)), Reason::kPrecisionNotSupported, name))
        << name;
  }
}

TEST(FusedLayers, PartsOfAWholeOneAreProven) {
  for (const char* name : {"three", "seven"}) EXPECT_THAT(kept(name).proven, testing::ElementsAre(name));
}

TEST(FusedLayers, ItsOwnNameCountsFirst) { EXPECT_THAT(kept("four").proven, testing::ElementsAre("four")); }

TEST(FusedLayers, PartsOfNamesAreNoNames) {
  for (const char* name : {"on", "tw", "eight", "ONNX Layer", "[ONNX Layer: five]"})
    EXPECT_THAT(kept(name).hidden, testing::ElementsAre(name));
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

TEST(FusedLayers, AToolThatShowsNoneOfThemIsRefused) {
  ToolCase asked(BuildRoute::kPolygraphy, named_model("kept", "other"), Precision::kFp16);
  asked.request.build.keep_fp32 = {"kept"};
  asked.deliver(plan_by_hand(named_model("renamed", "other"), [](auto&, nvinfer1::IBuilderConfig& config) {
    config.setFlag(nvinfer1::BuilderFlag::kFP16);
    config.setProfilingVerbosity(nvinfer1::ProfilingVerbosity::kDETAILED);
  }));
  EXPECT_TRUE(is_build_error(asked.compile(), Reason::kPrecisionNotSupported, "found none of them"));
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
}  // namespace skua::test
