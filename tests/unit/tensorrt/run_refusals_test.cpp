// What a run, a new shape and a recording make of refused memory, of old reports and of a late device.
#include <thread>

#include "hot_path_counters.h"
#include "run_fixture.h"
#include "runtimes/tensorrt/cuda_device.h"
#include "runtimes/tensorrt/gpu_allocator.h"

namespace skua::test::run_refusals_tests {
namespace {

constexpr int kInternal = static_cast<int>(nvinfer1::ErrorCode::kINTERNAL_ERROR);
const std::string kMake = "ICudaEngine::createExecutionContext";
const std::string kSetShape = "IExecutionContext::setInputShape";

class TensorrtRunRefusals : public TensorrtRun {};

// --- memory of the engine's that is refused in a run ---

TEST_F(TensorrtRunRefusals, WantOfTheEnginesMemoryIsNoLostDevice) {
  const Lane lane = place(add_relu());
  sil::limit_device_memory(0);
  EXPECT_TRUE(is_error(lane->run(std::nullopt), ErrorCode::kOutOfMemory, Reason::kOutOfMemory));
  EXPECT_FALSE(device_->is_lost());
  sil::reset();
  check_right(lane);
}

TEST_F(TensorrtRunRefusals, WantOfMemoryIsForgottenByTheNextRun) {
  const Lane lane = place(add_relu());
  sil::limit_device_memory(0);
  EXPECT_FALSE(lane->run(std::nullopt).ok());
  sil::reset();
  sil::fail_call(kEnqueue, 1, kInternal);
  EXPECT_TRUE(is_error(lane->run(std::nullopt), ErrorCode::kInference, Reason::kDeviceLost));
}

TEST_F(TensorrtRunRefusals, AnAllocatorCountsWhatItRefusesAndLeavesNoErrorInCuda) {
  trt::GpuAllocator allocator(device_);
  sil::limit_device_memory(0);
  EXPECT_EQ(allocator.allocateAsync(1000, 256, 0, nullptr), nullptr);
  EXPECT_EQ(allocator.refusals(), 1U);
  EXPECT_EQ(allocator.last_refusal().kind, trt::FaultClass::kMemory);
  EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess);
  sil::reset();
  void* memory = nullptr;
  ASSERT_TRUE(
      run_with_failing_allocation(1, [&] { memory = allocator.allocateAsync(1000, 256, 0, nullptr); }));
  EXPECT_EQ(memory, nullptr);
  EXPECT_EQ(allocator.refusals(), 2U);
  EXPECT_EQ(allocator.allocateAsync(0, 256, 0, nullptr), nullptr);  // an answer, no refusal
  EXPECT_EQ(allocator.refusals(), 2U);
}

TEST_F(TensorrtRunRefusals, AnInternalErrorInARecordingIsARefusalToRecord) {
  const Lane lane = place(add_relu());
  sil::fail_call(kEnqueue, 2, kInternal);
  check_right(lane);
  EXPECT_FALSE(device_->is_lost());
  EXPECT_EQ(lane->graph_reason(), "enqueue_not_capturable");
  check_right(lane);
  EXPECT_EQ(sil::calls(kMake), 2);  // nothing is known of the one that said so
}

TEST_F(TensorrtRunRefusals, ARecordingThatLosesTheDeviceEndsTheRun) {
  const Lane lane = place(add_relu());
  sil::fail_call(kEnqueue, 2, kInternal, true);
  EXPECT_TRUE(is_error(lane->run(std::nullopt), ErrorCode::kInference, Reason::kDeviceLost));
  EXPECT_TRUE(device_->is_lost());
}

// --- reports, and answers of an earlier call ---

TEST_F(TensorrtRunRefusals, AReportOfARunDecidesNothingAboutALaterShape) {
  config_.tensorrt_cuda_graphs = false;
  const Lane lane = place(dynamic_rows());
  sil::report_beside(kEnqueue, 1, kInternal);
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  sil::fail_call(kSetShape, 1, 3);
  EXPECT_TRUE(is_error(lane->set_input_shape(0, {3, 4}), ErrorCode::kInference, Reason::kExecutionFailed));
  EXPECT_FALSE(device_->is_lost());
}

TEST_F(TensorrtRunRefusals, AnOldOverflowIsNoneOfTheNextRun) {
  config_.tensorrt_io_memory = "copied";
  const Lane lane = place(non_zero(6));
  write(lane->input(0), std::vector<float>(8, 1.0F));
  EXPECT_TRUE(is_error(lane->run(std::nullopt), ErrorCode::kInference, Reason::kOutputOverflow));
  sil::fail_call("cudaMemcpyAsync", 1, cudaErrorInvalidValue);
  EXPECT_TRUE(is_error(lane->run(std::nullopt), ErrorCode::kInference, Reason::kExecutionFailed));
}

TEST_F(TensorrtRunRefusals, AReportBesideARightRunAndAHarmlessErrorLoseNoDevice) {
  config_.tensorrt_cuda_graphs = false;
  const Lane lane = place(add_relu());
  sil::report_beside(kEnqueue, 1, kInternal);
  sil::fail_call("cudaEventRecord", 1, cudaErrorInvalidValue);
  EXPECT_TRUE(is_error(lane->run(std::nullopt), ErrorCode::kInference, Reason::kExecutionFailed));
  EXPECT_FALSE(device_->is_lost());
  check_right(lane);
}

// It was ours to refuse the memory, whatever TensorRT makes of that.
TEST_F(TensorrtRunRefusals, AnOverflowIsOneWhateverTensorrtReports) {
  const Lane lane = place(non_zero(6));
  write(lane->input(0), std::vector<float>(8, 1.0F));
  sil::report_beside(kEnqueue, 1, kInternal);
  EXPECT_TRUE(is_error(lane->run(std::nullopt), ErrorCode::kInference, Reason::kOutputOverflow));
  EXPECT_FALSE(device_->is_lost());
}

// --- what CUDA remembers of earlier calls ---

/// An error of whoever else uses CUDA on this thread.
void leave_error_behind(cudaError_t error) {
  std::size_t free = 0, total = 0;
  sil::fail_call("cudaMemGetInfo", 1, error);
  ASSERT_EQ(cudaMemGetInfo(&free, &total), error);
  ASSERT_EQ(cudaPeekAtLastError(), error);
}

TEST_F(TensorrtRunRefusals, AnErrorThatAnotherLeftBehindDecidesNoFault) {
  config_.tensorrt_cuda_graphs = false;
  const Lane lane = place(dynamic_rows());
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  for (const cudaError_t left : {cudaErrorNoDevice, cudaErrorStreamCaptureInvalidated}) {
    leave_error_behind(left);
    sil::fail_call(kEnqueue, 1, 3);
    const Status ran = lane->run(std::nullopt);
    EXPECT_TRUE(is_error(ran, ErrorCode::kInference, Reason::kExecutionFailed));
    EXPECT_EQ(ran.error().native_code, trt::kTensorrtCodes + 3);
    leave_error_behind(left);
    sil::fail_call(kSetShape, 1, 3);
    EXPECT_EQ(lane->set_input_shape(0, {3, 4}).error().native_code, trt::kTensorrtCodes + 3);
  }
  sil::reset();
  EXPECT_TRUE(is_ok(lane->run(std::nullopt)));
  EXPECT_EQ(sil::calls(kMake), 0);
  EXPECT_FALSE(device_->is_lost());
}

TEST_F(TensorrtRunRefusals, AnErrorThatAnotherLeftBehindDecidesNoLoad) {
  const std::string plan = build_plan(add_relu());
  leave_error_behind(cudaErrorInvalidDevice);
  EXPECT_TRUE(is_error(trt::PlanEngine::open(bytes_of(plan.substr(0, plan.size() / 2)), device_,
                                             trt::TrtContext::kLoad, "net"),
                       ErrorCode::kEngineDeserialize, Reason::kDeserializeFailed));
  const auto opened = trt::PlanEngine::open(bytes_of(plan), device_, trt::TrtContext::kLoad, "net").value();
  trt::TrtExecution execution(opened, settings());
  leave_error_behind(cudaErrorInvalidDevice);
  sil::fail_call(kMake, 1, 3);
  EXPECT_TRUE(is_error(execution.place(record_of(opened->facts(), add_relu())), ErrorCode::kEngineDeserialize,
                       Reason::kDeserializeFailed));
  EXPECT_FALSE(device_->is_lost());
}

TEST_F(TensorrtRunRefusals, NothingOfOursLeavesAnErrorBehind) {
  Lane lane = place(dynamic_rows());
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  sil::fail_call("cudaGraphExecDestroy", 1, cudaErrorStreamCaptureInvalidated);
  ASSERT_TRUE(is_ok(lane->set_input_shape(0, {3, 4})));
  EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess);
  sil::fail_call(kEnqueue, 1, 3);
  sil::fail_call("cudaStreamQuery", 2, cudaErrorNotSupported);
  EXPECT_FALSE(lane->run(std::nullopt).ok());
  EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess);
  for (const char* function : {"cudaFree", "cudaFreeHost", "cudaEventDestroy", "cudaStreamDestroy"})
    sil::fail_call(function, 1, cudaErrorInvalidValue);
  lane.execution.reset();
  EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess);
  trt::GpuAllocator allocator(device_);
  void* const memory = allocator.allocateAsync(100, 256, 0, nullptr);
  sil::fail_call("cudaFree", 1, cudaErrorInvalidValue);
  EXPECT_FALSE(allocator.deallocateAsync(memory, nullptr));
  EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess);
}

TEST_F(TensorrtRunRefusals, ADeviceThatSaysWhileLoadingThatItIsLostIsAskedNothing) {
  const std::string plan = build_plan(add_relu());
  sil::fail_call("cudaMalloc", 1, cudaErrorIllegalAddress, true);
  EXPECT_TRUE(is_error(trt::PlanEngine::open(bytes_of(plan), device_, trt::TrtContext::kLoad, "net"),
                       ErrorCode::kEngineDeserialize, Reason::kDeviceLost));
  EXPECT_THAT(sil::functions_since_failure(), testing::IsEmpty());
  begin_again();
  device_ = std::make_shared<trt::DeviceState>(events_);
  const auto opened = trt::PlanEngine::open(bytes_of(plan), device_, trt::TrtContext::kLoad, "net").value();
  trt::TrtExecution execution(opened, settings());
  sil::fail_call("cudaStreamCreateWithFlags", 1, cudaErrorIllegalAddress, true);
  EXPECT_TRUE(is_error(execution.place(record_of(opened->facts(), add_relu())), ErrorCode::kEngineDeserialize,
                       Reason::kDeviceLost));
  EXPECT_THAT(sil::functions_since_failure(), testing::IsEmpty());
}

// --- graphs ---

/// Ten seconds go by with each look at it, once a graph has been launched.
class HastyClock final : public Clock {
 public:
  std::int64_t monotonic_ns() const noexcept override {
    if (sil::calls("cudaGraphLaunch") > 0) now_ns_ += 10'000'000'000;
    return now_ns_;
  }
  std::int64_t utc_us() const noexcept override { return 0; }

 private:
  mutable std::int64_t now_ns_ = 0;
};

TEST_F(TensorrtRunRefusals, AGraphWhoseCheckIsLateIsNotUsed) {
  config_.tensorrt_wait = "poll";
  const HastyClock clock;
  clock_ = &clock;
  const Lane lane = place(add_relu());
  sil::hang_work("cudaGraphLaunch", 1);
  EXPECT_TRUE(is_error(lane->run(std::nullopt), ErrorCode::kInference, Reason::kDeadlineMissed));
  EXPECT_FALSE(lane->has_graph());
  sil::release_hangs();
  ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  sil::reset();
  check_right(lane);
  EXPECT_EQ(sil::calls("cudaGraphLaunch"), 0);
}

TEST_F(TensorrtRunRefusals, ARefusedShapeEndsTheGraphToo) {
  const Lane lane = place(dynamic_rows());
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  ASSERT_TRUE(lane->has_graph());
  sil::fail_call(kSetShape, 1, 3);
  EXPECT_FALSE(lane->set_input_shape(0, {3, 4}).ok());
  EXPECT_FALSE(lane->has_graph());
}

TEST_F(TensorrtRunRefusals, ANewContextMayHaveAGraphThatTheOldOneCouldNot) {
  const Lane lane = place(add_relu());
  sil::fail_call("cudaStreamEndCapture", 1, cudaErrorStreamCaptureInvalidated);
  check_right(lane);
  EXPECT_EQ(lane->graph_reason(), "capture_failed");
  check_right(lane);
  EXPECT_TRUE(lane->has_graph());
}

TEST_F(TensorrtRunRefusals, AGraphWhoseEndLosesTheDeviceIsTheLastThatIsTouched) {
  const Lane lane = place(add_relu());
  check_right(lane);
  sil::fail_call("cudaEventRecord", 1, cudaErrorStreamCaptureInvalidated);
  EXPECT_FALSE(lane->run(std::nullopt).ok());
  sil::reset();
  sil::fail_call("cudaGraphExecDestroy", 1, cudaErrorIllegalAddress, true);
  EXPECT_TRUE(is_error(lane->run(std::nullopt), ErrorCode::kInference, Reason::kDeviceLost));
  EXPECT_THAT(sil::functions_since_failure(), testing::IsEmpty());
}

TEST_F(TensorrtRunRefusals, BeforeItsWarmUpARuntimesLaneRecordsNothingAndInItOnce) {
  trt::LaneSettings as_the_runtime = settings();
  as_the_runtime.records_before_warm_up = false;
  const Lane other = place(dynamic_rows());
  Lane lane{other.record, other.plan, std::make_unique<trt::TrtExecution>(other.plan, as_the_runtime)};
  ASSERT_TRUE(is_ok(lane->place(lane.record)));
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));  // a golden run
  EXPECT_EQ(sil::calls("cudaStreamBeginCapture"), 0);
  ASSERT_TRUE(is_ok(lane->warm_up(lane.record)));
  EXPECT_EQ(sil::calls("cudaStreamBeginCapture"), 1);
  EXPECT_TRUE(lane->has_graph());
}

// --- memory ---

TEST_F(TensorrtRunRefusals, TheSmallestBlockThatFitsIsGiven) {
  trt::TemporaryMemory memory(device_);
  void* const great = memory.allocateAsync(4000, 256, 0, nullptr);
  void* const small = memory.allocateAsync(1000, 256, 0, nullptr);
  EXPECT_TRUE(memory.deallocateAsync(great, nullptr));
  EXPECT_TRUE(memory.deallocateAsync(small, nullptr));
  EXPECT_EQ(memory.allocateAsync(900, 256, 0, nullptr), small);
  EXPECT_EQ(memory.allocateAsync(3000, 256, 0, nullptr), great);
}

TEST_F(TensorrtRunRefusals, WhatAnotherThreadTakesIsNotTheNewContexts) {
  trt::GpuAllocator allocator(device_);
  device_->seal();
  const trt::ContextMemoryScope for_context;
  std::vector<void*> taken(2);
  std::thread([&] { taken[0] = allocator.allocateAsync(100, 256, 0, nullptr); }).join();
  taken[1] = allocator.allocateAsync(100, 256, 0, nullptr);
  const auto told = events_.of("c7.memory_after_seal");
  ASSERT_EQ(told.size(), 2U);
  EXPECT_THAT(told[0].message, testing::HasSubstr("of device memory"));
  EXPECT_THAT(told[1].message, testing::HasSubstr("of context memory"));
  for (void* const each : taken) EXPECT_TRUE(allocator.deallocateAsync(each, nullptr));
}

TEST_F(TensorrtRunRefusals, APlanWithStreamsOfItsOwnIsRefused) {
  const Lane lane = place(add_relu());
  trt::PlanFacts facts = lane.plan->facts();
  facts.auxiliary_streams = 1;
  EXPECT_TRUE(is_error(trt::check_plan(facts, lane.record), ErrorCode::kEngineDeserialize,
                       Reason::kContractMismatch, "auxiliary streams"));
}

// --- loading and asking ---

TEST_F(TensorrtRunRefusals, ADeviceLostWhilePlansAreReadIsSeen) {
  const std::string plan = build_plan(add_relu());
  for (const char* function : {"IRuntime::setGpuAllocator", "ICudaEngine::getNbIOTensors",
                               "ICudaEngine::getNbOptimizationProfiles"}) {
    begin_again();
    device_ = std::make_shared<trt::DeviceState>(events_);
    sil::fail_call(function, 1, 3, true);
    EXPECT_TRUE(is_error(trt::PlanEngine::open(bytes_of(plan), device_, trt::TrtContext::kLoad, "net"),
                         ErrorCode::kEngineDeserialize, Reason::kDeviceLost))
        << function;
    EXPECT_TRUE(device_->is_lost()) << function;
  }
}

TEST_F(TensorrtRunRefusals, AskingWhatIsThereLeavesTheDeviceAsItIsWaitedFor) {
  ASSERT_TRUE(is_ok(trt::open_device(cudaDeviceScheduleSpin)));
  ASSERT_TRUE(is_ok(trt::probe_sdk(config_)));
  unsigned flags = 0;
  ASSERT_EQ(cudaGetDeviceFlags(&flags), cudaSuccess);
  EXPECT_EQ(flags & cudaDeviceScheduleMask, static_cast<unsigned>(cudaDeviceScheduleSpin));
}

class TensorrtRuntimeWarmUps : public TensorrtRuntimeScene {};

TEST_F(TensorrtRuntimeWarmUps, AGoldenRunMakesNoGraphAndAWarmUpOne) {
  const auto observed = trt::create_observed_runtime(environment()).value();
  const EngineCacheEntry entry = compile(*observed.runtime, "rows", dynamic_rows());
  sil::reset();
  const EngineHandle handle = observed.runtime->deserialize_engine(entry).value();
  EXPECT_EQ(sil::calls("cudaStreamBeginCapture"), 2);  // one for each: the declared lane and infer()'s own
  EXPECT_GT(sil::calls(kEnqueue), 4);
}

TEST_F(TensorrtRuntimeWarmUps, HostMemoryThatRunsOutIsAnErrorOfItsCreation) {
  bool has_failed = true;
  int failed = 0;
  for (std::uint64_t nth = 1; has_failed; ++nth) {
    SCOPED_TRACE(nth);
    RuntimeEnvironment given = environment();
    has_failed = run_with_failing_allocation(nth, [&] {
      const auto made = trt::create_observed_runtime(std::move(given));
      EXPECT_TRUE(made.ok() || is_error(made, ErrorCode::kOutOfMemory, Reason::kOutOfMemory));
    });
    failed += has_failed ? 1 : 0;
  }
  EXPECT_GT(failed, 0);
}

}  // namespace
}  // namespace skua::test::run_refusals_tests
