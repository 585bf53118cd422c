// int8 and mixed from a model to a record: where the ranges come from, and what is read back of the plan.
#include <csignal>

#include "calibration_fixture.h"
#include "runtimes/tensorrt/compile_builder.h"
#include "runtimes/tensorrt/compile_precision.h"
#include "runtimes/tensorrt/compile_ranges.h"
#include "tool_fixture.h"

namespace skua::test::int8_tests {
namespace {

using calibration::Algorithm;
using testing::HasSubstr;

/// A compilation of dynamic_relu_model with what it is calibrated with.
class Int8Case : public ToolCase {
 public:
  explicit Int8Case(Precision precision = Precision::kInt8, BuildRoute route = BuildRoute::kBuilder,
                    const std::string& model = dynamic_relu_model())
      : ToolCase(route, model, precision) {
    request.build.optimization_profiles = rows_profile();
  }
  Result<EngineRecord> compile_with(std::unique_ptr<ListedSamples> samples,
                                    std::optional<std::string> cache = std::nullopt) {
    job.samples = std::move(samples);
    job.cache = std::move(cache);
    std::filesystem::remove_all(request.staging_dir);
    std::filesystem::create_directory(request.staging_dir);
    SilentProgress progress;
    return tensorrt::compile_calibrated(request, progress, job);
  }
  tensorrt::CalibrationJob job;
};

/// All that comes before the build, by hand.
Status prepare_int8(tensorrt::CompileState& state) {
  for (const auto step :
       {tensorrt::read_source, tensorrt::check_precision, tensorrt::parse_source, tensorrt::settle_options})
    SKUA_RETURN_IF_ERROR(step(state));
  return {};
}

TEST(TensorrtInt8, IsCalibratedOnTheSamplesAndReadBack) {
  for (const auto& [algorithm, name] : {std::pair(Algorithm::kEntropy2, "EntropyCalibration2"),
                                        std::pair(Algorithm::kMinMax, "MinMaxCalibration")}) {
    Int8Case rows;
    rows.job.algorithm = algorithm;
    const auto record = rows.compile_with(both_samples());
    ASSERT_TRUE(is_ok(record));
    EXPECT_EQ(record->options.at("builder_flags"), "fp16, int8");
    EXPECT_EQ(record->options.at("int8_ranges"), "samples");
    EXPECT_EQ(record->proof.at("calibration_samples"), "2");
    EXPECT_EQ(record->proof.at("layers.int8"), "1");
    EXPECT_EQ(record->proof.at("layers.fp16"), "1");
    EXPECT_EQ(record->proof.at("layers.float"), "2");
    EXPECT_EQ(rows.job.used, rows_cache(name));
  }
}

TEST(TensorrtInt8, IsBuiltFromACacheWithoutASample) {
  Int8Case rows, calibrated;
  const auto record = rows.compile_with(nullptr, rows_cache());
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->options.at("int8_ranges"), "calibration cache");
  EXPECT_EQ(record->proof.count("calibration_samples"), 0U);
  EXPECT_EQ(rows.job.used, rows_cache());
  ASSERT_TRUE(is_ok(calibrated.compile_with(both_samples())));
  EXPECT_EQ(rows.artifact(), calibrated.artifact());
}

TEST(TensorrtInt8, WithoutRangesIsRefusedBeforeTheBuild) {
  Int8Case rows;
  EXPECT_TRUE(is_build_error(rows.compile_with(nullptr), Reason::kPrecisionNotSupported,
                             "skua quantize --precision int8"));
  EXPECT_EQ(sil::calls("IBuilder::buildSerializedNetwork"), 0);
}

TEST(TensorrtInt8, ACalibrationThatIsNotWholePublishesNothing) {
  Int8Case rows;
  auto samples = both_samples();
  samples->fails_at = 1;
  EXPECT_TRUE(is_build_error(rows.compile_with(std::move(samples)), Reason::kDataSetChanged));
  EXPECT_FALSE(std::filesystem::exists(rows.request.staging_dir / rows.request.artifact_name));
  sil::end_calibration_after(1);
  EXPECT_TRUE(is_build_error(rows.compile_with(both_samples()), Reason::kCalibrationIncomplete));
  EXPECT_FALSE(std::filesystem::exists(rows.request.staging_dir / rows.request.artifact_name));
  sil::reset();
  EXPECT_TRUE(is_ok(rows.compile_with(both_samples())));
}

TEST(TensorrtInt8, ACacheWithoutATensorIsRefusedBeforeTheBuild) {
  for (const BuildRoute route : {BuildRoute::kBuilder, BuildRoute::kTrtexec, BuildRoute::kPolygraphy}) {
    Int8Case rows(Precision::kInt8, route);
    rows.request.config.trtexec = rows.request.config.polygraphy = rows.script("touch started");
    EXPECT_TRUE(is_error(rows.compile_with(nullptr, cache_header() + scale_line("x", 2) + scale_line("h", 2)),
                         ErrorCode::kCalibrationCache, Reason::kCalibrationIncomplete, "'y'"));
    EXPECT_EQ(sil::calls("IBuilder::buildSerializedNetwork"), 0);
    EXPECT_FALSE(std::filesystem::exists(rows.request.staging_dir / "started"));
  }
}

TEST(TensorrtInt8, WithoutALayerInInt8IsNone) {
  Int8Case kept;
  kept.request.build.keep_fp32 = {"product"};
  EXPECT_TRUE(is_build_error(kept.compile_with(both_samples()), Reason::kPrecisionNotSupported,
                             "in int8, found none"));
}

TEST(TensorrtInt8, AKeptLayerThatIsInt8AllTheSameIsRefused) {
  Int8Case rows;
  rows.request.build.keep_fp32 = {"relu"};
  const auto record = rows.compile_with(both_samples());
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->proof.at("keep_fp32.read_back"), "relu");
  rows.request.build.keep_fp32 = {"*"};
  sil::ignore_constraints_of(0);
  EXPECT_TRUE(is_build_error(rows.compile_with(both_samples()), Reason::kPrecisionNotSupported,
                             "half precision or int8 in them: product"));
}

TEST(TensorrtInt8, RangesOfTheGraphNeedNoCalibrator) {
  Int8Case graph(Precision::kInt8, BuildRoute::kBuilder, quantised_product_model());
  graph.request.build.optimization_profiles.clear();
  graph.give_golden(one_tensor<float>("x", DType::kFloat32, Shape{1, 4}, {0, 0, 0, 0}),
                    one_tensor<float>("y", DType::kFloat32, Shape{1, 3}, {0, 0, 0}));
  const auto record = graph.compile_with(both_samples());
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->options.at("int8_ranges"), "graph");
  EXPECT_EQ(record->proof.at("layers.int8"), "1");  // neither what quantises nor what widens again
  EXPECT_EQ(sil::calls("IBuilderConfig::setInt8Calibrator"), 0);
  EXPECT_FALSE(graph.job.used.has_value());
}

TEST(TensorrtInt8, WhatQuantisesIsNeverKept) {
  const auto parsed = parse(quantised_product_model());
  EXPECT_THAT(tensorrt::layers_to_keep(*parsed->network.network, {"*"}).value(),
              testing::ElementsAre("product", "relu"));
}

// Golden values of the test's own: no other process is started for them.
TEST(TensorrtInt8, NoCallThatFailsIsPassedOver) {
  Int8Case rows;
  rows.give_golden(rows_sample(first_rows()),
                   one_tensor<float>("y", DType::kFloat32, Shape{2, 3}, {1, 2, 3, 0, 0, 0}));
  ASSERT_TRUE(is_ok(rows.compile_with(both_samples())));
  const std::string plan = rows.artifact();
  const std::vector<std::string> functions = sil::functions();
  const sil::LiveObjects before = sil::live_objects();
  EXPECT_THAT(functions,
              testing::IsSupersetOf({"IBuilderConfig::setInt8Calibrator", "IInt8Calibrator::getBatch",
                                     "IBuilderConfig::setCalibrationProfile", "cudaMemcpy"}));
  for (const std::string& function : functions) {
    // What a network says of itself is no answer that may fail.
    if (!function.starts_with("IBuilder") && !function.starts_with("IInt8") &&
        !function.starts_with("IOptimizationProfile") && !function.starts_with("cuda"))
      continue;
    sil::reset();
    sil::fail_call(function, 1, 1);
    const auto record = rows.compile_with(both_samples());
    if (record.ok()) {
      EXPECT_EQ(rows.artifact(), plan) << function;
    }
    EXPECT_EQ(sil::live_objects(), before) << function;
  }
}

/// Asks for the build's end at a step.
class StopWhile final : public CompileProgress {
 public:
  void step(std::string_view text) override {
    if (text == "calibrating: sample 1 of 3") std::raise(SIGTERM);
  }
};

TEST(TensorrtInt8, AnEndIsAskedForBetweenSamples) {
  Int8Case rows;
  rows.job.samples = std::make_unique<ListedSamples>(std::vector<Rows>(3, first_rows()));
  const auto& samples = static_cast<const ListedSamples&>(*rows.job.samples);
  std::filesystem::create_directory(rows.request.staging_dir);
  StopWhile progress;
  tensorrt::CompileState state(rows.request, progress, tensorrt::library_facts().value(),
                               std::move(rows.job));
  ASSERT_TRUE(is_ok(prepare_int8(state)));
  EXPECT_TRUE(is_build_error(tensorrt::build_plan(state), Reason::kCancelled));
  EXPECT_EQ(samples.given, 1U);
}

TEST(TensorrtInt8, AnUnprovenBuildNeedsACacheOrADevice) {
  Int8Case rows;
  rows.request.unproven = true;
  sil::remove_driver();
  EXPECT_TRUE(is_ok(rows.compile_with(nullptr, rows_cache())));
  EXPECT_FALSE(rows.compile_with(both_samples()).ok());
}

// --- mixed ---

TEST(TensorrtMixed, HoldsLayersByNameAndByOperator) {
  for (const char* pattern : {"prod*", "MatMul", "Mat*"}) {
    Int8Case rows(Precision::kMixed);
    rows.request.build.keep_fp32 = {pattern};
    const auto record = rows.compile_with(nullptr);
    ASSERT_TRUE(is_ok(record)) << pattern;
    EXPECT_EQ(record->options.at("builder_flags"), "fp16, obey_precision_constraints");
    EXPECT_EQ(record->options.at("keep_fp32_layers"), "product");
    EXPECT_EQ(record->proof.at("keep_fp32.read_back"), "product");
    EXPECT_EQ(record->proof.at("layers.fp16"), "1");
  }
}

TEST(TensorrtMixed, NodesWithoutANameHaveAnOperatorToo) {
  Int8Case rows(Precision::kMixed, BuildRoute::kBuilder, mlp_model());
  rows.request.build.optimization_profiles.clear();
  rows.request.build.keep_fp32 = {"MatMul"};
  const auto record = rows.compile_with(nullptr);
  ASSERT_TRUE(is_ok(record));
  EXPECT_THAT(record->options.at("keep_fp32_layers"), HasSubstr("MatMul"));
}

TEST(TensorrtMixed, IsNotBuiltWithoutSamplesThatJudge) {
  for (const Precision precision : {Precision::kMixed, Precision::kInt8}) {
    Int8Case rows(precision);
    rows.request.build.keep_fp32 = {"product"};
    EXPECT_TRUE(is_build_error(rows.compile(), Reason::kInvalidArgument, "expected calibration_dataset"));
  }
}

TEST(TensorrtMixed, ALayerThatWasNotHeldIsRefused) {
  Int8Case rows(Precision::kMixed);
  rows.request.build.keep_fp32 = {"product"};
  sil::ignore_constraints_of(1);
  EXPECT_TRUE(is_ok(rows.compile_with(nullptr)));
  sil::ignore_constraints_of(0);
  EXPECT_TRUE(is_build_error(rows.compile_with(nullptr), Reason::kPrecisionNotSupported, "in them: product"));
}

TEST(TensorrtMixed, NeedsBothPrecisions) {
  Int8Case rows(Precision::kMixed);
  EXPECT_TRUE(is_error(rows.compile_with(nullptr), ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                       "keep_fp32"));
  rows.request.build.keep_fp32 = {"Softmax"};
  EXPECT_TRUE(is_error(rows.compile_with(nullptr), ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                       "'Softmax'"));
  rows.request.build.keep_fp32 = {"*"};
  EXPECT_TRUE(is_build_error(rows.compile_with(nullptr), Reason::kPrecisionNotSupported,
                             "precision mixed: expected at least"));
}

// --- tools ---

TEST(ToolInt8, ACacheIsGivenToTrtexec) {
  Int8Case rows(Precision::kInt8, BuildRoute::kTrtexec);
  const auto record = rows.compile_with(nullptr, rows_cache());
  ASSERT_TRUE(is_ok(record));
  EXPECT_EQ(record->proof.at("layers.int8"), "1");
  EXPECT_EQ(rows.job.used, rows_cache());
}

TEST(ToolInt8, SamplesAloneAreNothingToATool) {
  for (const BuildRoute route : {BuildRoute::kTrtexec, BuildRoute::kPolygraphy}) {
    Int8Case rows(Precision::kInt8, route);
    rows.request.config.trtexec = rows.request.config.polygraphy = rows.script("touch started");
    EXPECT_TRUE(is_build_error(rows.compile_with(both_samples()), Reason::kPrecisionNotSupported, "noise"));
    EXPECT_FALSE(std::filesystem::exists(rows.request.staging_dir / "started"));
  }
}

TEST(ToolInt8, TrtexecTakesOneAlgorithmAlone) {
  Int8Case rows(Precision::kInt8, BuildRoute::kTrtexec);
  rows.job.algorithm = Algorithm::kMinMax;
  EXPECT_TRUE(is_build_error(rows.compile_with(nullptr, rows_cache("MinMaxCalibration")),
                             Reason::kPrecisionNotSupported, "EntropyCalibration2 alone"));
}

/// Polygraphy's plan of an int8 build; before that the script does `more` with the cache, which is "$cache".
Result<EngineRecord> by_polygraphy(const std::string& more) {
  Int8Case rows(Precision::kInt8, BuildRoute::kPolygraphy), own;
  EXPECT_TRUE(is_ok(own.compile_with(nullptr, rows_cache())));
  const auto path = rows.folder.write("plan", own.artifact());
  rows.request.config.polygraphy = rows.script(
      "for word; do\n[ \"$last\" = --calibration-cache ] && cache=$word\n[ \"$last\" = --output ] && "
      "out=$word\n"
      "last=$word\ndone\n" +
      more + "\ncp " + path.string() + " \"$out\"");
  return rows.compile_with(nullptr, rows_cache());
}

TEST(ToolInt8, ACacheThatPolygraphyWritesAnewEndsTheBuild) {
  EXPECT_TRUE(is_ok(by_polygraphy("test -s \"$cache\" || exit 1")));
  EXPECT_TRUE(is_build_error(by_polygraphy("echo more >> \"$cache\""), Reason::kCalibrationIncomplete,
                             "another text in the cache"));
}

TEST(ToolInt8, AToolThatCalibratesByItselfEndsTheBuild) {
  EXPECT_TRUE(is_build_error(by_polygraphy("echo '[I] Starting Calibration.'"),
                             Reason::kCalibrationIncomplete, "random data"));
}

// --- from 11 on ---

TEST(TypedGraph, AFloatGraphIsRefusedWithTheRemedy) {
  const auto check = [](const std::string& model, Precision precision, int major) {
    BuildConfig build;
    build.precision = precision;
    return tensorrt::check_typed_graph(parse_onnx(bytes_of(model)).value(), build, major);
  };
  for (const Precision precision : {Precision::kInt8, Precision::kMixed, Precision::kFp16}) {
    const std::string remedy = "skua quantize --precision " + std::string(to_string(precision));
    EXPECT_TRUE(is_build_error(check(mlp_model(), precision, 11), Reason::kPrecisionNotSupported, remedy));
    EXPECT_TRUE(is_ok(check(mlp_model(), precision, 10)));
  }
  EXPECT_TRUE(is_ok(check(quantised_product_model(), Precision::kInt8, 11)));
  EXPECT_TRUE(is_ok(check(half_mlp_model(), Precision::kMixed, 11)));
  EXPECT_TRUE(is_ok(check(mlp_model(), Precision::kFp32, 11)));
}

// --- the inspector's words ---

constexpr char kInt8Layers[] = R"({"Layers":[
  {"Name":"in","LayerType":"Reformat","Inputs":[{"Name":"x","Format/Datatype":"Row major linear FP32"}],
   "Outputs":[{"Name":"a","Format/Datatype":"Row major Int8 format"}]},
  {"Name":"conv + relu","LayerType":"CaskConvolution","Inputs":[{"Name":"a","Format/Datatype":"Row major Int8 format"}],
   "Outputs":[{"Name":"b","Format/Datatype":"Row major Int8 format"}],"Weights":{"Type":"Int8","Count":9}},
  {"Name":"narrows","LayerType":"PointWise","Inputs":[{"Name":"b2","Format/Datatype":"Row major linear FP16"}],
   "Outputs":[{"Name":"c","Format/Datatype":"Row major Int8 format"}]},
  {"Name":"bytes","LayerType":"Gather","Inputs":[{"Name":"u","Format/Datatype":"Row major linear UInt8"}],
   "Outputs":[{"Name":"v","Format/Datatype":"Row major linear UInt8"}]},
  {"Name":"widen","LayerType":"Dequantize","Inputs":[{"Name":"c","Format/Datatype":"Row major Int8 format"}],
   "Outputs":[{"Name":"y","Format/Datatype":"Row major linear FP32"}]}],"Bindings":["x","y"]})";

TEST(Int8Layers, AreThoseThatReadInt8AndCompute) {
  const auto found = tensorrt::layer_precisions(kInt8Layers);
  ASSERT_TRUE(is_ok(found));
  EXPECT_EQ(found->layers, 2U);
  EXPECT_EQ(found->int8, 1U);
  EXPECT_EQ(found->half, 1U);
  EXPECT_TRUE(is_ok(tensorrt::check_int8(*found)));
  EXPECT_TRUE(is_build_error(tensorrt::check_int8({2, 2, 0}), Reason::kPrecisionNotSupported, "none of 2"));
}

TEST(Int8Layers, OfAFusedOneNothingIsProven) {
  const auto kept = tensorrt::kept_layers(kInt8Layers, {"conv", "narrows"}).value();
  EXPECT_THAT(kept.hidden, testing::ElementsAre("conv"));
  EXPECT_THAT(kept.half, testing::ElementsAre("narrows"));
}

}  // namespace
}  // namespace skua::test::int8_tests
