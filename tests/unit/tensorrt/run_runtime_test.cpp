// The runtime as its users have it: compiled engines, through the gate and the base, over the device.
#include <sstream>

#include "run_fixture.h"
#include "skua/runtime_factory.h"

namespace skua::test::run_runtime_tests {
namespace {

using ::testing::HasSubstr;

class TensorrtRuntimeTest : public TensorrtRuntimeScene {
 protected:
  static TensorMap input_of(const std::vector<float>& values) {
    Tensor x = Tensor::allocate(DType::kFloat32, {1, 64}).value();
    write(x.view(), values);
    TensorMap inputs;
    inputs.insert("x", std::move(x)).value();
    return inputs;
  }
};

TEST_F(TensorrtRuntimeTest, InfoAndDoctorSayWhatItRunsOn) {
  auto [runtime, device] = trt::create_observed_runtime(environment()).value();
  const EngineHandle handle = runtime->deserialize_engine(compile(*runtime, "net", add_relu())).value();
  const EngineInfo info = runtime->info(handle).value();
  EXPECT_THAT(info.device, HasSubstr("cuda:0"));
  EXPECT_THAT(info.device, HasSubstr("sil"));
  EXPECT_EQ(info.provider, "sil");
  EXPECT_THAT(info.sdk_version, HasSubstr("sil"));
  const SdkInfo sdk = trt::probe_sdk(environment().config).value();
  EXPECT_THAT(sdk.version, HasSubstr("sil"));
  EXPECT_THAT(sdk.providers, testing::Contains("sil"));
}

TEST_F(TensorrtRuntimeTest, TheSealReachesTheDeviceAndNothingIsTakenAfterIt) {
  auto [runtime, device] = trt::create_observed_runtime(environment()).value();
  const EngineHandle handle = runtime->deserialize_engine(compile(*runtime, "rows", dynamic_rows())).value();
  auto bound = runtime->bind(handle, runtime->create_lane("lane_a").value()).value();
  EXPECT_FALSE(device->is_sealed());
  runtime->seal();
  EXPECT_TRUE(device->is_sealed());
  sil::reset();
  for (const std::int64_t rows : {2, 5, 1, 2}) {
    ASSERT_TRUE(is_ok(bound.set_shape("x", {rows, 4})));
    ASSERT_TRUE(is_ok(bound.run()));
  }
  EXPECT_EQ(device->allocations_after_seal(), 0U);
  EXPECT_EQ(sil::calls("cudaMalloc") + sil::calls("cudaHostAlloc"), 0);
}

TEST_F(TensorrtRuntimeTest, LoadingLeavesEveryDeclaredLaneWithItsGraph) {
  auto [runtime, device] = trt::create_observed_runtime(environment()).value();
  const EngineHandle handle = runtime->deserialize_engine(compile(*runtime, "net", add_relu())).value();
  auto bound = runtime->bind(handle, runtime->create_lane("lane_a").value()).value();
  runtime->seal();
  sil::reset();
  ASSERT_TRUE(is_ok(bound.run()));
  EXPECT_EQ(sil::calls("cudaGraphLaunch"), 1);
  EXPECT_EQ(sil::calls(kEnqueue), 0);
}

TEST_F(TensorrtRuntimeTest, WithoutFreeMemoryNothingIsTakenAndResidentEnginesRun) {
  sil::make_discrete();
  auto [runtime, device] = trt::create_observed_runtime(environment()).value();
  const EngineCacheEntry resident_entry = compile(*runtime, "resident", add_relu());
  const EngineCacheEntry entry = compile(*runtime, "late", add_relu());
  const EngineHandle resident = runtime->deserialize_engine(resident_entry).value();
  const std::uint64_t held = device->held_bytes();
  sil::limit_device_memory(static_cast<std::size_t>(sil::live_objects().device_bytes + 100));
  const auto allocations = device->allocations();
  EXPECT_TRUE(
      is_error(runtime->deserialize_engine(entry), ErrorCode::kOutOfMemory, Reason::kOutOfMemory, "free"));
  EXPECT_EQ(device->allocations(), allocations);
  EXPECT_EQ(device->held_bytes(), held);
  EXPECT_TRUE(is_ok(runtime->infer(resident, input_of(ramp(64)))));
}

TEST_F(TensorrtRuntimeTest, OutOfMemoryInARunNamesBackboneAndFrame) {
  RuntimeEnvironment without_graphs = environment();
  without_graphs.config.tensorrt_cuda_graphs = false;
  auto [runtime, device] = trt::create_observed_runtime(without_graphs).value();
  const EngineHandle handle = runtime->deserialize_engine(compile(*runtime, "net", add_relu())).value();
  sil::fail_call(kEnqueue, 1, static_cast<int>(nvinfer1::ErrorCode::kFAILED_ALLOCATION));
  InferOptions options;
  options.frame = 42;
  EXPECT_TRUE(is_error(runtime->infer(handle, input_of(ramp(64)), options), ErrorCode::kOutOfMemory,
                       Reason::kOutOfMemory));
  const auto told = events_.of("c7.out_of_memory");
  ASSERT_EQ(told.size(), 1U);
  EXPECT_THAT(told[0].message, HasSubstr("net"));
  EXPECT_THAT(told[0].message, HasSubstr("42"));
  EXPECT_TRUE(is_ok(runtime->infer(handle, input_of(ramp(64)), options)));
}

TEST_F(TensorrtRuntimeTest, ALostDeviceFaultsTheRuntime) {
  auto [runtime, device] = trt::create_observed_runtime(environment()).value();
  const EngineCacheEntry entry = compile(*runtime, "net", add_relu());
  const EngineHandle handle = runtime->deserialize_engine(entry).value();
  sil::fail_call("cudaEventRecord", 1, cudaErrorIllegalAddress, true);
  EXPECT_TRUE(
      is_error(runtime->infer(handle, input_of(ramp(64))), ErrorCode::kInference, Reason::kDeviceLost));
  EXPECT_EQ(events_.of("c7.device_lost").size(), 1U);
  EXPECT_TRUE(is_error(trt::create_runtime(environment()), ErrorCode::kRuntimeNotAvailable,
                       Reason::kProviderNotAvailable));
  sil::reset();
  EXPECT_TRUE(
      is_error(runtime->infer(handle, input_of(ramp(64))), ErrorCode::kInference, Reason::kDeviceLost));
  EXPECT_TRUE(
      is_error(runtime->deserialize_engine(entry), ErrorCode::kEngineDeserialize, Reason::kDeviceLost));
  EXPECT_TRUE(sil::functions().empty());
}

/// The frame loop makes no texts; whoever goes first afterwards, the handles or the runtime, tells it, once.
TEST_F(TensorrtRuntimeTest, AReasonThatComesUpInFlightIsToldAfterIt) {
  for (const std::string order : {"bound handle runtime", "bound runtime handle", "runtime bound handle"}) {
    SCOPED_TRACE(order);
    begin_again();
    events_.clear();
    auto [runtime, device] = trt::create_observed_runtime(environment()).value();
    EngineHandle handle = runtime->deserialize_engine(compile(*runtime, "rows", dynamic_rows())).value();
    std::optional<BoundInference> bound =
        runtime->bind(handle, runtime->create_lane("lane_a").value()).value();
    runtime->seal();
    ASSERT_TRUE(is_ok(bound->set_shape("x", {3, 4})));
    ASSERT_TRUE(is_ok(bound->run()));
    EXPECT_TRUE(events_.of("c7.graph_unavailable").empty());
    std::istringstream words(order);
    for (std::string word; words >> word;) {
      if (word == "bound") bound.reset();
      if (word == "handle") handle = EngineHandle();
      if (word == "runtime") runtime.reset();
    }
    const auto told = events_.of("c7.graph_unavailable");
    ASSERT_EQ(told.size(), 1U);
    EXPECT_THAT(told[0].message, HasSubstr("sealed"));
  }
}

TEST_F(TensorrtRuntimeTest, NobodyIsToldAfterItsEnd) {
  auto [runtime, device] = trt::create_observed_runtime(environment()).value();
  runtime.reset();
  device->lose({trt::FaultClass::kDevice, cudaErrorIllegalAddress});
  EXPECT_TRUE(events_.of("c7.device_lost").empty());
}

TEST_F(TensorrtRuntimeTest, WithoutADriverThereIsNoRuntime) {
  sil::remove_driver();
  EXPECT_TRUE(is_error(trt::create_runtime(environment()), ErrorCode::kRuntimeNotAvailable,
                       Reason::kProviderNotAvailable, "driver"));
}

TEST_F(TensorrtRuntimeTest, EnginesMayOutliveTheirRuntime) {
  std::optional<BoundInference> bound;
  {
    auto [runtime, device] = trt::create_observed_runtime(environment()).value();
    const EngineHandle handle = runtime->deserialize_engine(compile(*runtime, "net", add_relu())).value();
    bound.emplace(runtime->bind(handle, runtime->create_lane("lane_a").value()).value());
  }
  EXPECT_TRUE(is_error(bound->run(), ErrorCode::kInference, Reason::kEngineReleased));
  bound.reset();
  EXPECT_EQ(sil::live_objects(), sil::LiveObjects());
}

}  // namespace
}  // namespace skua::test::run_runtime_tests
