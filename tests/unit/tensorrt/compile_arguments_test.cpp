// Command lines of the two tools. What the real Polygraphy makes of its one, and what it logs, is tested in
// tests/python/test_polygraphy_arguments.py, from the same files that are compared here.
#include <fstream>
#include <sstream>

#include "compile_fixture.h"
#include "runtimes/tensorrt/compile_ranges.h"
#include "runtimes/tensorrt/compile_timing.h"
#include "runtimes/tensorrt/compile_tools.h"

namespace skua::test {
namespace {

using tensorrt::BuildOptions;
using tensorrt::RangeSource;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

BuildOptions all_options(BuildRoute route) {
  BuildOptions options;
  options.route = route;
  options.precision = Precision::kFp16;
  options.sdk_major = 10;
  options.network_name = "net";
  options.workspace_bytes = 1024ULL << 20U;
  options.tactic_dram_bytes = 2048ULL << 20U;
  options.keep_fp32 = {"/head/Softmax", "norm"};
  options.kept_outputs = {{"/head/Softmax", "fp32"}, {"norm", "fp32"}};
  options.profiles = {{"x", Shape{1, 3, 8, 8}, Shape{2, 3, 8, 8}, Shape{4, 3, 8, 8}},
                      {"y", Shape{1, 4}, Shape{1, 4}, Shape{9, 4}}};
  return options;
}

const tensorrt::ToolFiles kFiles{"/staging/source.onnx", "/staging/plan.partial", "/staging/timing.partial",
                                 "/staging"};

std::vector<std::string> lines_of(const std::string& name) {
  std::ifstream file(std::string(SKUA_SOURCE_DIR) + "/tests/fixtures/tensorrt/" + name);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

TEST(TrtexecArguments, SayEveryOption) {
  const auto words = tensorrt::trtexec_arguments(all_options(BuildRoute::kTrtexec), kFiles);
  ASSERT_TRUE(is_ok(words));
  EXPECT_EQ(*words, lines_of("trtexec_arguments.txt"));
}

TEST(TrtexecArguments, PrecisionOptionsAreGoneFrom11On) {
  BuildOptions options = all_options(BuildRoute::kTrtexec);
  options.sdk_major = 11;
  const auto words = tensorrt::trtexec_arguments(options, kFiles).value();
  EXPECT_THAT(words, Not(Contains(HasSubstr("fp16"))));
  EXPECT_THAT(words, Not(Contains(HasSubstr("recision"))));
  EXPECT_THAT(words, Not(Contains(HasSubstr("layerOutputTypes"))));
}

TEST(TrtexecArguments, ReferenceIsBuiltWithoutHalfAndWithoutProfiles) {
  BuildOptions options = all_options(BuildRoute::kTrtexec);
  options.precision = Precision::kFp32;
  options.profiles.clear();
  const auto words = tensorrt::trtexec_arguments(options, kFiles).value();
  EXPECT_THAT(words, Not(Contains(HasSubstr("--fp16"))));
  EXPECT_THAT(words, Not(Contains(HasSubstr("Shapes"))));
  EXPECT_THAT(words, Contains("--noTF32"));
}

TEST(PolygraphyArguments, SayEveryOption) {
  const auto words = tensorrt::polygraphy_arguments(all_options(BuildRoute::kPolygraphy), kFiles, true);
  ASSERT_TRUE(is_ok(words));
  EXPECT_EQ(*words, lines_of("polygraphy_arguments.txt"));
}

TEST(PolygraphyArguments, StronglyTypedFrom11OnAndNoCacheWhereThereIsNone) {
  BuildOptions options = all_options(BuildRoute::kPolygraphy);
  options.sdk_major = 11;
  const auto words = tensorrt::polygraphy_arguments(options, kFiles, false).value();
  EXPECT_EQ(words, lines_of("polygraphy_arguments_11.txt"));
}

TEST(ToolArguments, NamesThatATheToolWouldTakeApartAreRefused) {
  for (const std::string name : {"x:0", "a,b", "x y", "*", "'x'", "-x", ""}) {
    BuildOptions options = all_options(BuildRoute::kTrtexec);
    options.profiles[0].input_name = name;
    EXPECT_TRUE(
        is_build_error(tensorrt::trtexec_arguments(options, kFiles), Reason::kModelUnsupported, "trtexec"))
        << name;
    options = all_options(BuildRoute::kPolygraphy);
    options.keep_fp32[0] = name;
    EXPECT_TRUE(is_build_error(tensorrt::polygraphy_arguments(options, kFiles, true),
                               Reason::kModelUnsupported, "polygraphy"))
        << name;
  }
}

OnnxModel quantised_model() {
  return parse_onnx(bytes_of(OnnxWriter()
                                 .input("x", kFloat, {4})
                                 .output("y", kUint8, {4})
                                 .weights("s", kFloat, {}, raw<float>({0.1F}))
                                 .node("QuantizeLinear", {"x", "s"}, {"y"})
                                 .model()))
      .value();
}

BuildConfig build_of(Precision precision, BuildRoute route) {
  BuildConfig build;
  build.precision = precision;
  build.build_route = route;
  return build;
}

tensorrt::CalibrationJob job_of(std::optional<std::string> cache) {
  tensorrt::CalibrationJob job;
  job.cache = std::move(cache);
  return job;
}

TEST(Int8Ranges, AToolIsNeverLeftToMakeThemUp) {
  const OnnxModel plain = parse_onnx(bytes_of(add_relu_model())).value();
  for (const BuildRoute route : {BuildRoute::kTrtexec, BuildRoute::kPolygraphy}) {
    const BuildConfig build = build_of(Precision::kInt8, route);
    EXPECT_TRUE(
        is_build_error(tensorrt::range_source(plain, build, {}), Reason::kPrecisionNotSupported, "noise"));
    EXPECT_EQ(tensorrt::range_source(plain, build, job_of("judged")).value(), RangeSource::kCache);
    EXPECT_EQ(tensorrt::range_source(quantised_model(), build, {}).value(), RangeSource::kGraph);
    for (const Precision precision : {Precision::kFp16, Precision::kMixed})
      EXPECT_EQ(tensorrt::range_source(plain, build_of(precision, route), {}).value(), RangeSource::kNone);
  }
}

TEST(Int8Ranges, AQuantisedModelIsNothingElse) {
  for (const Precision precision : {Precision::kFp16, Precision::kFp32, Precision::kMixed}) {
    EXPECT_TRUE(is_build_error(
        tensorrt::range_source(quantised_model(), build_of(precision, BuildRoute::kBuilder), {}),
        Reason::kPrecisionNotSupported, "quantised"));
  }
}

TEST(Int8Arguments, SayTheCacheAndNeverInventOne) {
  BuildOptions options = all_options(BuildRoute::kTrtexec);
  options.precision = Precision::kInt8;
  tensorrt::ToolFiles files = kFiles;
  files.calibration_cache = "/staging/calibration.cache";
  options.ranges = RangeSource::kGraph;
  auto words = tensorrt::trtexec_arguments(options, files).value();
  EXPECT_THAT(words, testing::IsSupersetOf({"--fp16", "--int8"}));
  EXPECT_THAT(words, Not(Contains(HasSubstr("calib"))));
  options.ranges = RangeSource::kCache;
  words = tensorrt::trtexec_arguments(options, files).value();
  EXPECT_THAT(words, testing::IsSupersetOf({"--fp16", "--int8", "--calib=/staging/calibration.cache"}));
  options.route = BuildRoute::kPolygraphy;
  options.ranges = RangeSource::kGraph;
  words = tensorrt::polygraphy_arguments(options, files, true).value();
  EXPECT_THAT(words, testing::IsSupersetOf({"--fp16", "--int8"}));
  EXPECT_THAT(words, Not(Contains(HasSubstr("calib"))));
}

TEST(PolygraphyArguments, SayEveryOptionOfInt8) {
  BuildOptions options = all_options(BuildRoute::kPolygraphy);
  options.precision = Precision::kInt8;
  options.ranges = RangeSource::kCache;
  tensorrt::ToolFiles files = kFiles;
  files.calibration_cache = "/staging/calibration.cache";
  const auto words = tensorrt::polygraphy_arguments(options, files, true);
  ASSERT_TRUE(is_ok(words));
  EXPECT_EQ(*words, lines_of("polygraphy_arguments_int8.txt"));
  files.calibration_algorithm = calibration::Algorithm::kMinMax;
  EXPECT_THAT(tensorrt::polygraphy_arguments(options, files, true).value(),
              Contains("IInt8MinMaxCalibrator"));
}

constexpr std::string_view kGoodLog =
    "&&&& RUNNING TensorRT.trtexec [TensorRT v100300] # trtexec --onnx=x\n...\n"
    "&&&& PASSED TensorRT.trtexec [TensorRT v100300] # trtexec --onnx=x\n";

compile::ToolEnd ended(int status, const std::string& last_line, int signal = 0) {
  return {status, signal, last_line};
}

TEST(TrtexecVerdict, StatusLastLineAndReleaseAllCount) {
  const std::string passed = "&&&& PASSED TensorRT.trtexec [TensorRT v100300] # trtexec --onnx=x";
  EXPECT_TRUE(is_ok(tensorrt::judge_trtexec(ended(0, passed), kGoodLog, 100300)));
  EXPECT_TRUE(is_build_error(tensorrt::judge_trtexec(ended(1, passed), kGoodLog, 100300),
                             Reason::kModelUnsupported, "status 1"));
  EXPECT_TRUE(
      is_build_error(tensorrt::judge_trtexec(ended(0, "&&&& FAILED TensorRT.trtexec"), kGoodLog, 100300),
                     Reason::kModelUnsupported, "not PASSED"));
  EXPECT_TRUE(
      is_build_error(tensorrt::judge_trtexec(ended(0, ""), kGoodLog, 100300), Reason::kModelUnsupported));
  EXPECT_TRUE(is_build_error(tensorrt::judge_trtexec(ended(-1, passed, 11), kGoodLog, 100300),
                             Reason::kBuilderCrashed, "signal 11"));
  EXPECT_TRUE(is_build_error(tensorrt::judge_trtexec(ended(0, passed), kGoodLog, 101600), Reason::kSdkForeign,
                             "found 10.3.0"));
  EXPECT_TRUE(
      is_build_error(tensorrt::judge_trtexec(ended(0, passed), "nothing", 100300), Reason::kSdkForeign));
}

TEST(PolygraphyVerdict, StatusLastLineAndReleaseAllCount) {
  const auto judged = [](int status, const std::string& last_line, const std::string& version) {
    return tensorrt::judge_polygraphy(
        ended(status, last_line),
        "[V] Loaded Module: tensorrt | Version: " + version + " | Path: ['/x']\nlog", 100300);
  };
  const std::string finished = "[I] Finished engine building in 1 s";
  EXPECT_TRUE(is_ok(judged(0, finished, "10.3.0")));
  EXPECT_TRUE(is_ok(judged(0, finished, "10.3.0.post1")));
  EXPECT_TRUE(is_build_error(judged(1, "", "10.3.0"), Reason::kModelUnsupported, "log"));
  EXPECT_TRUE(is_build_error(judged(0, "[!] Invalid Engine", "10.3.0"), Reason::kModelUnsupported));
  for (const std::string version : {"10.3.1", "10.3.01", "10.16.0", "8.6.1"})
    EXPECT_TRUE(is_build_error(judged(0, finished, version), Reason::kSdkForeign, version));
  EXPECT_TRUE(is_build_error(tensorrt::judge_polygraphy(ended(0, finished), "", 100300), Reason::kSdkForeign,
                             "no version"));
}

// Both lines are the real one's own.
TEST(PolygraphyLog, TellsTheReleaseAndThatTheTimingCacheWasNotTaken) {
  std::string log;
  for (const std::string& line : lines_of("polygraphy_log.txt")) log += line + "\n";
  EXPECT_TRUE(is_ok(tensorrt::judge_polygraphy(ended(0, "[I] Finished"), log, 100300)));
  EXPECT_TRUE(is_build_error(tensorrt::judge_polygraphy(ended(0, "[I] Finished"), log, 100400),
                             Reason::kSdkForeign, "found 10.3.0"));
  TensorrtCompileCase mlp(mlp_model());
  SilentProgress progress;
  tensorrt::CompileState state(mlp.request, progress, tensorrt::library_facts().value());
  tensorrt::judge_timing_cache(state, log);
  EXPECT_EQ(state.record.proof.at("timing_cache"), "refused by TensorRT");
}

}  // namespace
}  // namespace skua::test
