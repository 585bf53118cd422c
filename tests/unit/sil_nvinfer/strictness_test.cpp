// Where nothing was measured the software-in-the-loop SDK takes the answer that is harder to live with.
#include <stdexcept>

#include "sil_nvinfer_fixture.h"

namespace skua::sil_test {
namespace {

class SilStrictness : public SilNvinfer {
 protected:
  /// What the inspector says of a network whose only layer is held in FP32.
  std::string inspected(std::initializer_list<nvinfer1::BuilderFlag> flags) {
    Workshop workshop(listener);
    EXPECT_TRUE(workshop.parse(test::OnnxWriter()
                                   .input("x", test::kFloat, {4})
                                   .output("y", test::kFloat, {4})
                                   .node("Relu", {"x"}, {"y"})
                                   .model()));
    workshop.network->getLayer(0)->setPrecision(nvinfer1::DataType::kFLOAT);
    for (const auto flag : flags) workshop.config->setFlag(flag);
    workshop.config->setProfilingVerbosity(nvinfer1::ProfilingVerbosity::kDETAILED);
    const auto engine = load(workshop.build());
    const Owned<nvinfer1::IEngineInspector> inspector(engine->createEngineInspector());
    return inspector->getEngineInformation(nvinfer1::LayerInformationFormat::kJSON);
  }
};

TEST_F(SilStrictness, APinnedLayerIsAWishWithoutItsFlag) {
  using nvinfer1::BuilderFlag;
  EXPECT_NE(inspected({BuilderFlag::kFP16}).find("FP16"), std::string::npos);
  for (const auto flag :
       {BuilderFlag::kOBEY_PRECISION_CONSTRAINTS, BuilderFlag::kPREFER_PRECISION_CONSTRAINTS})
    EXPECT_EQ(inspected({BuilderFlag::kFP16, flag}).find("FP16"), std::string::npos);
}

TEST_F(SilStrictness, ARefittablePlanNeedsADriver) {
  Workshop workshop(listener);
  ASSERT_TRUE(workshop.parse(test::mlp_model()));
  workshop.config->setFlag(nvinfer1::BuilderFlag::kREFIT);
  EXPECT_NE(workshop.build(), "");
  sil::remove_driver();
  EXPECT_EQ(workshop.build(), "");
  EXPECT_NE(listener.errors().find("CUDA_SUCCESS"), std::string::npos);
}

TEST_F(SilStrictness, NoMemoryToTryKernelsInIsNoPlan) {
  Workshop workshop(listener);
  ASSERT_TRUE(workshop.parse(test::mlp_model()));
  workshop.config->setMemoryPoolLimit(nvinfer1::MemoryPoolType::kTACTIC_DRAM, 0);
  EXPECT_EQ(workshop.build(), "");
}

TEST_F(SilStrictness, AuxiliaryStreamsAreUsedWhereTheyMayBe) {
  Workshop workshop(listener);
  ASSERT_TRUE(workshop.parse(test::mlp_model()));
  EXPECT_EQ(load(workshop.build())->getNbAuxStreams(), 0);
  workshop.config->setMaxAuxStreams(2);
  EXPECT_EQ(load(workshop.build())->getNbAuxStreams(), 2);
}

TEST_F(SilStrictness, AnOrderForNoFunctionIsRefused) {
  for (const char* const name : {"enqueueV3", "IBuilder::buildEngine", "cudaMaloc", ""}) {
    EXPECT_THROW(sil::fail_call(name, 1, 1), std::invalid_argument) << name;
    EXPECT_THROW(sil::hang_call(name, 1), std::invalid_argument) << name;
    EXPECT_THROW(sil::hang_work(name, 1), std::invalid_argument) << name;
    EXPECT_THROW(sil::fail_work(name, 1, 1), std::invalid_argument) << name;
  }
}

// Questions fail on command too: each answers as if there were nothing, and says so.
TEST_F(SilStrictness, QuestionsOfTheBuildAskForOrders) {
  Workshop workshop(listener);
  ASSERT_TRUE(workshop.parse(test::mlp_model()));
  nvinfer1::IBuilderConfig& config = *workshop.config;
  config.setMaxAuxStreams(2);
  config.setProfilingVerbosity(nvinfer1::ProfilingVerbosity::kDETAILED);
  config.setDefaultDeviceType(nvinfer1::DeviceType::kDLA);
  config.setEngineCapability(nvinfer1::EngineCapability::kSAFETY);
  config.setAvgTimingIterations(4);
  for (const char* const name :
       {"IBuilderConfig::getMaxAuxStreams", "IBuilderConfig::getAvgTimingIterations",
        "IBuilderConfig::getProfilingVerbosity", "IBuilderConfig::getDefaultDeviceType",
        "IBuilderConfig::getEngineCapability", "IBuilderConfig::setAvgTimingIterations",
        "IBuilderConfig::setDefaultDeviceType", "IBuilderConfig::setEngineCapability",
        "IBuilderConfig::getRuntimePlatform", "IBuilderConfig::getNbPluginsToSerialize",
        "ITensor::isNetworkOutput", "ILayer::getMetadata"})
    sil::fail_call(name, 1, 3);
  EXPECT_EQ(config.getMaxAuxStreams(), -1);
  EXPECT_EQ(config.getAvgTimingIterations(), 0);
  EXPECT_EQ(config.getProfilingVerbosity(), nvinfer1::ProfilingVerbosity::kLAYER_NAMES_ONLY);
  EXPECT_EQ(config.getDefaultDeviceType(), nvinfer1::DeviceType::kGPU);
  EXPECT_EQ(config.getEngineCapability(), nvinfer1::EngineCapability::kSTANDARD);
  config.setAvgTimingIterations(9);
  config.setDefaultDeviceType(nvinfer1::DeviceType::kGPU);
  config.setEngineCapability(nvinfer1::EngineCapability::kSTANDARD);
  EXPECT_EQ(config.getAvgTimingIterations(), 4);
  EXPECT_EQ(config.getDefaultDeviceType(), nvinfer1::DeviceType::kDLA);
  EXPECT_EQ(config.getEngineCapability(), nvinfer1::EngineCapability::kSAFETY);
  config.getRuntimePlatform();
  config.getNbPluginsToSerialize();
  EXPECT_EQ(workshop.network->getLayer(0)->getMetadata(), nullptr);
  EXPECT_FALSE(workshop.network->getOutput(0)->isNetworkOutput());
  EXPECT_TRUE(workshop.network->getOutput(0)->isNetworkOutput());
  for (const char* const name :
       {"IBuilderConfig::getRuntimePlatform", "IBuilderConfig::getNbPluginsToSerialize"})
    EXPECT_NE(listener.errors().find(name), std::string::npos) << name;
}

TEST_F(SilStrictness, QuestionsOfAnEngineAskForOrders) {
  const auto engine = load(plan_of(test::mlp_model()));
  Recorder recorder;
  runtime->setErrorRecorder(&recorder);
  for (const char* const name : {"ICudaEngine::getNbAuxStreams", "ICudaEngine::getTensorFormatDesc",
                                 "ICudaEngine::getEngineCapability", "ICudaEngine::getProfilingVerbosity",
                                 "IRuntime::getErrorRecorder"})
    sil::fail_call(name, 1, 3);
  EXPECT_EQ(runtime->getErrorRecorder(), nullptr);
  EXPECT_EQ(runtime->getErrorRecorder(), &recorder);
  engine->getNbAuxStreams();
  EXPECT_EQ(engine->getTensorFormatDesc("x"), nullptr);
  engine->getEngineCapability();
  engine->getProfilingVerbosity();
  for (const char* const name :
       {"getNbAuxStreams", "getTensorFormatDesc", "getEngineCapability", "getProfilingVerbosity"})
    EXPECT_NE(listener.errors().find(name), std::string::npos) << name;
  runtime->setErrorRecorder(nullptr);
}

}  // namespace
}  // namespace skua::sil_test
