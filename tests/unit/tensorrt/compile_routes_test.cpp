// The two tools instead of the builder, and what a plan is held to that somebody else has built.
#include <filesystem>

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
    const std::filesystem::path path = folder.write("tool.sh", "#!/bin/sh\n" + text + "\n");
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path;
  }
};

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
  const std::string child = tool.folder.read("staging/child");
  const std::string exe = "/proc/" + child.substr(0, child.size() - 1) + "/exe";
  for (int look = 0; look < 1000000 && std::filesystem::exists(exe); ++look) {
  }
  EXPECT_FALSE(std::filesystem::exists(exe));
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
  const auto plan = builder.folder.write("plan", builder.artifact());
  RouteCase tool(BuildRoute::kPolygraphy);
  tool.request.config.polygraphy =
      tool.script("while [ \"$1\" != --output ]; do shift; done; cp " + plan.string() +
                  " \"$2\"; echo '[I] Finished engine building in 0.1 seconds'");
  const auto record = tool.compile();
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->options.at("build_route"), "polygraphy");
}

/// Compiles `asked`, but the tool delivers the plan of `other`.
Result<EngineRecord> with_plan_of(RouteCase& other, RouteCase& asked) {
  EXPECT_TRUE(is_ok(other.compile()));
  const auto plan = other.folder.write("plan", other.artifact());
  asked.request.config.polygraphy =
      asked.script("while [ \"$1\" != --output ]; do shift; done; cp " + plan.string() + " \"$2\"");
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

TEST(PlanReadBack, OfAnotherVerbosityIsRefused) {
  RouteCase other(BuildRoute::kBuilder), asked(BuildRoute::kPolygraphy);
  other.request.build.precision = Precision::kFp16;
  EXPECT_TRUE(is_build_error(with_plan_of(other, asked), Reason::kContractMismatch, "profiling verbosity"));
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
