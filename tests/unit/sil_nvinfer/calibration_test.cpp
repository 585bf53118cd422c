// INT8 in the software-in-the-loop builder: calibrators, their caches, ranges by hand and in the graph, and
// which layers it leaves in which precision.
#include <bit>
#include <functional>
#include <map>

#include "sil_nvinfer_fixture.h"

// Calibrators and ranges by hand are.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace skua::sil_test {
namespace {

using nvinfer1::BuilderFlag;

/// Two rows each; the product's rows are those of w, times 1, 2 and -1.
const std::vector<float> kFirst = {1, 0, 0, 0, 0, 0, 0, -1};
const std::vector<float> kSecond = {0, 2, 0, 0, 0, 0, 0, 0};

template <typename Base>
class OwnCalibrator final : public Base {
 public:
  int32_t getBatchSize() const noexcept override { return 1; }
  bool getBatch(void* bindings[], char const* names[], int32_t count) noexcept override {
    EXPECT_EQ(count, 1);
    EXPECT_STREQ(names[0], "x");
    ++asked;
    if (given == batches.size()) return false;
    memory.write(batches[given++]);
    bindings[0] = hands_over_host_memory ? static_cast<void*>(batches.front().data()) : memory.data();
    return true;
  }
  void const* readCalibrationCache(std::size_t& length) noexcept override {
    length = cache.size();
    return cache.empty() ? nullptr : cache.data();
  }
  void writeCalibrationCache(void const* data, std::size_t length) noexcept override {
    written.assign(static_cast<const char*>(data), length);
  }

  std::vector<std::vector<float>> batches{kFirst, kSecond};
  DeviceMemory memory{8 * sizeof(float)};
  bool hands_over_host_memory = false;
  std::string cache, written;
  std::size_t given = 0;
  int asked = 0;
};
using Entropy = OwnCalibrator<nvinfer1::IInt8EntropyCalibrator2>;
using MinMax = OwnCalibrator<nvinfer1::IInt8MinMaxCalibrator>;

std::string line_of(const std::string& name, float largest) {
  char text[16];
  std::snprintf(text, sizeof text, ": %08x\n", std::bit_cast<std::uint32_t>(largest / 127));
  return name + text;
}

const std::string kVersion = "TRT-" + std::to_string(NV_TENSORRT_VERSION);

class SilCalibration : public SilNvinfer {
 protected:
  using Prepare = std::function<void(Workshop&)>;
  std::string build(const Prepare& prepare, const std::string& model = test::dynamic_relu_model()) {
    Workshop shop(listener);
    EXPECT_TRUE(shop.parse(model)) << listener.errors();
    if (shop.network->getInput(0)->getDimensions().d[0] < 0) {
      EXPECT_EQ(shop.add_profile("x", dims({1, 4}), dims({2, 4}), dims({9, 4})), 0);
    }
    shop.config->setFlag(BuilderFlag::kINT8);
    shop.config->setProfilingVerbosity(nvinfer1::ProfilingVerbosity::kDETAILED);
    prepare(shop);
    return shop.build();
  }
  std::string build(nvinfer1::IInt8Calibrator& calibrator) {
    return build([&calibrator](Workshop& shop) { shop.config->setInt8Calibrator(&calibrator); });
  }
  std::string layers_of(const std::string& plan) {
    const auto engine = load(plan);
    if (engine == nullptr) return "no engine: " + listener.errors();
    const Owned<nvinfer1::IEngineInspector> inspector(engine->createEngineInspector());
    return inspector->getEngineInformation(nvinfer1::LayerInformationFormat::kJSON);
  }
  /// How often the inspector says it.
  int count(const std::string& plan, const std::string& type) {
    const std::string text = layers_of(plan), wanted = "linear " + type + "\"";
    int found = 0;
    for (auto at = text.find(wanted); at != std::string::npos; at = text.find(wanted, at + 1)) ++found;
    return found;
  }
  ::testing::AssertionResult says(const std::string& all, const std::string& part) {
    if (all.find(part) != std::string::npos) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << "'" << all << "' without '" << part << "'";
  }
};

TEST_F(SilCalibration, ScalesAreTheLargestValuesOfAllBatches) {
  Entropy one, both;
  one.batches = {kFirst};
  EXPECT_NE(build(one), "") << listener.errors();
  EXPECT_EQ(one.written,
            kVersion + "-EntropyCalibration2\n" + line_of("x", 1) + line_of("h", 12) + line_of("y", 3));
  EXPECT_NE(build(both), "");
  EXPECT_EQ(both.written,
            kVersion + "-EntropyCalibration2\n" + line_of("x", 2) + line_of("h", 12) + line_of("y", 12));
  EXPECT_EQ(both.asked, 3);
}

TEST_F(SilCalibration, TheFirstLineNamesTheAlgorithm) {
  MinMax calibrator;
  EXPECT_NE(build(calibrator), "");
  EXPECT_TRUE(says(calibrator.written, kVersion + "-MinMaxCalibration\n"));
}

TEST_F(SilCalibration, ProductsBecomeInt8AndWhatFollowsNot) {
  Entropy calibrator;
  const std::string plan = build(calibrator);
  EXPECT_EQ(count(plan, "Int8"), 2) << layers_of(plan);
  EXPECT_EQ(count(plan, "FP32"), 2);
}

TEST_F(SilCalibration, ACacheOfItsOwnIsUsedAndWrittenBack) {
  Entropy first, second;
  const std::string plan = build(first);
  second.cache = first.written;
  EXPECT_EQ(build(second), plan);
  EXPECT_EQ(second.asked, 0);
  EXPECT_EQ(second.written, first.written);
}

TEST_F(SilCalibration, ACacheOfAnotherAlgorithmOrReleaseIsWarnedOf) {
  for (const std::string& header :
       {kVersion + "-MinMaxCalibration", std::string("TRT-8501-EntropyCalibration2")}) {
    listener.clear();
    Entropy calibrator;
    calibrator.cache = header + "\n" + line_of("x", 1) + line_of("h", 1) + line_of("y", 1);
    EXPECT_NE(build(calibrator), "");
    EXPECT_TRUE(says(listener.warnings(), "does not match")) << header;
    EXPECT_EQ(calibrator.asked, 3) << header;
  }
}

// The quiet fault: it loads, it runs, and it is no int8.
TEST_F(SilCalibration, AMissingTensorIsWarnedOfAndItsLayersFallBack) {
  for (const std::string missing : {"x", "h"}) {
    listener.clear();
    Entropy calibrator;
    calibrator.cache =
        kVersion + "-EntropyCalibration2\n" + line_of(missing == "x" ? "h" : "x", 1) + line_of("y", 1);
    const std::string plan = build(calibrator);
    EXPECT_NE(plan, "");
    EXPECT_TRUE(says(listener.warnings(), "Missing scale and zero-point for tensor " + missing + ","));
    EXPECT_EQ(count(plan, "Int8"), 0) << missing;
  }
}

TEST_F(SilCalibration, WithoutACalibratorRangesByHandAreNeeded) {
  EXPECT_EQ(build([](Workshop&) {}), "");
  EXPECT_TRUE(says(listener.errors(), "no scaling factors detected"));
  EXPECT_TRUE(says(listener.warnings(), "Calibrator is not being used"));
  const std::string plan = build([](Workshop& shop) {
    EXPECT_TRUE(shop.network->getInput(0)->setDynamicRange(-2, 1));
    EXPECT_TRUE(shop.network->getLayer(0)->getOutput(0)->setDynamicRange(-9, 9));
  });
  EXPECT_EQ(count(plan, "Int8"), 2);
}

TEST_F(SilCalibration, WithoutABatchThereIsNoPlan) {
  Entropy calibrator;
  calibrator.batches.clear();
  EXPECT_EQ(build(calibrator), "");
  EXPECT_TRUE(says(listener.errors(), "no scaling factors detected"));
  EXPECT_EQ(calibrator.written, "");
}

TEST_F(SilCalibration, ValuesAreReadOnTheDeviceAlone) {
  Entropy calibrator;
  calibrator.hands_over_host_memory = true;
  EXPECT_EQ(build(calibrator), "");
  EXPECT_TRUE(says(listener.errors(), "illegal memory access"));
}

TEST_F(SilCalibration, ItsOwnProfileDecidesTheSizes) {
  Entropy calibrator;
  calibrator.batches = {{0, 0, 3, 0}};
  EXPECT_NE(
      build([&calibrator](Workshop& shop) {
        auto* const profile = shop.builder->createOptimizationProfile();
        for (const auto select : {nvinfer1::OptProfileSelector::kMIN, nvinfer1::OptProfileSelector::kOPT,
                                  nvinfer1::OptProfileSelector::kMAX})
          EXPECT_TRUE(profile->setDimensions("x", select, dims({1, 4})));
        EXPECT_TRUE(shop.config->setCalibrationProfile(profile));
        EXPECT_EQ(shop.config->getCalibrationProfile(), profile);
        shop.config->setInt8Calibrator(&calibrator);
      }),
      "");
  EXPECT_TRUE(says(calibrator.written, line_of("h", 27)));  // what follows in memory was not read
  EXPECT_EQ(listener.warnings().find("Calibration Profile"), std::string::npos);
}

TEST_F(SilCalibration, ABatchThatFailsEndsTheBuild) {
  Entropy calibrator;
  sil::fail_call("IInt8Calibrator::getBatch", 2, 1);
  EXPECT_EQ(build(calibrator), "");
  EXPECT_EQ(calibrator.asked, 1);
}

TEST_F(SilCalibration, ABuilderMayBeToldToEndEarly) {
  Entropy calibrator;
  sil::end_calibration_after(1);
  EXPECT_NE(build(calibrator), "");
  EXPECT_EQ(calibrator.asked, 1);
  EXPECT_TRUE(says(calibrator.written, line_of("x", 1)));
}

TEST_F(SilCalibration, RangesInTheGraphNeedTheFlagAndNoCalibrator) {
  const std::string model = test::quantised_product_model();
  Entropy calibrator;
  const std::string plan =
      build([&calibrator](Workshop& shop) { shop.config->setInt8Calibrator(&calibrator); }, model);
  EXPECT_TRUE(says(listener.warnings(), "explicit precision"));
  EXPECT_EQ(calibrator.asked, 0);
  EXPECT_EQ(count(plan, "Int8"), 2 + 2)
      << layers_of(plan);  // what is quantised, and the product's two inputs
  EXPECT_EQ(build([](Workshop& shop) { shop.config->clearFlag(BuilderFlag::kINT8); }, model), "");
  EXPECT_TRUE(says(listener.errors(), "int8 is not configured"));
}

// --- what holds a layer in FP32 ---

class SilConstraints : public SilCalibration {
 protected:
  std::string held(std::optional<BuilderFlag> flag) {
    Entropy calibrator;
    return build([&](Workshop& shop) {
      shop.config->setInt8Calibrator(&calibrator);
      shop.config->setFlag(BuilderFlag::kFP16);
      if (flag) shop.config->setFlag(*flag);
      for (const int layer : {0, 1}) {
        shop.network->getLayer(layer)->setPrecision(nvinfer1::DataType::kFLOAT);
        shop.network->getLayer(layer)->setOutputType(0, nvinfer1::DataType::kFLOAT);
      }
    });
  }
};

TEST_F(SilConstraints, CountWithOneOfTheTwoFlagsAlone) {
  for (const auto flag :
       {BuilderFlag::kOBEY_PRECISION_CONSTRAINTS, BuilderFlag::kPREFER_PRECISION_CONSTRAINTS})
    EXPECT_EQ(count(held(flag), "FP32"), 4);
  const std::string plan = held(std::nullopt);
  EXPECT_EQ(count(plan, "Int8"), 2);
  EXPECT_EQ(count(plan, "FP16"), 2);
}

TEST_F(SilConstraints, ABuilderMayBeToldToPassOverThoseOfALayer) {
  sil::ignore_constraints_of(0);
  EXPECT_EQ(count(held(BuilderFlag::kOBEY_PRECISION_CONSTRAINTS), "Int8"), 2);
  sil::ignore_constraints_of(1);
  const std::string plan = held(BuilderFlag::kOBEY_PRECISION_CONSTRAINTS);
  EXPECT_EQ(count(plan, "FP16"), 2);
  EXPECT_EQ(count(plan, "Int8"), 0);
}

}  // namespace
}  // namespace skua::sil_test
