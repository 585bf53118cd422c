// What lanes and engines of one process share: reports, the device's loss, recordings, memory that TensorRT
// takes for itself.
#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include "becomes.h"
#include "run_fixture.h"
#include "runtimes/tensorrt/cuda_device.h"
#include "runtimes/tensorrt/gpu_allocator.h"
#include "runtimes/tensorrt/lane_wait.h"

namespace skua::test::shared_device_tests {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kInternal = static_cast<int>(nvinfer1::ErrorCode::kINTERNAL_ERROR);
const std::string kMake = "ICudaEngine::createExecutionContext";

TEST(TensorrtReports, AreReadClearedAndWrittenAtOnce) {
  trt::ErrorRecorder recorder;
  std::atomic<bool> is_over{false};
  std::vector<std::thread> reporters;
  const std::array<std::string, 2> texts = {std::string(900, 'a'), std::string(400, 'b')};
  for (const std::string& text : texts) {
    reporters.emplace_back([&] {
      while (!is_over) recorder.reportError(nvinfer1::ErrorCode::kINVALID_STATE, text.c_str());
    });
  }
  int read = 0;
  int torn = 0;
  while (read < 2000) {
    const std::string said = recorder.text();
    recorder.clear();
    read += said.empty() ? 0 : 1;
    // Each report stands there as it was made: never the beginning of one and the end of another.
    torn += said.find("ab") != std::string::npos || said.find("ba") != std::string::npos ? 1 : 0;
  }
  is_over = true;
  for (std::thread& each : reporters) each.join();
  EXPECT_EQ(torn, 0);
}

class TensorrtSharedDevice : public TensorrtRun {};

TEST_F(TensorrtSharedDevice, AnEarlierReportDecidesNoLaterFault) {
  config_.tensorrt_cuda_graphs = false;
  const Lane lane = place(dynamic_rows());
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  sil::report_beside("IExecutionContext::setInputShape", 1, kInternal);
  ASSERT_TRUE(is_ok(lane->set_input_shape(0, {3, 4})));
  sil::fail_call("cudaEventRecord", 1, cudaErrorInvalidValue);
  EXPECT_TRUE(is_error(lane->run(std::nullopt), ErrorCode::kInference, Reason::kExecutionFailed));
  EXPECT_FALSE(device_->is_lost());
  EXPECT_TRUE(is_ok(lane->run(std::nullopt)));
  // Nor one that TensorRT itself reports: the first report of the call counts, not the first ever.
  sil::report_beside("IExecutionContext::setInputShape", 1, kInternal);
  ASSERT_TRUE(is_ok(lane->set_input_shape(0, {2, 4})));
  sil::fail_call(kEnqueue, 1, static_cast<int>(nvinfer1::ErrorCode::kFAILED_COMPUTATION));
  EXPECT_TRUE(is_error(lane->run(std::nullopt), ErrorCode::kInference, Reason::kExecutionFailed));
  EXPECT_FALSE(device_->is_lost());
}

// TensorRT was measured to send errors beside right answers.
TEST_F(TensorrtSharedDevice, AReportBesideARightAnswerIsNoRefusal) {
  const std::string plan = build_plan(dynamic_rows());
  for (const char* function :
       {"ICudaEngine::getHardwareCompatibilityLevel", "ICudaEngine::isRefittable",
        "ICudaEngine::getTensorShape", "ICudaEngine::getNbIOTensors", "IRuntime::getEngineHostCodeAllowed",
        "IRuntime::deserializeCudaEngine", "ICudaEngine::createExecutionContext",
        "IExecutionContext::setTensorAddress", "IExecutionContext::setInputShape",
        "IExecutionContext::setTemporaryStorageAllocator", "IExecutionContext::getTensorShape",
        "IExecutionContext::inferShapes"}) {
    sil::reset();
    sil::report_beside(function, 1, kInternal);
    auto opened = trt::PlanEngine::open(bytes_of(plan), device_, trt::TrtContext::kLoad, "net");
    ASSERT_TRUE(is_ok(opened)) << function;
    trt::TrtExecution execution(*opened, settings());
    EXPECT_TRUE(is_ok(execution.place(record_of((*opened)->facts(), dynamic_rows())))) << function;
    EXPECT_TRUE(is_ok(execution.run(std::nullopt))) << function;
    EXPECT_GT(sil::calls(function), 0) << function;
    EXPECT_FALSE(device_->is_lost()) << function;
  }
}

// Two calls answer nothing at all; then the report is the answer.
TEST_F(TensorrtSharedDevice, AReportOfACallWithoutAnAnswerIsARefusal) {
  const std::string plan = build_plan(add_relu());
  for (const char* function : {"IRuntime::setGpuAllocator", "IExecutionContext::setDeviceMemoryV2"}) {
    sil::reset();
    sil::fail_call(function, 1, 3);
    const auto refusal = [&]() -> Status {
      SKUA_ASSIGN_OR_RETURN(auto opened,
                            trt::PlanEngine::open(bytes_of(plan), device_, trt::TrtContext::kLoad, "net"));
      trt::TrtExecution execution(opened, settings());
      return execution.place(record_of(opened->facts(), add_relu()));
    }();
    EXPECT_TRUE(is_error(refusal, ErrorCode::kEngineDeserialize, Reason::kDeserializeFailed)) << function;
  }
}

// Each is told why its own context could not be made, though both ask one engine.
TEST_F(TensorrtSharedDevice, LanesThatMakeTheirContextsAnewAtOnceMixNothingUp) {
  config_.tensorrt_cuda_graphs = false;
  const Lane first = place(add_relu());
  Lane second{first.record, first.plan, std::make_unique<trt::TrtExecution>(first.plan, settings())};
  ASSERT_TRUE(is_ok(second->place(second.record)));
  for (const Lane* lane : {&first, static_cast<const Lane*>(&second)}) lose_context(*lane);
  sil::fail_call(kMake, sil::kEveryCall, 6);
  std::atomic<int> wrong{0};
  std::atomic<int> waiting{2};
  const auto rebuild = [&](const Lane& lane) {
    --waiting;
    while (waiting > 0) std::this_thread::yield();
    for (int round = 0; round < 2000; ++round) {
      const Status ran = lane->run(std::nullopt);
      wrong += ran.ok() || ran.error().native_code != trt::kTensorrtCodes + 6 ? 1 : 0;
    }
  };
  std::thread other([&] { rebuild(second); });
  rebuild(first);
  other.join();
  EXPECT_EQ(wrong, 0);
}

// --- memory that TensorRT takes for itself ---

TEST_F(TensorrtSharedDevice, TemporaryMemoryIsOursAndStays) {
  const Lane lane = place(non_zero(6));
  const auto placed = device_->allocations();
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  EXPECT_EQ(device_->allocations(), placed + 2);  // the run's, and what the engine takes for a new shape
  device_->seal();
  sil::reset();
  for (int frame = 0; frame < 3; ++frame) ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  EXPECT_EQ(device_->allocations_after_seal(), 0U);
  EXPECT_EQ(sil::calls("cudaMalloc") + sil::calls("cudaFree"), 0);
}

TEST_F(TensorrtSharedDevice, TemporaryBlocksAreGivenAgainButNotTwice) {
  trt::TemporaryMemory memory(device_);
  void* const first = memory.allocateAsync(1000, 256, 0, nullptr);
  ASSERT_NE(first, nullptr);
  void* const second = memory.allocateAsync(1000, 256, 0, nullptr);
  EXPECT_NE(second, first);
  EXPECT_TRUE(memory.deallocateAsync(first, nullptr));
  EXPECT_EQ(memory.allocateAsync(400, 256, 0, nullptr), first);
  EXPECT_TRUE(memory.deallocateAsync(first, nullptr));
  void* const greater = memory.allocateAsync(1001, 256, 0, nullptr);
  EXPECT_NE(greater, first);
  EXPECT_EQ(memory.allocateAsync(0, 256, 0, nullptr), nullptr);
  EXPECT_EQ(memory.allocateAsync(1, 4096, 0, nullptr), nullptr);
  int foreign = 0;
  EXPECT_FALSE(memory.deallocateAsync(&foreign, nullptr));
}

// TensorRT calls that an internal error, after which nothing could be believed.
TEST_F(TensorrtSharedDevice, WantOfTemporaryMemoryIsNoLostDevice) {
  const Lane lane = place(non_zero(6));
  sil::limit_device_memory(0);
  EXPECT_TRUE(is_error(lane->run(std::nullopt), ErrorCode::kOutOfMemory, Reason::kOutOfMemory));
  EXPECT_FALSE(device_->is_lost());
  sil::reset();
  EXPECT_TRUE(is_ok(lane->run(std::nullopt)));
}

TEST_F(TensorrtSharedDevice, WhatAContextMadeAnewTakesIsToldAsSuch) {
  const Lane lane = place(add_relu());
  check_right(lane);
  const auto held = device_->held_bytes();
  device_->seal();
  lose_context(lane);
  check_right(lane);
  EXPECT_EQ(device_->allocations_after_seal(), 2U);  // its own, and that of its first run
  EXPECT_EQ(device_->held_bytes(), held);
  const auto told = events_.of("c7.memory_after_seal");
  ASSERT_EQ(told.size(), 2U);
  for (const Event& each : told) {
    EXPECT_THAT(each.message, HasSubstr("of context memory"));
    EXPECT_THAT(each.message, HasSubstr("after a fault"));
  }
}

TEST_F(TensorrtSharedDevice, WantOfMemoryForANewContextIsNoLostDevice) {
  const Lane lane = place(add_relu());
  check_right(lane);
  lose_context(lane);
  sil::limit_device_memory(0);
  EXPECT_TRUE(is_error(lane->run(std::nullopt), ErrorCode::kOutOfMemory, Reason::kOutOfMemory));
  EXPECT_FALSE(device_->is_lost());
  sil::reset();
  check_right(lane);
}

// --- the device's loss ---

TEST_F(TensorrtSharedDevice, ALossIsTheProcesssAndToldByEachWhoMeetsIt) {
  trt::LossRecord loss{trt::kNotLost};
  KeptEvents other_events;
  trt::DeviceState first(events_, &loss), second(other_events, &loss);
  first.lose({trt::FaultClass::kDevice, 700});
  EXPECT_TRUE(second.is_lost());
  EXPECT_EQ(second.lost().native_code, 700);
  second.lose({trt::FaultClass::kDevice, 719});
  EXPECT_EQ(second.lost().native_code, 700);
  EXPECT_EQ(events_.of("c7.device_lost").size(), 1U);
  EXPECT_EQ(other_events.of("c7.device_lost").size(), 1U);
}

class TensorrtRuntimes : public TensorrtRuntimeScene {};

TEST_F(TensorrtRuntimes, ALossOfOneIsTheLossOfAllInTheProcess) {
  const auto first = trt::create_observed_runtime(environment()).value();
  KeptEvents second_events;
  RuntimeEnvironment second_environment = environment();
  second_environment.events = &second_events;
  auto second = trt::create_observed_runtime(std::move(second_environment)).value();
  const EngineHandle handle =
      second.runtime->deserialize_engine(compile(*second.runtime, "net", add_relu())).value();
  auto bound = second.runtime->bind(handle, second.runtime->create_lane("lane_a").value()).value();
  ASSERT_TRUE(is_ok(bound.run()));
  first.device->lose({trt::FaultClass::kDevice, 700});
  sil::reset();
  EXPECT_TRUE(is_error(bound.run(), ErrorCode::kInference, Reason::kDeviceLost));
  EXPECT_TRUE(is_error(trt::create_runtime(environment()), ErrorCode::kRuntimeNotAvailable,
                       Reason::kProviderNotAvailable, "start the program again"));
  const SdkInfo sdk = trt::probe_sdk(config_).value();  // what looks for an engine to use again asks this
  EXPECT_THAT(sdk.version, HasSubstr("sil"));
  EXPECT_THAT(sdk.providers, testing::Contains(HasSubstr("lost")));
  for (const std::string& function : sil::functions()) EXPECT_EQ(function, "getInferLibVersion");
  EXPECT_EQ(second_events.of("c7.device_lost").size(), 1U);
  EXPECT_EQ(events_.of("c7.device_lost").size(), 1U);
}

class TensorrtSharedWaits : public TensorrtSharedDevice, public testing::WithParamInterface<std::string> {};

TEST_P(TensorrtSharedWaits, AWaitEndsWhenAnotherLaneLosesTheDevice) {
  config_.tensorrt_wait = GetParam();
  config_.tensorrt_cuda_graphs = false;
  const Lane lane = place(add_relu());
  check_right(lane);
  sil::reset();
  sil::hang_work(kEnqueue, 1);
  Status ran;
  std::thread running([&] { ran = lane->run(system_clock().monotonic_ns() + std::int64_t{5'000'000'000}); });
  while (sil::calls("cudaEventQuery") == 0) std::this_thread::yield();
  const auto asked_before = sil::calls("cudaGetLastError");
  device_->lose({trt::FaultClass::kDevice, 700});
  running.join();
  EXPECT_TRUE(is_error(ran, ErrorCode::kInference, Reason::kDeviceLost));
  EXPECT_EQ(sil::calls("cudaGetLastError"), asked_before) << "a lost device is asked nothing";
}

std::string wait_name(const testing::TestParamInfo<std::string>& info) { return info.param; }

INSTANTIATE_TEST_SUITE_P(Waits, TensorrtSharedWaits, testing::Values("spin", "block", "poll"), wait_name);

// --- recording beside loading ---

// CUDA spoils a recording when somebody waits for the whole device meanwhile, and refuses the wait. What
// waits within TensorRT is its own affair, so it is kept out as a whole.
class TensorrtGate : public TensorrtSharedDevice {
 protected:
  /// Whether `act` has ended before a recording has that it was begun beside.
  bool ends_within_recording(const std::function<void()>& act) {
    const Lane lane = place(add_relu());
    write(lane->input(0), ramp(64));
    sil::reset();
    sil::hang_call("cudaStreamEndCapture", 1);
    std::thread recording([&] { EXPECT_TRUE(is_ok(lane->run(std::nullopt))); });
    while (sil::calls("cudaStreamEndCapture") == 0) std::this_thread::yield();
    std::atomic<bool> has_begun{false}, is_over{false};
    std::thread acting([&] {
      has_begun = true;
      act();
      is_over = true;
    });
    EXPECT_TRUE(becomes([&] { return has_begun.load(); }));
    for (int patience = 0; patience < 200 && !is_over; ++patience)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const bool was_over = is_over;
    sil::release_hangs();
    recording.join();
    acting.join();
    EXPECT_TRUE(lane->has_graph()) << lane->graph_reason();
    return was_over;
  }
  void check_kept_out(const std::function<void()>& act) { EXPECT_FALSE(ends_within_recording(act)); }
};

TEST_F(TensorrtGate, NoPlanIsOpenedWhileAGraphIsRecorded) {
  const std::string plan = build_plan(dynamic_rows());
  check_kept_out([&] {
    EXPECT_TRUE(is_ok(trt::PlanEngine::open(bytes_of(plan), device_, trt::TrtContext::kLoad, "net")));
  });
}

TEST_F(TensorrtGate, NoLaneIsPlacedWhileAGraphIsRecorded) {
  const Lane first = place(dynamic_rows());
  trt::TrtExecution second(first.plan, settings());
  check_kept_out([&] { EXPECT_TRUE(is_ok(second.place(first.record))); });
}

TEST_F(TensorrtGate, NoContextIsMadeAnewWhileAGraphIsRecorded) {
  config_.tensorrt_cuda_graphs = false;
  const Lane lane = place(dynamic_rows());
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  lose_context(lane);
  config_.tensorrt_cuda_graphs = true;
  check_kept_out([&] { EXPECT_TRUE(is_ok(lane->run(std::nullopt))); });
}

TEST_F(TensorrtGate, NoEngineEndsWhileAGraphIsRecorded) {
  const std::string plan = build_plan(dynamic_rows());
  auto engine = trt::PlanEngine::open(bytes_of(plan), device_, trt::TrtContext::kLoad, "net").value();
  check_kept_out([&] { engine.reset(); });
}

TEST_F(TensorrtGate, NoLaneEndsWhileAGraphIsRecorded) {
  const Lane first = place(dynamic_rows());
  auto second = std::make_unique<trt::TrtExecution>(first.plan, settings());
  ASSERT_TRUE(is_ok(second->place(first.record)));
  check_kept_out([&] { second.reset(); });
}

// It takes memory and gives it back, which CUDA forbids to the recording thread alone.
TEST_F(TensorrtGate, ARunAtANewShapeGoesOnBesideARecording) {
  config_.tensorrt_cuda_graphs = false;
  const Lane lane = place(dynamic_rows());
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  config_.tensorrt_cuda_graphs = true;
  const auto allocations = device_->allocations();
  EXPECT_TRUE(ends_within_recording([&] {
    EXPECT_TRUE(is_ok(lane->set_input_shape(0, {5, 4})));
    EXPECT_TRUE(is_ok(lane->run(std::nullopt)));
  }));
  EXPECT_GT(device_->allocations(), allocations);
}

// --- small ---

TEST_F(TensorrtSharedDevice, AnErrorSaysWhoRefused) {
  const Lane lane = place(add_relu());
  sil::fail_call("cudaHostAlloc", 1, cudaErrorMemoryAllocation);
  trt::TrtExecution without_memory(lane.plan, settings());
  const Status by_cuda = without_memory.place(lane.record);
  EXPECT_TRUE(is_error(by_cuda, ErrorCode::kOutOfMemory, Reason::kOutOfMemory, "CUDA refused: cudaError"));
  EXPECT_THAT(by_cuda.error().message, Not(HasSubstr("TensorRT refused")));
  sil::fail_call(kMake, 1, 6);
  trt::TrtExecution without_context(lane.plan, settings());
  EXPECT_TRUE(is_error(without_context.place(lane.record), ErrorCode::kEngineDeserialize,
                       Reason::kDeserializeFailed, "TensorRT refused: "));
}

TEST_F(TensorrtSharedDevice, AnInputThatIsReadOnTheHostIsRefused) {
  const auto opened =
      trt::PlanEngine::open(bytes_of(build_plan(add_relu())), device_, trt::TrtContext::kLoad, "net").value();
  trt::PlanFacts facts = opened->facts();
  const EngineRecord record = record_of(facts, add_relu());
  ASSERT_TRUE(is_ok(trt::check_plan(facts, record)));
  facts.inputs[0].is_host = true;
  EXPECT_TRUE(is_error(trt::check_plan(facts, record), ErrorCode::kEngineDeserialize,
                       Reason::kContractMismatch, "the host's"));
}

TEST_F(TensorrtSharedDevice, TheDeviceIsToldHowItIsWaitedFor) {
  for (const auto& [mode, expected] : {std::pair{trt::WaitMode::kSpin, cudaDeviceScheduleSpin},
                                       std::pair{trt::WaitMode::kBlock, cudaDeviceScheduleBlockingSync},
                                       std::pair{trt::WaitMode::kPoll, cudaDeviceScheduleBlockingSync}}) {
    ASSERT_TRUE(is_ok(trt::open_device(trt::device_flags_of(mode))));
    unsigned flags = 0;
    ASSERT_EQ(cudaGetDeviceFlags(&flags), cudaSuccess);
    EXPECT_EQ(flags & cudaDeviceScheduleMask, expected);
  }
}

}  // namespace
}  // namespace skua::test::shared_device_tests
