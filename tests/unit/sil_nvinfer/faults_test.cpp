// Every call fails on command, wherever it is, and whoever checks what he gets survives it without a leak.
#include <set>

#include "runs_fixture.h"

namespace skua::sil_test {
namespace {

/// From a model to a result, giving up at the first thing that fails. True when it got through.
bool go_all_the_way(Listener& listener, const std::string& model) {
  const Owned<nvinfer1::IBuilder> builder(nvinfer1::createInferBuilder(listener));
  if (builder == nullptr) return false;
  const Owned<nvinfer1::INetworkDefinition> network(builder->createNetworkV2(0));
  const Owned<nvinfer1::IBuilderConfig> config(builder->createBuilderConfig());
  if (network == nullptr || config == nullptr) return false;
  const Owned<nvonnxparser::IParser> parser(nvonnxparser::createParser(*network, listener));
  if (parser == nullptr || !parser->parse(model.data(), model.size())) return false;
  auto* const profile = builder->createOptimizationProfile();
  if (profile == nullptr) return false;
  for (const auto select : {OptProfileSelector::kMIN, OptProfileSelector::kOPT, OptProfileSelector::kMAX}) {
    if (!profile->setDimensions("x", select, dims({2, 4}))) return false;
  }
  if (config->addOptimizationProfile(profile) != 0) return false;
  const Owned<nvinfer1::IHostMemory> plan(builder->buildSerializedNetwork(*network, *config));
  if (plan == nullptr || plan->data() == nullptr) return false;
  const Owned<nvinfer1::IRuntime> runtime(nvinfer1::createInferRuntime(listener));
  if (runtime == nullptr) return false;
  const Owned<nvinfer1::ICudaEngine> engine(runtime->deserializeCudaEngine(plan->data(), plan->size()));
  if (engine == nullptr || engine->getNbIOTensors() != 2) return false;
  const Owned<nvinfer1::IExecutionContext> context(engine->createExecutionContext());
  if (context == nullptr || !context->setInputShape("x", dims({2, 4}))) return false;
  void* memory = nullptr;
  cudaStream_t stream = nullptr;
  if (cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) != cudaSuccess) return false;
  bool is_done = cudaMalloc(&memory, 1024) == cudaSuccess;
  is_done = is_done && context->setTensorAddress("x", memory) &&
            context->setTensorAddress("y", static_cast<char*>(memory) + 512) &&
            context->inferShapes(0, nullptr) == 0 && context->enqueueV3(stream) &&
            cudaStreamSynchronize(stream) == cudaSuccess;
  cudaFree(memory);
  return cudaStreamDestroy(stream) == cudaSuccess && is_done;
}

TEST_F(SilNvinfer, EveryCallFailsOnCommandWithoutALeak) {
  const std::string model = test::dynamic_rows_model();
  ASSERT_TRUE(go_all_the_way(listener, model)) << listener.errors();
  const std::vector<std::string> functions = sil::functions();
  EXPECT_GT(functions.size(), 20U);
  const sil::LiveObjects before = sil::live_objects();
  std::set<std::string> harmless;
  for (const std::string& function : functions) {
    for (const int code : {1, 2, 5, 9}) {
      sil::reset();
      sil::fail_call(function, 1, code);
      if (go_all_the_way(listener, model)) harmless.insert(function);
      EXPECT_EQ(sil::calls(function) > 0, true) << function;
      EXPECT_EQ(sil::live_objects(), before) << function << ' ' << code;
    }
  }
  // What releases something does so all the same; these have nothing to fail with.
  const std::set<std::string> may_be = {"cudaFree", "cudaGetErrorString", "cudaStreamDestroy",
                                        "ICudaEngine::~ICudaEngine"};
  for (const std::string& function : harmless) {
    EXPECT_TRUE(may_be.count(function) == 1) << function << " was told to fail and nobody noticed";
  }
}

TEST_F(SilRuns, AnOrderedFailureSaysSoInItsOwnCode) {
  const auto engine = load(rows_plan());
  const auto context = placed(*engine, 1);
  Recorder recorder;
  context->setErrorRecorder(&recorder);
  sil::fail_call("IExecutionContext::enqueueV3", 2, 7);
  EXPECT_TRUE(context->enqueueV3(stream));
  EXPECT_FALSE(context->enqueueV3(stream));
  EXPECT_TRUE(context->enqueueV3(stream));
  EXPECT_EQ(recorder.codes, std::vector<nvinfer1::ErrorCode>{nvinfer1::ErrorCode::kFAILED_EXECUTION});
  context->setErrorRecorder(nullptr);
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
}

TEST_F(SilRuns, ALostDeviceRunsNothing) {
  const auto engine = load(rows_plan());
  const auto context = placed(*engine, 1);
  sil::fail_call("cudaStreamSynchronize", 1, cudaErrorLaunchFailure, true);
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaErrorLaunchFailure);
  EXPECT_FALSE(context->enqueueV3(stream));
  EXPECT_NE(listener.errors().find("cudaError 719: "), std::string::npos) << listener.errors();
  EXPECT_EQ(engine->createExecutionContext(), nullptr);
  sil::reset();
}

TEST_F(SilRuns, TooLittleDeviceMemoryIsOutOfMemory) {
  const std::string plan = rows_plan();
  sil::limit_device_memory(256);
  EXPECT_EQ(load(plan), nullptr);
  EXPECT_NE(listener.errors().find("OutOfMemory (no memory for "), std::string::npos) << listener.errors();
}

}  // namespace
}  // namespace skua::sil_test
