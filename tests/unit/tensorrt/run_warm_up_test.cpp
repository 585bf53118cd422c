// What the runs before the first real one leave behind, and which of their errors count.
#include "run_clocks.h"
#include "run_fixture.h"

namespace skua::test::run_warm_up_tests {
namespace {

class TensorrtWarmUp : public TensorrtRun {
 protected:
  static void check_right_at_opt(const Lane& lane) {
    EXPECT_EQ(lane->input(0).shape, (Shape{2, 4}));
    ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
    EXPECT_EQ(lane->output(0).shape, (Shape{2, 3}));
  }
  /// The same in the air, where nothing may be left to do.
  void check_sealed(const Lane& lane) {
    device_->seal();
    check_right_at_opt(lane);
    EXPECT_EQ(device_->allocations_after_seal(), 0U);
    EXPECT_EQ(sil::calls("ICudaEngine::createExecutionContext"), 0);
  }
};

TEST_F(TensorrtWarmUp, LeavesTheLaneAtOptWithItsGraph) {
  const Lane lane = place(dynamic_rows());
  ASSERT_TRUE(is_ok(lane->warm_up(lane.record)));
  EXPECT_TRUE(lane->has_graph());
  device_->seal();
  sil::reset();
  check_right_at_opt(lane);
  EXPECT_EQ(sil::calls("cudaGraphLaunch"), 1);
  EXPECT_EQ(sil::calls(kEnqueue), 0);
}

TEST_F(TensorrtWarmUp, RunsAtEveryEndOfTheProfile) {
  config_.tensorrt_cuda_graphs = false;
  const Lane lane = place(dynamic_rows());
  sil::reset();
  ASSERT_TRUE(is_ok(lane->warm_up(lane.record)));
  EXPECT_EQ(sil::calls("IExecutionContext::setInputShape"), 3);  // max, min, opt
  EXPECT_EQ(sil::calls(kEnqueue), 4);
}

TEST_F(TensorrtWarmUp, AStaticNetworkHasItsGraphToo) {
  const Lane lane = place(add_relu());
  ASSERT_TRUE(is_ok(lane->warm_up(lane.record)));
  EXPECT_TRUE(lane->has_graph());
}

TEST_F(TensorrtWarmUp, ADeviceLostInItIsItsError) {
  for (int nth = 1; nth <= 4; ++nth) {
    begin_again();
    device_ = std::make_shared<trt::DeviceState>(events_);
    const Lane lane = place(dynamic_rows());
    sil::fail_call("cudaEventRecord", nth, cudaErrorIllegalAddress, true);
    EXPECT_TRUE(is_error(lane->warm_up(lane.record), ErrorCode::kInference, Reason::kDeviceLost)) << nth;
    EXPECT_TRUE(device_->is_lost());
  }
}

TEST_F(TensorrtWarmUp, MemoryThatRunsOutInItIsItsError) {
  config_.tensorrt_cuda_graphs = false;
  const Lane lane = place(dynamic_rows());
  sil::fail_call(kEnqueue, 1, static_cast<int>(nvinfer1::ErrorCode::kFAILED_ALLOCATION));
  EXPECT_TRUE(is_error(lane->warm_up(lane.record), ErrorCode::kOutOfMemory, Reason::kOutOfMemory));
}

TEST_F(TensorrtWarmUp, ADeviceThatHangsInItIsItsError) {
  config_.tensorrt_wait = "poll";
  SteppingClock time;
  clock_ = &time;
  const Lane lane = place(dynamic_rows());
  sil::hang_work(kEnqueue, 1);
  time.step_by(kSecond);
  EXPECT_TRUE(
      is_error(lane->warm_up(lane.record), ErrorCode::kInference, Reason::kLaneBusy, "still at work"));
  sil::release_hangs();
}

// That is no matter of what the inputs hold.
TEST_F(TensorrtWarmUp, ThatNoRunHasAResultIsItsError) {
  const Lane lane = place(dynamic_rows());
  sil::fail_call(kEnqueue, sil::kEveryCall, static_cast<int>(nvinfer1::ErrorCode::kFAILED_COMPUTATION));
  EXPECT_TRUE(
      is_error(lane->warm_up(lane.record), ErrorCode::kInference, Reason::kExecutionFailed, "result"));
}

TEST_F(TensorrtWarmUp, AContextThatCannotBeMadeAnewInItIsItsError) {
  const Lane lane = place(non_zero(6));
  sil::fail_call(kEnqueue, 1, static_cast<int>(nvinfer1::ErrorCode::kUNSPECIFIED_ERROR));
  sil::fail_call("ICudaEngine::createExecutionContext", sil::kEveryCall, 6);
  EXPECT_TRUE(
      is_error(lane->warm_up(lane.record), ErrorCode::kInference, Reason::kExecutionFailed, "result"));
}

TEST_F(TensorrtWarmUp, DataWhoseResultHasNoRoomAreNoErrorOfIt) {
  const Lane lane = place(non_zero(6));
  write(lane->input(0), std::vector<float>(8, 1.0F));
  EXPECT_TRUE(is_ok(lane->warm_up(lane.record)));
}

// The inputs hold whatever they hold, so a run may have no result.
TEST_F(TensorrtWarmUp, AnotherErrorOfARunIsNone) {
  config_.tensorrt_cuda_graphs = false;
  for (int nth = 1; nth <= 4; ++nth) {
    device_ = std::make_shared<trt::DeviceState>(events_);
    const Lane lane = place(dynamic_rows());
    sil::fail_call(kEnqueue, nth, static_cast<int>(nvinfer1::ErrorCode::kFAILED_COMPUTATION));
    sil::fail_call(kEnqueue, nth + 1, static_cast<int>(nvinfer1::ErrorCode::kUNSPECIFIED_ERROR));
    EXPECT_TRUE(is_ok(lane->warm_up(lane.record))) << nth;
    sil::reset();
    check_sealed(lane);
  }
}

// It cost the run nothing; but the context that refused is not taken into the air.
TEST_F(TensorrtWarmUp, ARecordingThatSpoilsItsContextIsMendedInIt) {
  const Lane lane = place(dynamic_rows());
  sil::fail_call("cudaStreamEndCapture", sil::kEveryCall, cudaErrorStreamCaptureInvalidated);
  ASSERT_TRUE(is_ok(lane->warm_up(lane.record)));
  EXPECT_EQ(lane->graph_reason(), "capture_failed");
  sil::reset();
  check_sealed(lane);
}

}  // namespace
}  // namespace skua::test::run_warm_up_tests
