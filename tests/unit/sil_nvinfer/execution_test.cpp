// Engines and contexts of the software-in-the-loop runtime: they compute, in order, and fail on command.
#include "runs_fixture.h"

namespace skua::sil_test {
namespace {

using nvinfer1::TensorIOMode;

TEST_F(SilRuns, ADynamicNetworkComputes) {
  const auto engine = load(rows_plan());
  ASSERT_NE(engine, nullptr) << listener.errors();
  const auto context = placed(*engine, 2);
  EXPECT_EQ(context->inferShapes(0, nullptr), 0);
  EXPECT_EQ(sizes(context->getTensorShape("y")), (std::vector<std::int64_t>{2, 3}));
  x.write(numbers);
  ASSERT_TRUE(context->enqueueV3(stream)) << listener.errors();
  ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(y.read<float>(6), rows_by_hand(numbers));
}

TEST_F(SilRuns, AnEngineDescribesItself) {
  const auto engine = load(rows_plan());
  ASSERT_NE(engine, nullptr);
  ASSERT_EQ(engine->getNbIOTensors(), 2);
  EXPECT_STREQ(engine->getIOTensorName(0), "x");
  EXPECT_STREQ(engine->getIOTensorName(1), "y");
  EXPECT_EQ(engine->getIOTensorName(2), nullptr);
  EXPECT_EQ(engine->getTensorIOMode("x"), TensorIOMode::kINPUT);
  EXPECT_EQ(engine->getTensorIOMode("y"), TensorIOMode::kOUTPUT);
  EXPECT_EQ(engine->getTensorIOMode("nobody"), TensorIOMode::kNONE);
  EXPECT_EQ(sizes(engine->getTensorShape("x")), (std::vector<std::int64_t>{-1, 4}));
  EXPECT_EQ(engine->getTensorDataType("y"), nvinfer1::DataType::kFLOAT);
  EXPECT_EQ(engine->getNbOptimizationProfiles(), 1);
  EXPECT_EQ(sizes(engine->getProfileShape("x", 0, OptProfileSelector::kMAX)),
            (std::vector<std::int64_t>{8, 4}));
  EXPECT_EQ(engine->getProfileShape("x", 1, OptProfileSelector::kMAX).nbDims, -1);
  EXPECT_GT(engine->getDeviceMemorySizeV2(), 0);
  EXPECT_FALSE(engine->isRefittable());
  EXPECT_EQ(engine->getNbLayers(), 1);
}

TEST_F(SilRuns, AShapeOutsideOfTheProfileIsRefused) {
  const auto engine = load(rows_plan());
  const auto context = placed(*engine, 1);
  EXPECT_FALSE(context->setInputShape("x", dims({9, 4})));
  EXPECT_NE(listener.errors().find("lies outside of profile 0"), std::string::npos);
  EXPECT_FALSE(context->setInputShape("x", dims({2, 5})));
  EXPECT_FALSE(context->setInputShape("y", dims({2, 3})));
  EXPECT_EQ(sizes(context->getTensorShape("x")), (std::vector<std::int64_t>{1, 4})) << "as it was";
}

TEST_F(SilRuns, WhatIsMissingIsNamed) {
  const auto engine = load(rows_plan());
  const Owned<nvinfer1::IExecutionContext> context(engine->createExecutionContext());
  const char* names[4] = {};
  EXPECT_EQ(context->inferShapes(4, names), 1);
  EXPECT_STREQ(names[0], "x");
  EXPECT_FALSE(context->allInputDimensionsSpecified());
  EXPECT_FALSE(context->enqueueV3(stream));
  EXPECT_TRUE(context->setInputShape("x", dims({1, 4})));
  EXPECT_FALSE(context->enqueueV3(stream));
  EXPECT_NE(listener.errors().find("nobody has given an address for input x"), std::string::npos);
}

TEST_F(SilRuns, APointerOfTheHostIsFoundOut) {
  const auto engine = load(rows_plan());
  const auto context = placed(*engine, 1);
  std::vector<float> host(4);
  ASSERT_TRUE(context->setTensorAddress("x", host.data()));
  ASSERT_TRUE(context->enqueueV3(stream)) << "nobody looks before the device does";
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaErrorIllegalAddress);
}

TEST_F(SilRuns, WorkHappensWhenTheStreamGetsThere) {
  const auto engine = load(rows_plan());
  const auto context = placed(*engine, 1);
  x.write(std::vector<float>{1, 1, 1, 1});
  y.write(std::vector<float>{9, 9, 9});
  sil::hold_streams();
  ASSERT_TRUE(context->enqueueV3(stream));
  std::vector<float> early(3);
  std::memcpy(early.data(), sil::host_view(y.data(), 12), 12);
  EXPECT_EQ(early, (std::vector<float>{9, 9, 9})) << "whoever does not wait reads what was there";
  ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(y.read<float>(3), rows_by_hand({1, 1, 1, 1}));
}

TEST_F(SilRuns, AGraphReplaysARun) {
  const auto engine = load(rows_plan());
  const auto context = placed(*engine, 2);
  x.write(numbers);
  cudaGraph_t graph = nullptr;
  ASSERT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  EXPECT_FALSE(context->enqueueV3(stream)) << "the first run with a shape cannot be captured";
  EXPECT_NE(cudaStreamEndCapture(stream, &graph), cudaSuccess);
  cudaGetLastError();
  ASSERT_TRUE(context->enqueueV3(stream));
  ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  ASSERT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  ASSERT_TRUE(context->enqueueV3(stream)) << listener.errors();
  ASSERT_EQ(cudaStreamEndCapture(stream, &graph), cudaSuccess);
  cudaGraphExec_t executable = nullptr;
  ASSERT_EQ(cudaGraphInstantiate(&executable, graph, 0), cudaSuccess);
  cudaGraphDestroy(graph);
  for (const float factor : {2.0F, 3.0F}) {
    std::vector<float> scaled = numbers;
    for (float& value : scaled) value *= factor;
    x.write(scaled);
    ASSERT_EQ(cudaGraphLaunch(executable, stream), cudaSuccess);
    ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
    EXPECT_EQ(y.read<float>(6), rows_by_hand(scaled));
  }
  cudaGraphExecDestroy(executable);
}

TEST_F(SilRuns, InputsMayBeReusedAfterTheirEvent) {
  const auto engine = load(rows_plan());
  const auto context = placed(*engine, 1);
  cudaEvent_t consumed = nullptr;
  ASSERT_EQ(cudaEventCreateWithFlags(&consumed, cudaEventDisableTiming), cudaSuccess);
  ASSERT_TRUE(context->setInputConsumedEvent(consumed));
  x.write(std::vector<float>{1, 1, 1, 1});
  ASSERT_TRUE(context->enqueueV3(stream));
  EXPECT_EQ(cudaEventSynchronize(consumed), cudaSuccess);
  cudaStreamSynchronize(stream);
  cudaEventDestroy(consumed);
}

TEST_F(SilRuns, MemoryThatTheCallerManagesMustBeEnough) {
  const auto engine = load(rows_plan());
  const auto context = placed(*engine, 1, Strategy::kUSER_MANAGED);
  EXPECT_FALSE(context->enqueueV3(stream)) << "no memory yet";
  const std::int64_t bytes = engine->getDeviceMemorySizeV2();
  DeviceMemory scratch(static_cast<std::size_t>(bytes));
  context->setDeviceMemoryV2(scratch.data(), bytes - 1);
  EXPECT_FALSE(context->enqueueV3(stream)) << "too little is not taken";
  context->setDeviceMemoryV2(scratch.data(), bytes);
  x.write(std::vector<float>{1, 1, 1, 1});
  ASSERT_TRUE(context->enqueueV3(stream)) << listener.errors();
  ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
  EXPECT_EQ(y.read<float>(3), rows_by_hand({1, 1, 1, 1}));
}

TEST_F(SilRuns, MemoryThatIsGoneIsFoundOut) {
  const auto engine = load(rows_plan());
  const auto context = placed(*engine, 1, Strategy::kUSER_MANAGED);
  {
    DeviceMemory scratch(static_cast<std::size_t>(engine->getDeviceMemorySizeV2()));
    context->setDeviceMemoryV2(scratch.data(), engine->getDeviceMemorySizeV2());
  }
  ASSERT_TRUE(context->enqueueV3(stream));
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaErrorIllegalAddress);
}

TEST_F(SilRuns, ProfilesMayBeChanged) {
  Workshop workshop(listener);
  ASSERT_TRUE(workshop.parse(test::dynamic_rows_model()));
  ASSERT_EQ(workshop.add_profile("x", dims({1, 4}), dims({1, 4}), dims({2, 4})), 0);
  ASSERT_EQ(workshop.add_profile("x", dims({4, 4}), dims({8, 4}), dims({8, 4})), 1);
  const auto engine = load(workshop.build());
  ASSERT_NE(engine, nullptr) << listener.errors();
  EXPECT_LT(engine->getDeviceMemorySizeForProfileV2(0), engine->getDeviceMemorySizeForProfileV2(1) + 1);
  const auto context = placed(*engine, 2, Strategy::kON_PROFILE_CHANGE);
  EXPECT_EQ(context->getOptimizationProfile(), 0);
  EXPECT_FALSE(context->setInputShape("x", dims({8, 4})));
  EXPECT_FALSE(context->setOptimizationProfileAsync(2, stream));
  ASSERT_TRUE(context->setOptimizationProfileAsync(1, stream));
  EXPECT_EQ(sizes(context->getTensorShape("x")), (std::vector<std::int64_t>{-1, 4}))
      << "shapes are forgotten";
  ASSERT_TRUE(context->setInputShape("x", dims({8, 4})));
  EXPECT_TRUE(context->enqueueV3(stream)) << listener.errors();
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
}

/// Counts, and refuses from a certain call on.
class Allocator final : public nvinfer1::IGpuAsyncAllocator {
 public:
  void* allocateAsync(uint64_t const size, uint64_t const, nvinfer1::AllocatorFlags const,
                      cudaStream_t) noexcept override {
    void* memory = nullptr;
    if (calls++ >= most || cudaMalloc(&memory, size) != cudaSuccess) return nullptr;
    ++live;
    return memory;
  }
  bool deallocateAsync(void* const memory, cudaStream_t) noexcept override {
    --live;
    return cudaFree(memory) == cudaSuccess;
  }
  int calls = 0, live = 0, most = 1000;
};

TEST_F(SilRuns, AllMemoryComesFromTheAllocator) {
  const std::string plan = rows_plan();
  Allocator allocator;
  runtime.reset(nvinfer1::createInferRuntime(listener));
  runtime->setGpuAllocator(&allocator);
  {
    const auto engine = load(plan);
    EXPECT_EQ(allocator.live, 1) << "weights";
    const auto context = placed(*engine, 1);
    EXPECT_EQ(allocator.live, 3) << "activations, and what every context keeps";
    Allocator temporary;
    ASSERT_TRUE(context->setTemporaryStorageAllocator(&temporary));
    ASSERT_TRUE(context->enqueueV3(stream));
    EXPECT_EQ(temporary.calls, 0) << "all sizes are known";
    EXPECT_EQ(allocator.calls, 4) << "what the first run of a shape may take";
    ASSERT_TRUE(context->enqueueV3(stream));
    EXPECT_EQ(allocator.calls, 4) << "nothing while running";
    cudaStreamSynchronize(stream);
  }
  EXPECT_EQ(allocator.live, 0);
}

TEST_F(SilRuns, AnAllocatorThatRefusesIsOutOfMemory) {
  const std::string plan = rows_plan();
  Allocator allocator;
  allocator.most = 1;
  runtime.reset(nvinfer1::createInferRuntime(listener));
  runtime->setGpuAllocator(&allocator);
  const auto engine = load(plan);
  ASSERT_NE(engine, nullptr);
  EXPECT_EQ(engine->createExecutionContext(), nullptr);
  EXPECT_NE(listener.errors().find("OutOfMemory (no memory for "), std::string::npos);
  EXPECT_EQ(load(plan), nullptr);
  EXPECT_EQ(allocator.live, 1);
}

TEST_F(SilRuns, WhoeverWritesIntoARunsMemorySpoilsIt) {
  const auto engine = load(rows_plan());
  DeviceMemory scratch(static_cast<std::size_t>(engine->getDeviceMemorySizeV2()));
  const auto context = placed(*engine, 1, Strategy::kUSER_MANAGED);
  context->setDeviceMemoryV2(scratch.data(), engine->getDeviceMemorySizeV2());
  x.write(std::vector<float>{1, 1, 1, 1});
  for (int run = 0; run < 3; ++run) {  // one after the other they do not
    ASSERT_TRUE(context->enqueueV3(stream));
    ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess);
    EXPECT_EQ(y.read<float>(3), rows_by_hand({1, 1, 1, 1}));
  }
  // The output in the same place stands for a second run at the same time.
  ASSERT_TRUE(context->setTensorAddress("y", scratch.data()));
  ASSERT_TRUE(context->enqueueV3(stream));
  ASSERT_EQ(cudaStreamSynchronize(stream), cudaSuccess) << "nobody says so";
  EXPECT_EQ(scratch.read<unsigned char>(12), std::vector<unsigned char>(12, 0xA5));
}

TEST_F(SilRuns, TheInspectorNamesTypesOnlyInDetail) {
  Workshop workshop(listener);
  ASSERT_TRUE(workshop.parse(test::mlp_model()));
  workshop.config->setFlag(nvinfer1::BuilderFlag::kFP16);
  const auto text_of = [this](const std::string& plan) {
    const auto engine = load(plan);
    const Owned<nvinfer1::IEngineInspector> inspector(engine->createEngineInspector());
    return std::string(inspector->getEngineInformation(nvinfer1::LayerInformationFormat::kJSON));
  };
  const std::string names = text_of(workshop.build());
  EXPECT_NE(names.find("\"MatMul_h\""), std::string::npos) << names;
  EXPECT_EQ(names.find("Format/Datatype"), std::string::npos);
  workshop.config->setProfilingVerbosity(nvinfer1::ProfilingVerbosity::kDETAILED);
  const std::string detailed = text_of(workshop.build());
  EXPECT_NE(detailed.find("Row major linear FP16"), std::string::npos) << detailed;
  workshop.config->setFlag(nvinfer1::BuilderFlag::kOBEY_PRECISION_CONSTRAINTS);
  workshop.network->getLayer(0)->setPrecision(nvinfer1::DataType::kFLOAT);
  EXPECT_NE(text_of(workshop.build()), detailed) << "a pinned layer is told apart";
}

}  // namespace
}  // namespace skua::sil_test
