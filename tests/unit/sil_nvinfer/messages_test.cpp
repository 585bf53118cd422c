// Who hears what: loggers, recorders, and a machine without a driver.
#include "models.h"
#include "sil_nvinfer_fixture.h"

namespace skua::sil_test::messages_tests {
namespace {

using nvinfer1::ErrorCode;

TEST_F(SilNvinfer, WithoutARecorderErrorsGoToTheLogger) {
  const Owned<nvinfer1::IBuilder> builder(nvinfer1::createInferBuilder(listener));
  EXPECT_FALSE(builder->setMaxThreads(0));
  EXPECT_NE(listener.errors().find("IBuilder::setMaxThreads: Error Code 3: API Usage Error ("),
            std::string::npos);
}

TEST_F(SilNvinfer, ARecorderTakesTheLoggersPlaceForErrors) {
  for (const bool answer : {true, false}) {
    Recorder recorder;
    recorder.answer = answer;
    {
      Workshop workshop(listener);
      workshop.builder->setErrorRecorder(&recorder);
      EXPECT_FALSE(workshop.builder->setMaxThreads(0));
    }
    EXPECT_EQ(recorder.codes, std::vector<ErrorCode>{ErrorCode::kINVALID_ARGUMENT});
    EXPECT_EQ(listener.errors(), "");
  }
}

TEST_F(SilNvinfer, ChildrenCountAsHoldersOfTheRecorder) {
  Recorder recorder;
  {
    const Owned<nvinfer1::IBuilder> builder(nvinfer1::createInferBuilder(listener));
    builder->setErrorRecorder(&recorder);
    EXPECT_EQ(recorder.references, 1);
    const Owned<nvinfer1::INetworkDefinition> network(builder->createNetworkV2(0));
    const Owned<nvinfer1::IBuilderConfig> config(builder->createBuilderConfig());
    EXPECT_EQ(recorder.references, 3);
    builder->setErrorRecorder(nullptr);
    EXPECT_EQ(recorder.references, 2);
  }
  EXPECT_EQ(recorder.references, 0);
  EXPECT_GE(recorder.peak, 3);
}

TEST_F(SilNvinfer, ParserErrorsNeverGoToTheRecorder) {
  Recorder recorder;
  const Owned<nvinfer1::IBuilder> builder(nvinfer1::createInferBuilder(listener));
  builder->setErrorRecorder(&recorder);
  const Owned<nvinfer1::INetworkDefinition> network(builder->createNetworkV2(0));
  const Owned<nvonnxparser::IParser> parser(nvonnxparser::createParser(*network, listener));
  const std::string model = one_node("Odd").model();
  EXPECT_FALSE(parser->parse(model.data(), model.size()));
  EXPECT_EQ(recorder.getNbErrors(), 0);
  EXPECT_NE(listener.errors(), "");
}

TEST_F(SilNvinfer, ShapeErrorsOfTheNetworkGoToTheRecorderAndIntoTheParsersText) {
  Recorder recorder;
  const Owned<nvinfer1::IBuilder> builder(nvinfer1::createInferBuilder(listener));
  builder->setErrorRecorder(&recorder);
  const Owned<nvinfer1::INetworkDefinition> network(builder->createNetworkV2(0));
  const Owned<nvonnxparser::IParser> parser(nvonnxparser::createParser(*network, listener));
  const std::string model = convolution(1, test::kHalf);
  EXPECT_FALSE(parser->parse(model.data(), model.size()));
  ASSERT_EQ(recorder.getNbErrors(), 1);
  EXPECT_EQ(recorder.codes[0], ErrorCode::kINVALID_CONFIG);
  EXPECT_NE(recorder.texts[0].find("ITensor::getDimensions: Error Code 4"), std::string::npos);
  EXPECT_NE(std::string(parser->getError(0)->desc()).find(recorder.texts[0]), std::string::npos);
}

TEST_F(SilNvinfer, RuntimeEngineAndContextShareTheRecorder) {
  Recorder recorder;
  const std::string plan = plan_of(test::mlp_model());
  {
    runtime.reset(nvinfer1::createInferRuntime(listener));
    runtime->setErrorRecorder(&recorder);
    const auto engine = load(plan);
    ASSERT_NE(engine, nullptr);
    const Owned<nvinfer1::IExecutionContext> context(engine->createExecutionContext());
    EXPECT_EQ(recorder.references, 3);
    EXPECT_FALSE(context->setInputShape("x", dims({7, 7})));
    EXPECT_EQ(engine->getTensorShape("nobody").nbDims, -1);
  }
  runtime.reset();
  EXPECT_EQ(recorder.codes,
            (std::vector<ErrorCode>{ErrorCode::kINVALID_ARGUMENT, ErrorCode::kINVALID_ARGUMENT}));
  EXPECT_EQ(recorder.references, 0);
  EXPECT_EQ(listener.errors(), "");
}

TEST_F(SilNvinfer, ASecondLoggerIsWarnedAndUsedAllTheSame) {
  Listener second;
  const Owned<nvinfer1::IBuilder> first(nvinfer1::createInferBuilder(listener));
  EXPECT_EQ(getLogger(), &listener);
  {
    const Owned<nvinfer1::IBuilder> other(nvinfer1::createInferBuilder(second));
    EXPECT_NE(second.warnings().find("differs from one already registered"), std::string::npos);
    EXPECT_EQ(listener.count(), 0U);
    EXPECT_FALSE(other->setMaxThreads(0));
    EXPECT_NE(second.errors(), "") << "its own logger hears its errors";
    EXPECT_EQ(listener.count(), 0U);
  }
  EXPECT_EQ(getLogger(), &listener);
}

TEST_F(SilNvinfer, AfterTheLastObjectANewLoggerIsTheFirst) {
  Owned<nvinfer1::IBuilder>(nvinfer1::createInferBuilder(listener)).reset();
  EXPECT_EQ(getLogger(), nullptr);
  Listener second;
  const Owned<nvinfer1::IBuilder> builder(nvinfer1::createInferBuilder(second));
  EXPECT_EQ(second.warnings(), "");
  EXPECT_EQ(getLogger(), &second);
}

TEST_F(SilNvinfer, WithoutALoggerTheFactoriesDiffer) {
  EXPECT_EQ(createInferBuilder_INTERNAL(nullptr, NV_TENSORRT_VERSION), nullptr);
  EXPECT_EQ(createInferRuntime_INTERNAL(nullptr, NV_TENSORRT_VERSION), reinterpret_cast<void*>(0x228));
}

TEST_F(SilNvinfer, NoVersionIsRefused) {
  for (const int version : {-1, 0, 8601, 100300, 110100, 120000}) {
    const Owned<nvinfer1::IBuilder> builder(
        static_cast<nvinfer1::IBuilder*>(createInferBuilder_INTERNAL(&listener, version)));
    EXPECT_NE(builder, nullptr) << version;
  }
}

TEST_F(SilNvinfer, WithoutADriverAMisuseIsToldTwice) {
  Recorder recorder;
  const Owned<nvinfer1::IBuilder> builder(nvinfer1::createInferBuilder(listener));
  builder->setErrorRecorder(&recorder);
  sil::remove_driver();
  EXPECT_FALSE(builder->setMaxThreads(0));
  ASSERT_EQ(recorder.getNbErrors(), 2);
  EXPECT_EQ(recorder.codes[0], ErrorCode::kINVALID_ARGUMENT) << "the first is the cause";
  EXPECT_EQ(recorder.codes[1], ErrorCode::kUNSPECIFIED_ERROR);
  EXPECT_NE(recorder.texts[1].find("cudaError 35: "), std::string::npos) << recorder.texts[1];
  builder->setErrorRecorder(nullptr);
}

TEST_F(SilNvinfer, WithoutADriverAGoodTimingCacheIsAnEmptyOne) {
  Workshop workshop(listener);
  const Owned<nvinfer1::ITimingCache> cache(workshop.config->createTimingCache(nullptr, 0));
  const Owned<nvinfer1::IHostMemory> bytes(cache->serialize());
  sil::remove_driver();
  EXPECT_NE(Owned<nvinfer1::ITimingCache>(workshop.config->createTimingCache(bytes->data(), bytes->size())),
            nullptr);
  EXPECT_NE(listener.warnings().find("Returning an empty timing cache."), std::string::npos);
}

TEST_F(SilNvinfer, WithoutADriverAPlanIsBuiltButNotLoaded) {
  sil::remove_driver();
  const std::string plan = plan_of(test::mlp_model());
  EXPECT_NE(plan, "");
  EXPECT_EQ(load(plan), nullptr);
  EXPECT_NE(listener.errors().find("In ScopedCudaStream (cudaError 35: "), std::string::npos)
      << listener.errors();
}

TEST_F(SilNvinfer, TheLogIsFloodedOnCommand) {
  sil::flood_log(500);
  const std::string plan = plan_of(test::mlp_model());
  EXPECT_GE(listener.count(), 500U);
}

TEST_F(SilNvinfer, TheBuilderCrashesOnCommand) {
  EXPECT_EXIT(
      {
        sil::crash_builder();
        plan_of(test::mlp_model());
      },
      testing::KilledBySignal(SIGSEGV), "");
}

TEST_F(SilNvinfer, TheRuntimesSettingsAreTakenAsTheyAre) {
  runtime.reset(nvinfer1::createInferRuntime(listener));
  EXPECT_TRUE(runtime->setMaxThreads(3));
  EXPECT_FALSE(runtime->setMaxThreads(0));
  EXPECT_EQ(runtime->getMaxThreads(), 3);
  EXPECT_FALSE(runtime->getEngineHostCodeAllowed());
  EXPECT_EQ(runtime->getTempfileControlFlags(), 3U);
  runtime->setTempfileControlFlags(0);
  EXPECT_EQ(runtime->getTempfileControlFlags(), 0U);
  runtime->setTemporaryDirectory("/no/such/folder");
  EXPECT_STREQ(runtime->getTemporaryDirectory(), "/no/such/folder");
  runtime->setDLACore(1);
  EXPECT_EQ(runtime->getDLACore(), -1);
  EXPECT_EQ(runtime->getNbDLACores(), 0);
  listener.clear();
  EXPECT_EQ(runtime->loadRuntime("/no/such/library"), nullptr);
  EXPECT_NE(listener.errors().find("Error Code 6"), std::string::npos);
}

TEST_F(SilNvinfer, TheLibrarySaysWhichReleaseItActs) {
  EXPECT_EQ(getInferLibVersion(), 100300);
  sil::fail_call("getInferLibVersion", 1, 100400);
  EXPECT_EQ(getInferLibVersion(), 100400) << "another release, on command";
}

}  // namespace
}  // namespace skua::sil_test::messages_tests
