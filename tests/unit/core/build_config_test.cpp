#include "skua/build_config.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "check.h"

namespace skua {
namespace {

using test::is_invalid;
using test::is_ok;

// A configuration that uses every field and is valid: the negative control of each refusal below.
BuildConfig valid() {
  BuildConfig config;
  config.precision = Precision::kInt8;
  config.calibration_dataset = "/data/calibration";
  config.optimization_profiles = {{"image", Shape({1, 3}), Shape({2, 3}), Shape({4, 3})},
                                  {"mask", Shape({1}), Shape({1}), Shape({1})}};
  config.model_name = "ultravpr";
  config.keep_fp32 = {"head/*", "norm?"};
  config.max_output_shapes = {{"matches", Shape({512, 2})}};
  config.golden = GoldenSource{"/data/golden", "reference"};
  config.tolerances = {{"scores", Tolerance{}}};
  return config;
}

void expect_refused(const std::function<void(BuildConfig&)>& spoil, const std::string& part) {
  BuildConfig config = valid();
  spoil(config);
  EXPECT_TRUE(is_invalid(config.validate(), part)) << part;
}

OptimizationProfile& profile_of(BuildConfig& config) { return config.optimization_profiles[0]; }

TEST(BuildConfig, AValidOneAndTheDefaultsPass) {
  EXPECT_TRUE(is_ok(valid().validate()));
  EXPECT_TRUE(is_ok(BuildConfig().validate()));
}

TEST(BuildConfig, Int8NeedsACalibrationDataset) {
  expect_refused([](BuildConfig& c) { c.calibration_dataset.reset(); }, "calibration_dataset");
  expect_refused([](BuildConfig& c) { c.calibration_dataset = ""; }, "calibration_dataset");
  expect_refused(
      [](BuildConfig& c) {
        c.precision = Precision::kMixed;
        c.calibration_dataset.reset();
      },
      "precision mixed needs calibration_dataset");
  for (const auto precision : {Precision::kFp16, Precision::kFp32}) {
    BuildConfig config = valid();
    config.precision = precision;
    config.calibration_dataset.reset();
    EXPECT_TRUE(is_ok(config.validate()));
  }
}

TEST(BuildConfig, WhatIsOfInt8AloneIsRefusedElsewhere) {
  const std::vector<std::pair<std::function<void(BuildConfig&)>, std::string>> fields = {
      {[](BuildConfig& c) { c.calibration_algorithm = "minmax"; }, "calibration_algorithm"},
      {[](BuildConfig& c) { c.calibration_cache = "/c"; }, "calibration_cache"},
      {[](BuildConfig& c) { c.allow_cpu_ranges = true; }, "allow_cpu_ranges"}};
  for (const auto& [set, name] : fields) {
    BuildConfig config = valid();
    set(config);
    EXPECT_TRUE(is_ok(config.validate())) << name;
    config.precision = Precision::kMixed;
    EXPECT_TRUE(is_invalid(config.validate(), name));
  }
  expect_refused([](BuildConfig& c) { c.calibration_algorithm = "entropy"; }, "expected entropy2 or minmax");
  expect_refused([](BuildConfig& c) { c.calibration_cache = ""; }, "calibration_cache");
}

TEST(BuildConfig, BoundsOfAccuracyAreTightenedOnly) {
  using Limits = AccuracyLimits;
  const auto refused = [](const std::function<void(Limits&)>& set, const std::string& part) {
    expect_refused([&](BuildConfig& c) { set(c.accuracy); }, part);
  };
  refused([](Limits& l) { l.relative_l2 = 0.11; }, "accuracy.relative_l2 is 0.11");
  refused([](Limits& l) { l.relative_l2 = -0.1; }, "relative_l2");
  refused([](Limits& l) { l.relative_l2 = std::nan(""); }, "relative_l2");
  refused([](Limits& l) { l.mismatched = 0.2; }, "mismatched");
  refused([](Limits& l) { l.agreement = 0.8; }, "agreement");
  refused([](Limits& l) { l.agreement = 1.1; }, "agreement");
  refused([](Limits& l) { l.relative_error = -1.0; }, "relative_error");
  refused([](Limits& l) { l.cosine = 1.5; }, "cosine");
  BuildConfig config = valid();
  config.accuracy = {0.0, 0.0, 1.0, 0.5, 0.999};
  EXPECT_TRUE(is_ok(config.validate()));
  config.precision = Precision::kFp16;
  config.calibration_dataset.reset();
  EXPECT_TRUE(is_invalid(config.validate(), "accuracy is set"));
}

TEST(BuildConfig, OnlyWhatCalibratesTakesACalibrationDataset) {
  for (const auto precision : {Precision::kFp16, Precision::kFp32}) {
    expect_refused([=](BuildConfig& c) { c.precision = precision; }, "int8 and mixed");
  }
  BuildConfig config = valid();
  EXPECT_TRUE(is_ok(config.validate()));
  config.precision = Precision::kMixed;
  EXPECT_TRUE(is_ok(config.validate()));
}

TEST(BuildConfig, WorkspaceIsPositive) {
  for (const int megabytes : {0, -1, std::numeric_limits<int>::min()}) {
    expect_refused([=](BuildConfig& c) { c.workspace_mb = megabytes; },
                   "workspace_mb is " + std::to_string(megabytes));
  }
  BuildConfig config = valid();
  config.workspace_mb = 1;
  EXPECT_TRUE(is_ok(config.validate()));
}

TEST(BuildConfig, ProfilesAreOrderedInEveryAxis) {
  expect_refused([](BuildConfig& c) { profile_of(c).min = Shape({3, 3}); }, "'image'");
  expect_refused([](BuildConfig& c) { profile_of(c).opt = Shape({5, 3}); }, "min <= opt <= max");
  expect_refused([](BuildConfig& c) { profile_of(c).max = Shape({4, 2}); }, "axis 1");
  BuildConfig config = valid();
  profile_of(config).max = profile_of(config).opt = profile_of(config).min;
  EXPECT_TRUE(is_ok(config.validate()));
}

TEST(BuildConfig, ProfilesHaveOneRank) {
  expect_refused([](BuildConfig& c) { profile_of(c).min = Shape({1}); }, "mixes ranks");
  expect_refused([](BuildConfig& c) { profile_of(c).opt = Shape({2, 3, 1}); }, "mixes ranks");
  expect_refused([](BuildConfig& c) { profile_of(c).max = Shape(); }, "mixes ranks");
}

TEST(BuildConfig, ProfileDimensionsAreAtLeastOne) {
  expect_refused([](BuildConfig& c) { profile_of(c).min = Shape({0, 3}); }, "has 0 in axis 0");
  expect_refused([](BuildConfig& c) { profile_of(c).min = Shape({1, -1}); }, "has -1 in axis 1");
}

TEST(BuildConfig, ProfilesThatCannotBeAddressedAreRefused) {
  const std::int64_t large = std::int64_t{1} << 60U;
  expect_refused([=](BuildConfig& c) { profile_of(c).max = Shape({large, 3}); }, "more elements");
}

TEST(BuildConfig, ProfilesNameEachInputOnce) {
  expect_refused([](BuildConfig& c) { profile_of(c).input_name = ""; }, "empty input name");
  expect_refused([](BuildConfig& c) { c.optimization_profiles[1].input_name = "image"; }, "'image'");
}

TEST(BuildConfig, ModelNameIsLegal) {
  expect_refused([](BuildConfig& c) { c.model_name = "Ultra"; }, "'Ultra'");
  expect_refused([](BuildConfig& c) { c.model_name = ""; }, "model_name");
}

TEST(BuildConfig, KeepFp32PatternsAreDistinctAndNotEmpty) {
  expect_refused([](BuildConfig& c) { c.keep_fp32.emplace_back(); }, "empty pattern");
  expect_refused([](BuildConfig& c) { c.keep_fp32.emplace_back("norm?"); }, "'norm?' twice");
}

TEST(BuildConfig, OutputCapacitiesAreStatic) {
  expect_refused(
      [](BuildConfig& c) {
        c.max_output_shapes["matches"] = Shape({-1, 2});
      },
      "'matches' is -1x2");
  expect_refused([](BuildConfig& c) { c.max_output_shapes["matches"] = Shape({0, 2}); }, "at least 1");
  expect_refused([](BuildConfig& c) { c.max_output_shapes[""] = Shape({1}); }, "empty output name");
  BuildConfig config = valid();
  config.max_output_shapes["matches"] = Shape();
  EXPECT_TRUE(is_ok(config.validate()));
}

TEST(BuildConfig, TolerancesAreFiniteAndNotNegative) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const double bad : {-1e-9, kNan, kInfinity}) {
    expect_refused([=](BuildConfig& c) { c.tolerances["scores"].absolute = bad; }, "absolute");
    expect_refused([=](BuildConfig& c) { c.tolerances["scores"].relative = bad; }, "relative");
  }
  for (const double bad : {-0.1, 1.1, kNan}) {
    expect_refused([=](BuildConfig& c) { c.tolerances["scores"].max_mismatch_fraction = bad; }, "'scores'");
  }
  expect_refused([](BuildConfig& c) { c.tolerances[""] = Tolerance{}; }, "empty output name");
  BuildConfig config = valid();
  config.tolerances["scores"] = Tolerance{0.0, 0.0, true, 1.0};
  EXPECT_TRUE(is_ok(config.validate()));
}

TEST(BuildConfig, GoldenNeedsFileAndOrigin) {
  expect_refused([](BuildConfig& c) { c.golden->file = ""; }, "golden.file");
  expect_refused([](BuildConfig& c) { c.golden->origin = ""; }, "golden.origin");
}

TEST(BuildConfig, NumbersThatAreNoEnumeratorAreRefused) {
  expect_refused([](BuildConfig& c) { c.precision = static_cast<Precision>(9); },
                 "precision holds the number 9");
  expect_refused([](BuildConfig& c) { c.build_route = static_cast<BuildRoute>(9); },
                 "build_route holds the number 9");
}

TEST(BuildRoute, NamesReadBack) {
  for (const auto route : {BuildRoute::kBuilder, BuildRoute::kTrtexec, BuildRoute::kPolygraphy}) {
    EXPECT_EQ(build_route_from_string(to_string(route)).value(), route);
  }
  EXPECT_TRUE(is_invalid(build_route_from_string("make"), "'make'"));
}

TEST(ModelName, LegalAndIllegal) {
  const std::string longest(64, 'a');
  for (const std::string& name : {std::string("a"), std::string("ultra_vpr_2"), std::string("0"), longest}) {
    EXPECT_TRUE(is_legal_model_name(name)) << name;
  }
  for (const std::string& name :
       {std::string(), std::string("A"), std::string("a__b"), std::string("a-b"), std::string("a.b"),
        std::string("a/b"), longest + "a", std::string("\xc3\xa4")}) {
    EXPECT_FALSE(is_legal_model_name(name)) << name;
  }
}

TEST(ModelName, DefaultsToTheFilesStem) {
  BuildConfig config;
  EXPECT_EQ(effective_model_name(config, "/models/demo_vpr.onnx").value(), "demo_vpr");
  EXPECT_TRUE(is_invalid(effective_model_name(config, "/models/Demo.onnx"), "'Demo'"));
  config.model_name = "other";
  EXPECT_EQ(effective_model_name(config, "/models/Demo.onnx").value(), "other");
  config.model_name = "x__y";
  EXPECT_TRUE(is_invalid(effective_model_name(config, "/models/demo_vpr.onnx"), "'x__y'"));
}

}  // namespace
}  // namespace skua
