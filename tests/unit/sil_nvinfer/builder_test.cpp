// The software-in-the-loop builder: what it refuses, clamps and ignores, as the real one was measured.
#include <thread>

#include "models.h"
#include "sil_nvinfer_fixture.h"

namespace skua::sil_test {
namespace {

using nvinfer1::BuilderFlag;
using nvinfer1::MemoryPoolType;
using nvinfer1::OptProfileSelector;

constexpr std::uint64_t bit(BuilderFlag flag) { return 1U << static_cast<unsigned>(flag); }

struct BuildRow {
  const char* name;
  std::string model;
  void (*prepare)(Workshop&);
  int code;  ///< 0: it builds
  const char* text;
};

void nothing(Workshop&) {}

void shape_values(Workshop& shop, bool with_values) {
  auto* const profile = shop.builder->createOptimizationProfile();
  for (const auto select : {OptProfileSelector::kMIN, OptProfileSelector::kOPT, OptProfileSelector::kMAX}) {
    const std::int32_t values[2] = {4, 6};
    if (with_values) profile->setShapeValues("shape", select, values, 2);
    if (!with_values) profile->setDimensions("shape", select, dims({2}));
  }
  EXPECT_EQ(shop.config->addOptimizationProfile(profile), 0);
}

std::vector<BuildRow> build_rows() {
  const std::string images = images_model(), fixed = test::mlp_model();
  const auto one = [](Workshop& shop) {
    shop.add_profile("x", dims({1, 3, 8, 8}), dims({2, 3, 8, 8}), dims({4, 3, 9, 9}));
  };
  return {
      {"empty_file", "", nothing, 4, "Network must have at least one output."},
      {"static_network", fixed, nothing, 0, ""},
      {"dynamic_network", images, one, 0, ""},
      {"dynamic_without_profile", images, nothing, 4, "no optimization profile has been defined"},
      {"shape_without_profile", reshape_model(), nothing, 4, "no optimization profile has been defined"},
      {"profile_of_nobody", images,
       [](Workshop& shop) { EXPECT_EQ(shop.add_profile("ghost", dims({1}), dims({1}), dims({1})), 0); }, 4,
       "Dynamic input tensor x is missing dimensions in profile 0."},
      {"profile_of_nobody_beside_a_good_one", images,
       [](Workshop& shop) {
         auto* const profile = shop.builder->createOptimizationProfile();
         for (const auto select :
              {OptProfileSelector::kMIN, OptProfileSelector::kOPT, OptProfileSelector::kMAX}) {
           EXPECT_TRUE(profile->setDimensions("x", select, dims({1, 3, 8, 8})));
           EXPECT_TRUE(profile->setDimensions("ghost", select, dims({5})));
         }
         EXPECT_EQ(shop.config->addOptimizationProfile(profile), 0);
       },
       0, ""},
      {"empty_profile", images,
       [](Workshop& shop) {
         auto* const profile = shop.builder->createOptimizationProfile();
         EXPECT_TRUE(profile->isValid());
         EXPECT_EQ(shop.config->addOptimizationProfile(profile), 0);
       },
       4, "Dynamic input tensor x is missing dimensions in profile 0."},
      {"profile_of_another_rank", images,
       [](Workshop& shop) {
         EXPECT_EQ(shop.add_profile("x", dims({1, 3, 8}), dims({1, 3, 8}), dims({1, 3, 8})), 0);
       },
       4, "Dynamic-shaped input tensor x has 4 dimensions but profile 0 has 3 dimensions."},
      {"static_axis_differs", images,
       [](Workshop& shop) {
         shop.add_profile("x", dims({1, 5, 8, 8}), dims({1, 5, 8, 8}), dims({1, 5, 8, 8}));
       },
       4, "At dimension axis 1, profile has min=5, opt=5, max=5 but tensor has 3."},
      {"static_input_differs", fixed,
       [](Workshop& shop) {
         shop.add_profile("x", dims({2, 8}), dims({2, 8}), dims({2, 8}));
       },
       4, "Input tensor x has static dimensions that don't match kMIN dimensions in profile index 0."},
      {"static_input_agrees", fixed,
       [](Workshop& shop) {
         shop.add_profile("x", dims({1, 8}), dims({1, 8}), dims({1, 8}));
       },
       0, ""},
      {"smallest_size_0", images,
       [](Workshop& shop) {
         shop.add_profile("x", dims({0, 3, 8, 8}), dims({1, 3, 8, 8}), dims({1, 3, 8, 8}));
       },
       0, ""},
      {"shape_input_with_dimensions", reshape_model(), [](Workshop& shop) { shape_values(shop, false); }, 4,
       "Optimization profile 0 is missing values for shape input tensor shape."},
      {"shape_input_with_values", reshape_model(), [](Workshop& shop) { shape_values(shop, true); }, 0, ""},
      {"top_k_5000", top_k_model(5000), nothing, 4, "K exceeds the maximum value allowed (3840)."},
      {"top_k_3840", top_k_model(3840), nothing, 0, ""},
      {"workspace_0", fixed,
       [](Workshop& shop) { shop.config->setMemoryPoolLimit(MemoryPoolType::kWORKSPACE, 0); }, 2,
       "Compiling this graph requires workspace memory greater than 0."},
      {"workspace_1024", fixed,
       [](Workshop& shop) { shop.config->setMemoryPoolLimit(MemoryPoolType::kWORKSPACE, 1024); }, 1,
       "Myelin (no tactics to implement the operation within workspace limit."},
      {"workspace_2_to_the_60", fixed,
       [](Workshop& shop) { shop.config->setMemoryPoolLimit(MemoryPoolType::kWORKSPACE, 1ULL << 60U); }, 0,
       ""},
      {"shared_memory_1", fixed,
       [](Workshop& shop) { shop.config->setMemoryPoolLimit(MemoryPoolType::kTACTIC_SHARED_MEMORY, 1); }, 2,
       "Assertion cfg.tacticMaxShmemSize >= reservedDeviceSMem failed."},
      {"version_compatible", fixed,
       [](Workshop& shop) { shop.config->setFlag(BuilderFlag::kVERSION_COMPATIBLE); }, 6,
       "Unable to load library: libnvinfer_lean.so.1"},
      {"strip_plan", fixed, [](Workshop& shop) { shop.config->setFlag(BuilderFlag::kSTRIP_PLAN); }, 1,
       "Myelin"},
      {"safety", fixed,
       [](Workshop& shop) { shop.config->setEngineCapability(nvinfer1::EngineCapability::kSAFETY); }, 10,
       "Could not find any implementation for node {ForeignNode["},
      {"dla_standalone", fixed,
       [](Workshop& shop) { shop.config->setEngineCapability(nvinfer1::EngineCapability::kDLA_STANDALONE); },
       1, "Applying DLA optimizations without DLA backend."},
      {"dla_that_is_not_there", fixed,
       [](Workshop& shop) {
         shop.config->setDefaultDeviceType(nvinfer1::DeviceType::kDLA);
         shop.config->setDLACore(0);
         EXPECT_EQ(shop.config->getDLACore(), -1);
         EXPECT_EQ(shop.builder->getNbDLACores(), 0);
       },
       0, ""},
  };
}

class SilBuilds : public SilNvinfer, public testing::WithParamInterface<BuildRow> {};

TEST_P(SilBuilds, OrRefuses) {
  const BuildRow& row = GetParam();
  Workshop workshop(listener);
  ASSERT_TRUE(workshop.parse(row.model)) << listener.errors();
  row.prepare(workshop);
  EXPECT_EQ(workshop.builder->isNetworkSupported(*workshop.network, *workshop.config), row.code == 0);
  listener.clear();
  EXPECT_EQ(workshop.build().empty(), row.code != 0) << listener.errors();
  const std::string errors = listener.errors();
  EXPECT_NE(errors.find(row.text), std::string::npos) << errors;
  if (row.code == 0) {
    EXPECT_EQ(errors, "");
  } else {
    EXPECT_NE(errors.find("Error Code " + std::to_string(row.code) + ": "), std::string::npos) << errors;
  }
}

INSTANTIATE_TEST_SUITE_P(Rows, SilBuilds, testing::ValuesIn(build_rows()),
                         [](const auto& row) { return row.param.name; });

struct ProfileRow {
  const char* name;
  std::vector<std::int64_t> min, opt, max;  ///< empty: not set
};

class SilBadProfile : public SilNvinfer, public testing::WithParamInterface<ProfileRow> {};

TEST_P(SilBadProfile, IsTakenAndRefusedLater) {
  Workshop workshop(listener);
  ASSERT_TRUE(workshop.parse(images_model()));
  auto* const profile = workshop.builder->createOptimizationProfile();
  const auto set = [&](OptProfileSelector select, const std::vector<std::int64_t>& values) {
    nvinfer1::Dims size{};
    for (const std::int64_t value : values) size.d[size.nbDims++] = value;
    if (!values.empty()) {
      EXPECT_TRUE(profile->setDimensions("x", select, size));
    }
  };
  set(OptProfileSelector::kMIN, GetParam().min);
  set(OptProfileSelector::kOPT, GetParam().opt);
  set(OptProfileSelector::kMAX, GetParam().max);
  EXPECT_FALSE(profile->isValid());
  EXPECT_EQ(workshop.config->addOptimizationProfile(profile), -1);
  const std::string errors = listener.errors();
  const auto first = errors.find("Error Code 4"), second = errors.find("condition: profile->isValid()");
  EXPECT_LT(first, second);
  EXPECT_NE(second, std::string::npos) << errors;
  EXPECT_NE(errors.find("Invalid optimization profiles for input tensors x"), std::string::npos);
  EXPECT_EQ(workshop.build(), "");
}

INSTANTIATE_TEST_SUITE_P(Rows, SilBadProfile,
                         testing::Values(ProfileRow{"min_over_opt", {2, 3, 8, 8}, {1, 3, 8, 8}, {4, 3, 8, 8}},
                                         ProfileRow{"opt_over_max", {1, 3, 8, 8}, {5, 3, 8, 8}, {4, 3, 8, 8}},
                                         ProfileRow{"no_max", {1, 3, 8, 8}, {1, 3, 8, 8}, {}},
                                         ProfileRow{"ranks_differ", {1, 3, 8}, {1, 3, 8, 8}, {1, 3, 8, 8}}),
                         [](const auto& row) { return row.param.name; });

TEST_F(SilNvinfer, ProfilesRefuseNonsenseAtOnce) {
  Workshop workshop(listener);
  auto* const profile = workshop.builder->createOptimizationProfile();
  EXPECT_FALSE(profile->setDimensions("x", OptProfileSelector::kMIN, dims({-1})));
  EXPECT_FALSE(profile->setDimensions(nullptr, OptProfileSelector::kMIN, dims({1})));
  EXPECT_NE(listener.errors().find("(name) != nullptr"), std::string::npos);
  EXPECT_EQ(profile->getDimensions("x", OptProfileSelector::kMIN).nbDims, -1);
  EXPECT_NE(listener.errors().find("Input is not present in this OptimizationProfile"), std::string::npos);
  const std::int32_t large[2] = {5, 5}, small[2] = {5, 4};
  EXPECT_TRUE(profile->setShapeValues("k", OptProfileSelector::kOPT, large, 2));
  EXPECT_FALSE(profile->setShapeValues("k", OptProfileSelector::kMAX, small, 2)) << "unlike setDimensions";
  EXPECT_EQ(profile->getNbShapeValues("nobody"), -1);
  EXPECT_EQ(workshop.config->addOptimizationProfile(nullptr), -1);
}

TEST_F(SilNvinfer, AHugeProfileIsWarnedOf) {
  Workshop workshop(listener);
  ASSERT_TRUE(workshop.parse(images_model()));
  EXPECT_EQ(
      workshop.add_profile("x", dims({1, 3, 8, 8}), dims({1, 3, 8, 8}), dims({1 << 20, 3, 1 << 10, 1 << 11})),
      0);
  EXPECT_NE(workshop.build(), "");
  EXPECT_NE(listener.warnings().find("tensor volume exceeds 1099511627776"), std::string::npos);
}

TEST_F(SilNvinfer, TwoProfilesAreCounted) {
  Workshop workshop(listener);
  ASSERT_TRUE(workshop.parse(images_model()));
  EXPECT_EQ(workshop.add_profile("x", dims({1, 3, 8, 8}), dims({1, 3, 8, 8}), dims({2, 3, 8, 8})), 0);
  EXPECT_EQ(workshop.add_profile("x", dims({1, 3, 4, 4}), dims({1, 3, 4, 4}), dims({1, 3, 4, 4})), 1);
  EXPECT_EQ(workshop.config->getNbOptimizationProfiles(), 2);
}

TEST_F(SilNvinfer, TheConfigurationClampsAndIgnoresInSilence) {
  Workshop workshop(listener);
  nvinfer1::IBuilderConfig& config = *workshop.config;
  EXPECT_EQ(config.getFlags(), bit(BuilderFlag::kTF32));
  EXPECT_EQ(config.getMemoryPoolLimit(MemoryPoolType::kWORKSPACE), 68719476736U);
  EXPECT_EQ(config.getMemoryPoolLimit(MemoryPoolType::kTACTIC_SHARED_MEMORY), 1U << 30U);
  EXPECT_EQ(config.getBuilderOptimizationLevel(), 3);
  EXPECT_EQ(config.getMemoryPoolLimit(MemoryPoolType::kTACTIC_DRAM), 68719476736U);
  EXPECT_EQ(config.getMaxAuxStreams(), -1);
  EXPECT_EQ(config.getAvgTimingIterations(), 1);
  EXPECT_EQ(config.getProfilingVerbosity(), nvinfer1::ProfilingVerbosity::kLAYER_NAMES_ONLY);
  EXPECT_EQ(config.getTimingCache(), nullptr);
  config.setBuilderOptimizationLevel(6);
  EXPECT_EQ(config.getBuilderOptimizationLevel(), 5);
  EXPECT_EQ(listener.count(), 0U) << "not a word of it";
  const auto is_misuse = [this] {
    const bool is_one = listener.errors().find("Error Code 3: API Usage Error (") != std::string::npos;
    listener.clear();
    return is_one;
  };
  config.setBuilderOptimizationLevel(-1);
  EXPECT_TRUE(is_misuse());
  EXPECT_EQ(config.getBuilderOptimizationLevel(), 5);
  config.setFlag(static_cast<BuilderFlag>(40));
  EXPECT_TRUE(is_misuse());
  config.setFlag(BuilderFlag::kEXCLUDE_LEAN_RUNTIME);
  EXPECT_TRUE(is_misuse());
  EXPECT_EQ(config.getFlags(), bit(BuilderFlag::kTF32));
  config.setRuntimePlatform(nvinfer1::RuntimePlatform::kWINDOWS_AMD64);
  EXPECT_TRUE(is_misuse());
  EXPECT_EQ(config.getRuntimePlatform(), nvinfer1::RuntimePlatform::kSAME_AS_BUILD);
  for (const int count : {0, -1}) {
    EXPECT_FALSE(workshop.builder->setMaxThreads(count));
    EXPECT_TRUE(is_misuse());
  }
  EXPECT_EQ(workshop.builder->getMaxThreads(), 1);
  EXPECT_EQ(workshop.builder->createNetworkV2(255), nullptr);
  EXPECT_TRUE(is_misuse());
  config.setMaxAuxStreams(2);
  EXPECT_NE(listener.warnings().find("Multi stream is disabled"), std::string::npos);
}

TEST_F(SilNvinfer, TheCompilerBehindTheBuilderWritesToTheStandardError) {
  Workshop workshop(listener);
  ASSERT_TRUE(workshop.parse(test::mlp_model()));
  workshop.config->setMemoryPoolLimit(MemoryPoolType::kWORKSPACE, 1);
  testing::internal::CaptureStderr();
  EXPECT_EQ(workshop.build(), "");
  const std::string written = testing::internal::GetCapturedStderr();
  EXPECT_NE(written.find("Internal Error: MyelinCheckException: "), std::string::npos) << written;
  EXPECT_EQ(listener.errors().find("MyelinCheckException"), std::string::npos);
}

TEST_F(SilNvinfer, TheGravestSeverityMayBeNoise) {
  Workshop workshop(listener);
  EXPECT_EQ(workshop.config->getHardwareCompatibilityLevel(), nvinfer1::HardwareCompatibilityLevel::kNONE);
  EXPECT_NE(listener.text(Severity::kINTERNAL_ERROR).find("Thread context has not been set!"),
            std::string::npos);
}

TEST_F(SilNvinfer, APrecisionFlagDoesNotFitAStronglyTypedNetwork) {
  Workshop workshop(listener,
                    1U << static_cast<unsigned>(nvinfer1::NetworkDefinitionCreationFlag::kSTRONGLY_TYPED));
  ASSERT_TRUE(workshop.parse(test::mlp_model()));
  EXPECT_NE(workshop.build(), "");
  workshop.config->setFlag(BuilderFlag::kFP16);
  EXPECT_EQ(workshop.build(), "");
}

TEST_F(SilNvinfer, ACastIsNotHeldToAnotherTypeThanItsOwn) {
  using nvinfer1::DataType;
  const auto build_with = [this](const std::function<void(nvinfer1::ILayer&)>& hold) {
    Workshop workshop(listener);
    EXPECT_TRUE(
        workshop.parse(test::OnnxWriter()
                           .input("x", test::kFloat, {4})
                           .output("y", test::kHalf, {4})
                           .node("Cast", {"x"}, {"y"}, {test::onnx_integer_attribute("to", test::kHalf)})
                           .model()));
    hold(*workshop.network->getLayer(0));
    return workshop.build();
  };
  EXPECT_EQ(build_with([](auto& cast) { cast.setPrecision(DataType::kFLOAT); }), "");
  EXPECT_EQ(build_with([](auto& cast) { cast.setOutputType(0, DataType::kFLOAT); }), "");
  EXPECT_NE(build_with([](auto& cast) { cast.setOutputType(0, DataType::kHALF); }), "");
  EXPECT_NE(build_with([](auto&) {}), "");
}

TEST_F(SilNvinfer, ARefittableEngineSaysSo) {
  Workshop workshop(listener);
  ASSERT_TRUE(workshop.parse(test::mlp_model()));
  workshop.config->setFlag(BuilderFlag::kREFIT);
  workshop.config->setHardwareCompatibilityLevel(nvinfer1::HardwareCompatibilityLevel::kAMPERE_PLUS);
  const auto engine = load(workshop.build());
  ASSERT_NE(engine, nullptr);
  EXPECT_TRUE(engine->isRefittable());
  EXPECT_EQ(engine->getHardwareCompatibilityLevel(), nvinfer1::HardwareCompatibilityLevel::kAMPERE_PLUS);
}

TEST_F(SilNvinfer, TwoBuildersInTwoThreadsGiveTheSamePlan) {
  std::string plans[2];
  const auto work = [this](std::string& plan) {
    Workshop workshop(listener);
    if (workshop.parse(test::mlp_model())) plan = workshop.build();
  };
  std::thread other(work, std::ref(plans[1]));
  work(plans[0]);
  other.join();
  EXPECT_NE(plans[0], "");
  EXPECT_EQ(plans[0], plans[1]);
}

TEST_F(SilNvinfer, HostMemoryOutlivesItsBuilder) {
  Owned<nvinfer1::IHostMemory> plan;
  {
    Workshop workshop(listener);
    ASSERT_TRUE(workshop.parse(test::mlp_model()));
    workshop.parser.reset();  // not needed to build
    plan.reset(workshop.builder->buildSerializedNetwork(*workshop.network, *workshop.config));
  }
  ASSERT_NE(plan, nullptr);
  EXPECT_EQ(static_cast<int>(plan->type()), 2);
  EXPECT_EQ(std::string(static_cast<const char*>(plan->data()), 4), "ftrt");
}

TEST_F(SilNvinfer, ABuilderMustGoLast) {
  Workshop workshop(listener);
  workshop.builder.reset();
  EXPECT_NE(listener.errors().find("Destroying a builder object before destroying objects it created"),
            std::string::npos);
}

}  // namespace
}  // namespace skua::sil_test
