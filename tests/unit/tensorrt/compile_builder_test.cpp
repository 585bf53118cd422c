// What the builder is given is read back: levels that clamp, flags that stay clear, profiles that are not
// taken.
#include "runtimes/tensorrt/compile_builder.h"
#include "compile_fixture.h"

namespace skua::test {
namespace {

using tensorrt::BuildOptions;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

BuildOptions options_of(Precision precision) {
  BuildConfig build;
  build.precision = precision;
  build.optimization_profiles = {{"x", Shape{1, 4}, Shape{2, 4}, Shape{5, 4}}};
  return tensorrt::build_options(build, "net", NV_TENSORRT_MAJOR, std::nullopt).value();
}

class BuilderConfig : public testing::Test {
 protected:
  void SetUp() override { sil::reset(); }
  void TearDown() override { sil::reset(); }

  Result<std::unique_ptr<nvinfer1::IBuilderConfig>> make(const BuildOptions& options) {
    return tensorrt::make_config(*parsed_->network.builder, *parsed_->network.network, options,
                                 parsed_->recorder);
  }
  std::unique_ptr<Parsed> parsed_ = parse(dynamic_relu_model());
};

TEST_F(BuilderConfig, HoldsWhatWasAsked) {
  const auto config = make(options_of(Precision::kFp16));
  ASSERT_TRUE(is_ok(config));
  EXPECT_TRUE((*config)->getFlag(nvinfer1::BuilderFlag::kFP16));
  EXPECT_FALSE((*config)->getFlag(nvinfer1::BuilderFlag::kTF32));
  EXPECT_FALSE((*config)->getFlag(nvinfer1::BuilderFlag::kREFIT));
  EXPECT_EQ((*config)->getMemoryPoolLimit(nvinfer1::MemoryPoolType::kWORKSPACE), 1ULL << 30U);
  EXPECT_EQ((*config)->getNbOptimizationProfiles(), 1);
}

TEST_F(BuilderConfig, ReferenceHasNoFlagAtAll) {
  const auto config = make(options_of(Precision::kFp32));
  ASSERT_TRUE(is_ok(config));
  EXPECT_EQ((*config)->getFlags(), 0U);
}

TEST_F(BuilderConfig, LevelThatIsClampedInSilenceIsNoticed) {
  BuildOptions options = options_of(Precision::kFp32);
  options.optimization_level = 6;
  EXPECT_TRUE(
      is_build_error(make(options), Reason::kInternal, "builder_optimization_level expected 6, found 5"));
}

TEST_F(BuilderConfig, EveryOptionIsCompared) {
  const BuildOptions options = options_of(Precision::kFp32);
  const auto config = make(options).value();
  ASSERT_THAT(tensorrt::config_differences(*config, options), IsEmpty());
  const auto differs = [&](const char* part) {
    const auto found = tensorrt::config_differences(*config, options);
    const bool is_right = found.size() == 1 && found[0].find(part) != std::string::npos;
    return is_right ? testing::AssertionSuccess()
                    : testing::AssertionFailure() << testing::PrintToString(found);
  };
  config->setFlag(nvinfer1::BuilderFlag::kREFIT);
  EXPECT_TRUE(differs("builder_flags"));
  config->clearFlag(nvinfer1::BuilderFlag::kREFIT);
  config->setMemoryPoolLimit(nvinfer1::MemoryPoolType::kWORKSPACE, 1);
  EXPECT_TRUE(differs("workspace_bytes"));
  config->setMemoryPoolLimit(nvinfer1::MemoryPoolType::kWORKSPACE, options.workspace_bytes);
  config->setDefaultDeviceType(nvinfer1::DeviceType::kDLA);
  EXPECT_TRUE(differs("default_device_type"));
  config->setDefaultDeviceType(nvinfer1::DeviceType::kGPU);
  config->setHardwareCompatibilityLevel(nvinfer1::HardwareCompatibilityLevel::kAMPERE_PLUS);
  EXPECT_TRUE(differs("hardware_compatibility"));
  config->setHardwareCompatibilityLevel(nvinfer1::HardwareCompatibilityLevel::kNONE);
  config->setMaxAuxStreams(2);
  EXPECT_TRUE(differs("max_aux_streams"));
  config->setMaxAuxStreams(options.max_aux_streams);
  config->setMemoryPoolLimit(nvinfer1::MemoryPoolType::kTACTIC_DRAM, 1);
  EXPECT_TRUE(differs("tactic_dram_bytes"));
  config->setMemoryPoolLimit(nvinfer1::MemoryPoolType::kTACTIC_DRAM, options.tactic_dram_bytes);
  config->setBuilderOptimizationLevel(options.optimization_level - 1);
  EXPECT_TRUE(differs("builder_optimization_level"));
  config->setBuilderOptimizationLevel(options.optimization_level);
  config->setAvgTimingIterations(options.avg_timing_iterations + 1);
  EXPECT_TRUE(differs("avg_timing_iterations"));
  config->setAvgTimingIterations(options.avg_timing_iterations);
  config->setEngineCapability(nvinfer1::EngineCapability::kSAFETY);
  EXPECT_TRUE(differs("engine_capability"));
  config->setEngineCapability(nvinfer1::EngineCapability::kSTANDARD);
  config->setProfilingVerbosity(nvinfer1::ProfilingVerbosity::kDETAILED);
  EXPECT_TRUE(differs("profiling_verbosity"));
  config->setProfilingVerbosity(nvinfer1::ProfilingVerbosity::kLAYER_NAMES_ONLY);
  const char* const plugin = "/nonexistent/plugin.so";
  config->setPluginsToSerialize(&plugin, 1);
  EXPECT_TRUE(differs("plugins to serialize"));
  config->setPluginsToSerialize(nullptr, 0);
  EXPECT_THAT(tensorrt::config_differences(*config, options), IsEmpty());
  EXPECT_GE(config->addOptimizationProfile(parsed_->network.builder->createOptimizationProfile()), 0);
  EXPECT_TRUE(differs("optimization profiles"));
}

// Each flag that the builder may have been given, whoever has set it.
TEST_F(BuilderConfig, NoFlagPassesThatWasNotAskedFor) {
  const BuildOptions options = options_of(Precision::kFp16);
  const auto config = make(options).value();
  ASSERT_THAT(tensorrt::config_differences(*config, options), IsEmpty());
  const nvinfer1::BuilderFlags asked = config->getFlags();
  for (unsigned flag = 0; flag < 24; ++flag) {
    config->setFlags(asked ^ (1U << flag));
    EXPECT_THAT(tensorrt::config_differences(*config, options), ElementsAre(HasSubstr("builder_flags")))
        << flag;
  }
}

// setFlags that leaves a bit clear says nothing, as with the holes in the enumeration of later releases.
TEST_F(BuilderConfig, CallsThatHaveNoEffectAreNoticed) {
  const std::pair<const char*, const char*> rows[] = {
      {"IBuilderConfig::setFlags", "builder_flags"},
      {"IBuilderConfig::setMemoryPoolLimit", "workspace_bytes"},
      {"IBuilderConfig::setMaxAuxStreams", "max_aux_streams"},
      {"IBuilderConfig::setProfilingVerbosity", "profiling_verbosity"}};
  for (const auto& [function, part] : rows) {
    sil::reset();
    sil::fail_call(function, 1, 3);
    EXPECT_TRUE(is_build_error(make(options_of(Precision::kFp16)), Reason::kInternal, part)) << function;
  }
}

TEST_F(BuilderConfig, ProfileThatTensorrtTakesAndThenRefusesIsAnError) {
  BuildOptions options = options_of(Precision::kFp32);
  options.profiles[0].min = Shape{9, 4};  // above opt: setDimensions is true all the same
  EXPECT_TRUE(is_build_error(make(options), Reason::kProfileMismatch, "optimisation profiles"));
}

TEST_F(BuilderConfig, ProfileThatTensorrtDoesNotHoldIsAnError) {
  for (const char* function :
       {"IOptimizationProfile::setDimensions", "IOptimizationProfile::getDimensions"}) {
    sil::reset();
    sil::fail_call(function, 2, 4);
    EXPECT_TRUE(is_build_error(make(options_of(Precision::kFp32)), Reason::kProfileMismatch, "'x'"))
        << function;
  }
}

TEST_F(BuilderConfig, LayersToKeepAreFoundByPattern) {
  const auto& network = *parsed_->network.network;
  EXPECT_THAT(tensorrt::layers_to_keep(network, {"re*"}).value(), ElementsAre("relu"));
  EXPECT_THAT(tensorrt::layers_to_keep(network, {"*"}).value(), ElementsAre("product", "relu"));
  EXPECT_THAT(tensorrt::layers_to_keep(network, {}).value(), IsEmpty());
  EXPECT_TRUE(is_error(tensorrt::layers_to_keep(network, {"relu", "softmax"}), ErrorCode::kInvalidArgument,
                       Reason::kInvalidArgument, "'softmax' matches no layer"));
}

TEST(BuilderConfigNames, LayersOfOneNameAreAllKept) {
  const auto parsed = parse(OnnxWriter()
                                .input("x", kFloat, {4})
                                .output("y", kFloat, {4})
                                .node("Relu", {"x"}, {"h"}, {}, "n")
                                .node("Sigmoid", {"h"}, {"y"}, {}, "n")
                                .model());
  BuildConfig build;
  build.precision = Precision::kFp16;
  BuildOptions options = tensorrt::build_options(build, "net", NV_TENSORRT_MAJOR, std::nullopt).value();
  options.keep_fp32 = tensorrt::layers_to_keep(*parsed->network.network, {"n"}).value();
  EXPECT_THAT(options.keep_fp32, ElementsAre("n"));
  ASSERT_TRUE(is_ok(
      tensorrt::make_config(*parsed->network.builder, *parsed->network.network, options, parsed->recorder)));
  for (const int layer : {0, 1})
    EXPECT_TRUE(parsed->network.network->getLayer(layer)->precisionIsSet()) << layer;
}

/// Of halves between two casts; what comes after them has a name of the test's own.
std::unique_ptr<Parsed> parse_casts(const std::string& last) {
  return parse(OnnxWriter()
                   .input("x", kFloat, {4})
                   .output("y", kFloat, {4})
                   .node("Cast", {"x"}, {"h"}, {onnx_integer_attribute("to", kHalf)}, "to_half")
                   .node("Sigmoid", {"h"}, {"g"}, {}, "half")
                   .node("Cast", {"g"}, {"f"}, {onnx_integer_attribute("to", kFloat)}, "to_float")
                   .node("Relu", {"f"}, {"y"}, {}, last)
                   .model());
}

// It would be another layer: TensorRT's answer to that is not known.
TEST(BuilderConfigCasts, AreNeverKept) {
  const auto parsed = parse_casts("last");
  EXPECT_THAT(tensorrt::layers_to_keep(*parsed->network.network, {"*"}).value(), ElementsAre("half", "last"));
  EXPECT_TRUE(is_error(tensorrt::layers_to_keep(*parsed->network.network, {"to_*"}),
                       ErrorCode::kInvalidArgument, Reason::kInvalidArgument, "matches no layer"));
}

TEST(BuilderConfigCasts, AreLeftAloneUnderTheNameOfAKeptLayer) {
  const auto parsed = parse_casts("to_half");
  nvinfer1::INetworkDefinition& network = *parsed->network.network;
  BuildConfig build;
  BuildOptions options = tensorrt::build_options(build, "net", NV_TENSORRT_MAJOR, std::nullopt).value();
  options.keep_fp32 = tensorrt::layers_to_keep(network, {"to_half"}).value();
  ASSERT_TRUE(is_ok(tensorrt::make_config(*parsed->network.builder, network, options, parsed->recorder)));
  EXPECT_FALSE(network.getLayer(0)->precisionIsSet());
  EXPECT_FALSE(network.getLayer(0)->outputTypeIsSet(0));
  EXPECT_TRUE(network.getLayer(3)->precisionIsSet());
}

// A tool has nothing but the name.
TEST(BuilderConfigCasts, AToolCannotTellThemFromAKeptLayerOfTheirName) {
  for (const BuildRoute route : {BuildRoute::kTrtexec, BuildRoute::kPolygraphy}) {
    BuildOptions options;
    options.route = route;
    options.keep_fp32 = {"to_half"};
    EXPECT_TRUE(is_build_error(tensorrt::check_no_cast(*parse_casts("to_half")->network.network, options),
                               Reason::kPrecisionNotSupported, "found one named 'to_half'"));
    options.keep_fp32 = {"last"};
    EXPECT_TRUE(is_ok(tensorrt::check_no_cast(*parse_casts("last")->network.network, options)));
  }
}

TEST_F(BuilderConfig, KeptLayersAreHeldInFp32) {
  BuildOptions options = options_of(Precision::kFp16);
  options.keep_fp32 = {"product"};
  const auto config = make(options);
  ASSERT_TRUE(is_ok(config));
  EXPECT_TRUE((*config)->getFlag(nvinfer1::BuilderFlag::kOBEY_PRECISION_CONSTRAINTS));
  const nvinfer1::ILayer& product = *parsed_->network.network->getLayer(0);
  EXPECT_EQ(product.getPrecision(), nvinfer1::DataType::kFLOAT);
  EXPECT_TRUE(product.outputTypeIsSet(0));
  EXPECT_FALSE(parsed_->network.network->getLayer(1)->precisionIsSet());
}

TEST(BuildOptionsTest, PoolsAreBoundedByTheDevice) {
  constexpr std::uint64_t kGiB = 1ULL << 30U;
  BuildConfig build;
  build.workspace_mb = 1024;
  const auto with = [&](std::uint64_t total, std::uint64_t free) {
    return tensorrt::build_options(build, "net", 10, tensorrt::DeviceMemory{total, free});
  };
  EXPECT_EQ(with(8 * kGiB, 8 * kGiB)->tactic_dram_bytes, 6 * kGiB);
  EXPECT_EQ(with(8 * kGiB, 3 * kGiB)->tactic_dram_bytes, 3 * kGiB);
  EXPECT_EQ(with(8 * kGiB, 3 * kGiB + 1)->tactic_dram_bytes, 3 * kGiB);
  EXPECT_EQ(with(8 * kGiB, 3 * kGiB)->workspace_bytes, kGiB);
  EXPECT_TRUE(
      is_error(with(8 * kGiB, kGiB - 1), ErrorCode::kOutOfMemory, Reason::kOutOfMemory, "workspace_mb"));
}

TEST(BuildOptionsTest, RecordHasNamesAndNoNumbersOfFlags) {
  BuildOptions options = options_of(Precision::kFp16);
  options.sdk_major = 10;
  options.keep_fp32 = {"a"};
  const auto texts = tensorrt::option_texts(options);
  EXPECT_EQ(texts.at("builder_flags"), "fp16, obey_precision_constraints");
  EXPECT_EQ(texts.at("keep_fp32_layers"), "a");
  EXPECT_EQ(texts.at("profiling_verbosity"), "detailed");
  options.sdk_major = 11;
  EXPECT_EQ(tensorrt::option_texts(options).at("builder_flags"), "none");
  EXPECT_EQ(tensorrt::option_texts(options).at("strongly_typed"), "1");
}

}  // namespace
}  // namespace skua::test
