// The two tools instead of the builder, and what a plan is held to that somebody else has built.
#include <filesystem>
#include <functional>

#include "../sil_nvinfer/models.h"
#include "compile_fixture.h"

namespace skua::test {
namespace {

class RouteCase : public TensorrtCompileCase {
 public:
  explicit RouteCase(BuildRoute route, const std::string& model = dynamic_relu_model())
      : TensorrtCompileCase(model) {
    request.build.build_route = route;
    request.build.optimization_profiles = {{"x", Shape{1, 4}, Shape{2, 4}, Shape{5, 4}}};
    request.config.trtexec = SKUA_SIL_TRTEXEC;
  }
  std::filesystem::path script(const std::string& text) {
    const std::string says = request.build.build_route == BuildRoute::kPolygraphy
                                 ? "echo \"[V] Loaded Module: tensorrt | Version: 10.3.0 | Path: ['/']\"\n"
                                 : "";
    const std::filesystem::path path = folder.write("tool.sh", "#!/bin/sh\n" + says + text + "\n");
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path;
  }
  /// A script that stands for Polygraphy: whatever it is asked for, it writes `plan`.
  void deliver(const std::string& plan) {
    const std::string file = folder.write("plan", plan).string();
    request.config.polygraphy = script(
        "echo '[V] Loaded Module: tensorrt | Version: 10.3.0 | Path: /nonexistent'\n"
        "while [ \"$1\" != --output ]; do shift; done; cp " +
        file + " \"$2\"; echo '[I] Finished engine building in 0.1 seconds'");
  }
};

/// Whether a killed process, by a line with its number, is gone before a bounded number of looks.
bool is_gone(const std::string& line) {
  const std::string exe = "/proc/" + line.substr(0, line.size() - 1) + "/exe";
  for (int look = 0; look < 1000000 && std::filesystem::exists(exe); ++look) {
  }
  return !std::filesystem::exists(exe);
}

TEST(TrtexecRoute, GivesTheSameRecordAsTheBuilder) {
  RouteCase tool(BuildRoute::kTrtexec);
  const auto record = tool.compile();
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->options.at("build_route"), "trtexec");
  EXPECT_EQ(record->outputs[0].max_shape, (Shape{5, 3}));
  RouteCase builder(BuildRoute::kBuilder);
  const EngineRecord own = builder.compile().value();
  EXPECT_EQ(record->inputs, own.inputs);
  EXPECT_EQ(record->outputs, own.outputs);
  EXPECT_EQ(record->profiles, own.profiles);
  EXPECT_EQ(record->device_memory_bytes, own.device_memory_bytes);
}

TEST(TrtexecRoute, ToolThatIsNotThere) {
  RouteCase tool(BuildRoute::kTrtexec);
  tool.request.config.trtexec = "/nonexistent/trtexec";
  EXPECT_TRUE(is_build_error(tool.compile(), Reason::kBuilderMissing, "/nonexistent/trtexec"));
}

TEST(TrtexecRoute, SuccessWithoutAPlanIsNone) {
  RouteCase tool(BuildRoute::kTrtexec);
  tool.request.config.trtexec =
      tool.script("echo '&&&& PASSED TensorRT.trtexec [TensorRT v100300] # trtexec'");
  EXPECT_TRUE(is_build_error(tool.compile(), Reason::kBuilderCrashed, "wrote no plan"));
}

// Its plan has the temporary name still: whoever looks for the engine finds none.
TEST(TrtexecRoute, PlanOfAToolThatFailedIsNotTaken) {
  RouteCase builder(BuildRoute::kBuilder), tool(BuildRoute::kTrtexec);
  ASSERT_TRUE(is_ok(builder.compile()));
  const auto plan = tool.folder.write("plan", builder.artifact());
  tool.request.config.trtexec =
      tool.script("for word in \"$@\"; do case $word in --saveEngine=*) cp " + plan.string() +
                  " \"${word#*=}\";; esac; done\n" +
                  "echo '&&&& PASSED TensorRT.trtexec [TensorRT v100300] # trtexec'; exit 1");
  EXPECT_TRUE(is_build_error(tool.compile(), Reason::kModelUnsupported, "status 1"));
  EXPECT_FALSE(std::filesystem::exists(tool.request.staging_dir / tool.request.artifact_name));
  EXPECT_TRUE(std::filesystem::exists(tool.request.staging_dir / "plan.partial"));
}

TEST(TrtexecRoute, PlanOfAnotherKindIsRefusedByItsHeader) {
  RouteCase tool(BuildRoute::kTrtexec);
  tool.request.config.trtexec = tool.script(
      "for word in \"$@\"; do case $word in --saveEngine=*) head -c 64 /dev/zero > \"${word#*=}\";; esac; "
      "done\n"
      "echo '&&&& PASSED TensorRT.trtexec [TensorRT v100300] # trtexec'");
  EXPECT_TRUE(is_build_error(tool.compile(), Reason::kPlanHeaderMismatch, "ftrt"));
}

TEST(TrtexecRoute, HangingToolIsEndedWithItsChildren) {
  RouteCase tool(BuildRoute::kTrtexec);
  tool.request.config.trtexec_timeout_s = 1;
  tool.request.config.trtexec = tool.script("sleep 600 & echo $! > child; wait");
  EXPECT_TRUE(is_build_error(tool.compile(), Reason::kBuilderTimeout, "trtexec_timeout_s"));
  EXPECT_TRUE(is_gone(tool.folder.read("staging/child")));
}

TEST(TrtexecRoute, CancelledToolIsEndedWithItsChildren) {
  RouteCase tool(BuildRoute::kTrtexec);
  tool.request.config.trtexec = tool.script("sleep 600 & echo $! > child; kill -TERM $PPID; wait");
  EXPECT_TRUE(is_build_error(tool.compile(), Reason::kCancelled, "cancelled"));
  EXPECT_TRUE(is_gone(tool.folder.read("staging/child")));
}

// TensorRT-RTX's plans show on a build server that a build goes through, and nowhere else.
TEST(TrtexecRoute, PlanOfTensorrtRtxIsForUnprovenBuildsAlone) {
  const std::string writes =
      "for word in \"$@\"; do case $word in --saveEngine=*) (printf vtrt; head -c 60 /dev/zero) > "
      "\"${word#*=}\";; esac; done\n"
      "echo '&&&& PASSED TensorRT.trtexec [TensorRT v100300] # trtexec'";
  RouteCase proven(BuildRoute::kTrtexec);
  proven.request.config.trtexec = proven.script(writes);
  EXPECT_TRUE(is_build_error(proven.compile(), Reason::kPlanHeaderMismatch, "'ftrt'"));
  RouteCase unproven(BuildRoute::kTrtexec);
  unproven.request.config.trtexec = unproven.script(writes);
  unproven.request.unproven = true;
  const auto record = unproven.compile();
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->proof.at("plan.tag"), "vtrt");
  EXPECT_FALSE(record->proven);
}

TEST(PolygraphyRoute, NeedsItsTool) {
  RouteCase tool(BuildRoute::kPolygraphy);
  EXPECT_TRUE(is_build_error(tool.compile(), Reason::kBuilderMissing, "polygraphy"));
}

// A script that stands for the tool writes the plan that trtexec's stand-in has built: the way from the
// tool's end to a record is the same.
TEST(PolygraphyRoute, PlanIsTakenOver) {
  RouteCase builder(BuildRoute::kBuilder);
  ASSERT_TRUE(is_ok(builder.compile()));
  RouteCase tool(BuildRoute::kPolygraphy);
  tool.deliver(builder.artifact());
  const auto record = tool.compile();
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->options.at("build_route"), "polygraphy");
}

/// Compiles `asked`, but the tool delivers the plan of `other`.
Result<EngineRecord> with_plan_of(RouteCase& other, RouteCase& asked) {
  EXPECT_TRUE(is_ok(other.compile()));
  asked.deliver(other.artifact());
  return asked.compile();
}

TEST(PlanReadBack, OfAnotherProfileIsRefused) {
  RouteCase other(BuildRoute::kBuilder), asked(BuildRoute::kPolygraphy);
  other.request.build.optimization_profiles[0].max = Shape{6, 4};
  EXPECT_TRUE(is_build_error(with_plan_of(other, asked), Reason::kContractMismatch,
                             "input 'x' profile: expected 1x4 to 2x4 to 5x4, found 1x4 to 2x4 to 6x4"));
}

TEST(PlanReadBack, OfAnotherNetworkIsRefused) {
  const std::string renamed = OnnxWriter()
                                  .input("z", kFloat, {"rows", 4})
                                  .output("y", kFloat, {"rows", 4})
                                  .node("Relu", {"z"}, {"y"})
                                  .model();
  RouteCase other(BuildRoute::kBuilder, renamed), asked(BuildRoute::kPolygraphy);
  other.request.build.optimization_profiles[0].input_name = "z";
  EXPECT_TRUE(
      is_build_error(with_plan_of(other, asked), Reason::kContractMismatch, "inputs: expected x, found z"));
}

TEST(PlanReadBack, OfOtherInputsOrOutputsIsRefused) {
  const auto refused = [](const OnnxWriter& model, const char* part) {
    RouteCase other(BuildRoute::kBuilder, model.model());
    RouteCase asked(BuildRoute::kPolygraphy, OnnxWriter()
                                                 .input("x", kFloat, {"n", 4})
                                                 .output("y", kFloat, {"n", 4})
                                                 .node("Relu", {"x"}, {"y"})
                                                 .model());
    return is_build_error(with_plan_of(other, asked), Reason::kContractMismatch, part);
  };
  const OnnxDims rows = {"n", 4};
  EXPECT_TRUE(refused(OnnxWriter()
                          .input("x", 6, rows)  // INT32
                          .output("y", kFloat, rows)
                          .node("Cast", {"x"}, {"y"}, {onnx_integer_attribute("to", kFloat)}),
                      "input 'x': expected float32 -1x4, found int32 -1x4"));
  EXPECT_TRUE(refused(OnnxWriter()
                          .input("x", kFloat, rows)
                          .output("y", kHalf, rows)
                          .node("Cast", {"x"}, {"y"}, {onnx_integer_attribute("to", kHalf)}),
                      "output 'y': expected float32, found float16"));
  EXPECT_TRUE(
      refused(OnnxWriter().input("x", kFloat, rows).output("z", kFloat, rows).node("Relu", {"x"}, {"z"}),
              "outputs: expected y, found z"));
  EXPECT_TRUE(
      refused(OnnxWriter()
                  .input("x", kFloat, rows)
                  .output("y", kFloat, {"n"})
                  .node("ReduceMax", {"x"}, {"y"},
                        {sil_test::integers_attribute("axes", {1}), onnx_integer_attribute("keepdims", 0)}),
              "output 'y' rank: expected 2, found 1"));
}

TEST(PlanReadBack, OfAnotherVerbosityIsRefused) {
  RouteCase other(BuildRoute::kBuilder), asked(BuildRoute::kPolygraphy);
  other.request.build.precision = Precision::kFp16;
  EXPECT_TRUE(is_build_error(with_plan_of(other, asked), Reason::kContractMismatch, "profiling verbosity"));
}

// A tool that has not done what its command line says: the layer that was to be kept is half.
TEST(PlanReadBack, OfALayerThatWasNotKeptIsRefused) {
  RouteCase other(BuildRoute::kBuilder), asked(BuildRoute::kPolygraphy);
  other.request.build.precision = asked.request.build.precision = Precision::kFp16;
  asked.request.build.keep_fp32 = {"product"};
  EXPECT_TRUE(is_build_error(with_plan_of(other, asked), Reason::kPrecisionNotSupported, "keep_fp32"));
}

/// A plan of `model` by a builder that was told what ours never is.
std::string plan_by_hand(const std::function<void(nvinfer1::IBuilder&, nvinfer1::IBuilderConfig&)>& tell) {
  const auto parsed = parse(dynamic_relu_model());
  nvinfer1::IBuilder& builder = *parsed->network.builder;
  const std::unique_ptr<nvinfer1::IBuilderConfig> config(builder.createBuilderConfig());
  auto* const profile = builder.createOptimizationProfile();
  using nvinfer1::OptProfileSelector;
  for (const auto& [select, rows] :
       {std::pair(OptProfileSelector::kMIN, 1), std::pair(OptProfileSelector::kOPT, 2),
        std::pair(OptProfileSelector::kMAX, 5)})
    EXPECT_TRUE(profile->setDimensions("x", select, nvinfer1::Dims{2, {rows, 4}}));
  EXPECT_EQ(config->addOptimizationProfile(profile), 0);
  tell(builder, *config);
  const std::unique_ptr<nvinfer1::IHostMemory> plan(
      builder.buildSerializedNetwork(*parsed->network.network, *config));
  return {static_cast<const char*>(plan->data()), plan->size()};
}

TEST(PlanReadBack, OfFlagsThatNobodyAskedForIsRefused) {
  using nvinfer1::IBuilder;
  using nvinfer1::IBuilderConfig;
  const auto refused = [](const std::function<void(IBuilder&, IBuilderConfig&)>& tell, const char* part) {
    RouteCase asked(BuildRoute::kPolygraphy);
    asked.deliver(plan_by_hand(tell));
    const auto record = asked.compile();
    if (*part == '\0') return is_ok(record);
    return is_build_error(record, Reason::kContractMismatch, part);
  };
  EXPECT_TRUE(refused([](IBuilder&, IBuilderConfig&) {}, ""));
  EXPECT_TRUE(
      refused([](IBuilder&, IBuilderConfig& config) { config.setFlag(nvinfer1::BuilderFlag::kREFIT); },
              "refittable"));
  EXPECT_TRUE(refused(
      [](IBuilder&, IBuilderConfig& config) {
        config.setHardwareCompatibilityLevel(nvinfer1::HardwareCompatibilityLevel::kAMPERE_PLUS);
      },
      "several"));
  EXPECT_TRUE(refused(
      [](IBuilder& builder, IBuilderConfig& config) {
        auto* const second = builder.createOptimizationProfile();
        using nvinfer1::OptProfileSelector;
        for (const auto select :
             {OptProfileSelector::kMIN, OptProfileSelector::kOPT, OptProfileSelector::kMAX})
          second->setDimensions("x", select, nvinfer1::Dims{2, {3, 4}});
        config.addOptimizationProfile(second);
      },
      "profile"));
}

// The same names, types and shapes, other weights: only the golden vectors can tell.
TEST(PlanReadBack, OfOtherWeightsFailsOnTheGoldenVectors) {
  const std::string other_weights = OnnxWriter()
                                        .input("x", kFloat, {"rows", 4})
                                        .output("y", kFloat, {"rows", 3})
                                        .weights("w", kFloat, {4, 3}, raw(std::vector<float>(12, 1.0F)))
                                        .node("MatMul", {"x", "w"}, {"h"}, {}, "product")
                                        .node("Relu", {"h"}, {"y"}, {}, "relu")
                                        .model();
  RouteCase other(BuildRoute::kBuilder, other_weights), asked(BuildRoute::kPolygraphy);
  EXPECT_TRUE(is_build_error(with_plan_of(other, asked), Reason::kGoldenMismatch, "y"));
}

}  // namespace
}  // namespace skua::test
