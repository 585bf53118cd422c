// What the compile half makes of sources, parser reports and ends that are out of the ordinary.
#include <csignal>
#include <filesystem>

#include "cache/golden.h"
#include "compile_fixture.h"
#include "inference/compile.h"
#include "runtimes/tensorrt/trt_logger.h"

namespace skua::test::compile_sources_tests {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// --- sources ---

TensorMap floats(const std::string& name, const std::vector<float>& values) {
  return one_tensor<float>(name, DType::kFloat32, Shape{static_cast<std::int64_t>(values.size())}, values);
}

TEST(CompileSources, ExternalWeightsHaveTheirValuesInThePlan) {
  const auto compiled = [](const std::vector<float>& expected) {
    TensorrtCompileCase external(OnnxWriter()
                                     .input("x", kFloat, {4})
                                     .output("y", kFloat, {4})
                                     .external_weights("w", kFloat, {4}, "w.bin", 16, 16)
                                     .node("Add", {"x", "w"}, {"h"})
                                     .node("Relu", {"h"}, {"y"})
                                     .model());
    external.folder.write("model/w.bin", raw<float>({9, 9, 9, 9, 1, 2, 3, -4}));
    external.give_golden(floats("x", {1, 1, 1, 1}), floats("y", expected));
    return external.compile();
  };
  EXPECT_TRUE(is_ok(compiled({2, 3, 4, 0})));
  EXPECT_TRUE(is_build_error(compiled({10, 10, 10, 10}), Reason::kGoldenMismatch));  // the file's first four
}

TEST(CompileSources, DoublesInsideOfAGraphAreRefused) {
  const auto add_of = [](OnnxWriter writer) {
    return writer.node("Cast", {"d"}, {"f"}, {onnx_integer_attribute("to", kFloat)})
        .node("Add", {"x", "f"}, {"y"})
        .model();
  };
  const auto edges = [] { return OnnxWriter().input("x", kFloat, {4}).output("y", kFloat, {4}); };
  const WireMessage one = onnx_tensor("", kDouble, {1}, raw<double>({1}));
  const std::string models[] = {
      add_of(edges().node("Cast", {"x"}, {"d"}, {onnx_integer_attribute("to", kDouble)}, "wide")),
      add_of(edges().node("Constant", {}, {"d"}, {onnx_tensor_attribute("value", one)}, "wide")),
      add_of(edges()
                 .weights("n", kInt64, {1}, raw<std::int64_t>({4}))
                 .node("ConstantOfShape", {"n"}, {"d"}, {onnx_tensor_attribute("value", one)}, "wide"))};
  for (const std::string& model : models) {
    TensorrtCompileCase doubles(model, Precision::kFp16);
    EXPECT_TRUE(
        is_build_error(doubles.compile(), Reason::kPrecisionNotSupported, "results of nodes ('wide')"));
  }
}

// --- what the parser refuses ---

Result<tensorrt::ParsedNetwork> parse_only(const std::string& model) {
  static tensorrt::ErrorRecorder recorder;  // outlives what it is given to
  return tensorrt::parse_network(bytes_of(model), "net", recorder);
}

TEST(ParserReportOf, ManyNodesNamesAllOfThem) {
  OnnxWriter writer;
  writer.input("x", kFloat, {4}).output("y", kFloat, {4});
  for (int i = 0; i < 60; ++i)
    writer.node("Fancy", {"x"}, {"h" + std::to_string(i)}, {}, "n" + std::to_string(i) + ";");
  const auto parsed = parse_only(writer.node("Relu", {"x"}, {"y"}).model());
  ASSERT_TRUE(is_build_error(parsed, Reason::kModelUnsupported, "errors: 60"));
  for (int i = 0; i < 60; ++i)
    EXPECT_THAT(parsed.error().message, HasSubstr("'n" + std::to_string(i) + ";'"));
}

TEST(ParserReportOf, ACycleNamesItsNodes) {
  const auto parsed = parse_only(OnnxWriter()
                                     .input("x", kFloat, {4})
                                     .output("y", kFloat, {4})
                                     .node("Abs", {"x"}, {"p"}, {}, "outside")
                                     .node("Add", {"p", "b"}, {"a"}, {}, "first")
                                     .node("Relu", {"a"}, {"b"}, {}, "second")
                                     .node("Relu", {"b"}, {"y"}, {}, "after")
                                     .model());
  ASSERT_TRUE(is_build_error(parsed, Reason::kModelMalformed, "wait for each other"));
  EXPECT_THAT(parsed.error().message, AllOf(HasSubstr("'first' (Add)"), HasSubstr("'second' (Relu)")));
  EXPECT_THAT(parsed.error().message, AllOf(Not(HasSubstr("outside")), Not(HasSubstr("after"))));
}

TEST(ParserReportOf, AValueThatIsProducedTwiceNamesBoth) {
  EXPECT_TRUE(is_build_error(parse_only(OnnxWriter()
                                            .input("x", kFloat, {4})
                                            .output("y", kFloat, {4})
                                            .node("Abs", {"x"}, {"y"}, {}, "one")
                                            .node("Relu", {"x"}, {"y"}, {}, "two")
                                            .model()),
                             Reason::kModelMalformed,
                             "'y' is produced twice, by 'one' (Abs) and 'two' (Relu)"));
}

TEST(CompileRemedies, AModelThatPassesItsInputOnNamesTheRename) {
  const OnnxModel source = parse_onnx(bytes_of(OnnxWriter()
                                                   .input("x", kFloat, {4})
                                                   .output("x", kFloat, {4})
                                                   .node("Relu", {"x"}, {"h"})
                                                   .model()))
                               .value();
  const std::unique_ptr<nvinfer1::IBuilder> builder(nvinfer1::createInferBuilder(tensorrt::process_logger()));
  const std::unique_ptr<nvinfer1::INetworkDefinition> empty(builder->createNetworkV2(0));
  EXPECT_TRUE(is_build_error(tensorrt::network_contract(*empty, source), Reason::kContractMismatch, "'__x'"));
}

TEST(CompileRemedies, TooLittleWorkspaceSaysWhatToRaise) {
  TensorrtCompileCase mlp(mlp_model());
  mlp.request.build.workspace_mb = 1;
  SilentProgress progress;
  tensorrt::CompileState state(mlp.request, progress, tensorrt::library_facts().value());
  ASSERT_TRUE(is_ok(prepare_build(state)));
  state.options.workspace_bytes = 1024;  // less than can be asked for: the stand-in needs no more than that
  EXPECT_TRUE(is_build_error(tensorrt::build_plan(state), Reason::kModelUnsupported,
                             "raise workspace_mb, which is 1"));
}

// What a record cannot hold is refused before anything is built.
TEST(CompileRemedies, MoreNamesToKeepThanARecordHoldsSayWhatToDo) {
  constexpr std::size_t kMost = 65536;
  for (const std::size_t bytes : {kMost, kMost + 1}) {
    TensorrtCompileCase named(OnnxWriter()
                                  .input("x", kFloat, {4})
                                  .output("y", kFloat, {4})
                                  .node("Sigmoid", {"x"}, {"h"}, {}, std::string(bytes, 'n'))
                                  .node("Relu", {"h"}, {"y"}, {}, "last")
                                  .model(),
                              Precision::kFp16);
    named.request.build.keep_fp32 = {"n*"};
    const auto record = named.compile();
    if (bytes > kMost) {
      EXPECT_TRUE(is_error(record, ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                           "found 1 layers of 65537; keep fewer layers"));
    } else {
      ASSERT_TRUE(is_ok(record));
      EXPECT_TRUE(is_ok(decode_build_record(encode_build_record(*record))));
    }
  }
}

// The stand-in refuses to build a cast that is held to another type.
TEST(CompileCasts, BetweenKeptLayersAreNotRecordedAsKept) {
  TensorrtCompileCase mixed(
      OnnxWriter()
          .input("x", kFloat, {4})
          .output("y", kFloat, {4})
          .node("Sigmoid", {"x"}, {"a"}, {}, "head/first")
          .node("Cast", {"a"}, {"b"}, {onnx_integer_attribute("to", kHalf)}, "head/cast")
          .node("Cast", {"b"}, {"c"}, {onnx_integer_attribute("to", kFloat)}, "back")
          .node("Abs", {"c"}, {"y"}, {}, "tail")
          .model(),
      Precision::kFp16);
  mixed.give_golden(floats("x", {0, 0, 0, 0}), floats("y", {0.5F, 0.5F, 0.5F, 0.5F}));
  mixed.request.build.keep_fp32 = {"head/*"};
  const auto record = mixed.compile();
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->options.at("keep_fp32_layers"), "head/first");
  EXPECT_EQ(record->proof.at("keep_fp32.read_back"), "head/first");
  EXPECT_EQ(record->proof.at("keep_fp32.not_shown"), "none");
}

// --- ends ---

/// Asks for the build's end at a step that is none of TensorRT's.
class StopAt final : public CompileProgress {
 public:
  explicit StopAt(std::string step) : step_(std::move(step)) {}
  void step(std::string_view text) override {
    steps.emplace_back(text);
    if (text == step_) std::raise(SIGTERM);
  }
  std::vector<std::string> steps;

 private:
  std::string step_;
};

TEST(CompileStop, EveryStepIsTheLastOneWhenAnEndIsAskedFor) {
  for (const std::string step : {"reading the model and its weights", "reading the plan's header"}) {
    TensorrtCompileCase mlp(mlp_model());
    std::filesystem::create_directory(mlp.request.staging_dir);
    StopAt progress(step);
    EXPECT_TRUE(is_build_error(tensorrt::compile_tensorrt(mlp.request, progress), Reason::kCancelled));
    EXPECT_EQ(progress.steps.back(), step);
  }
}

TEST(CompileUnproven, MakesNoGoldenVectorsAndAsksForNoCapacity) {
  TensorrtCompileCase non_zero(non_zero_model());
  non_zero.request.unproven = true;
  std::filesystem::create_directory(non_zero.request.staging_dir);
  SilentProgress progress;
  const auto record = tensorrt::compile_tensorrt(non_zero.request, progress);
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->proof.at("outputs.unbounded"), "y");
  EXPECT_TRUE(record->outputs[0].data_dependent);
  EXPECT_EQ(record->outputs[0].max_shape, (Shape{1, 0}));
  EXPECT_FALSE(std::filesystem::exists(non_zero.request.staging_dir / "reference"));
  EXPECT_THAT(progress.steps, Not(testing::Contains("making golden vectors")));
  EXPECT_THAT(non_zero.folder.read("staging/" + record->golden.file), HasSubstr("No golden vectors"));
  EXPECT_TRUE(is_ok(decode_build_record(encode_build_record(*record))));
}

/// Through the build executable, which has orders for the stand-in.
Result<EngineRecord> compile_in_child(const TempFolder& folder, const std::string& orders, bool unproven,
                                      EventSink& events) {
  CompileContext context;
  context.config = tensorrt_config();
  context.config.engine_cache_dir = folder.path() / "cache";
  context.events = &events;
  context.unproven = unproven;
  context.build_executable =
      folder.write("builder.sh", "#!/bin/sh\nSKUA_SIL_FAULTS='" + orders + "' exec " +
                                     default_build_executable().string() + " \"$@\"\n");
  std::filesystem::permissions(context.build_executable, std::filesystem::perms::owner_all);
  BuildConfig build;
  build.precision = Precision::kFp32;
  return compile_model(folder.path() / "model/net.onnx", build, context);
}

TEST(CompileChild, AnErrorBeforeACrashIsAmongTheLastLines) {
  TempFolder folder;
  folder.write("model/net.onnx", mlp_model());
  EXPECT_TRUE(is_build_error(compile_in_child(folder, "crash_builder", false, null_event_sink()),
                             Reason::kBuilderCrashed, "sil is ordered to crash here"));
}

TEST(CompileChild, UnprovenPlanOfOpenOutputsIsPublished) {
  TempFolder folder;
  folder.write("model/net.onnx", non_zero_model());
  const auto record = compile_in_child(folder, "no_driver", true, null_event_sink());
  ASSERT_TRUE(is_ok(record));
  EXPECT_FALSE(record->proven);
}

TEST(CompileChild, AnOrderForNoFunctionEndsIt) {
  TempFolder folder;
  folder.write("model/net.onnx", mlp_model());
  EXPECT_TRUE(
      is_build_error(compile_in_child(folder, "fail:IBuilder::buildEngine:1:1", false, null_event_sink()),
                     Reason::kBuilderCrashed, "there is no function IBuilder::buildEngine"));
}

}  // namespace
}  // namespace skua::test::compile_sources_tests
