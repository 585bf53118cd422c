// When a lane has a graph, what its check sees, and that a graph never costs a run its result.
#include "hot_path_counters.h"
#include "run_clocks.h"
#include "run_fixture.h"

namespace skua::test {
namespace {

class TensorrtGraph : public TensorrtRun {
 protected:
  /// Why the last lane has no graph, as it was told, once.
  std::string told_reason() const {
    const auto told = events_.of("c7.graph_unavailable");
    EXPECT_EQ(told.size(), 1U);
    if (told.empty()) return "";
    return told[0].message.substr(told[0].message.rfind(' ') + 1);
  }
};

// The outputs still hold the run's bytes when the graph is launched: that they are there proves nothing.
TEST_F(TensorrtGraph, OneThatLeavesWorkOutIsSeen) {
  const std::map<std::pair<std::string, sil::Omission>, std::string> reasons = {
      {{"mapped", sil::Omission::work}, "capture_empty"},
      {{"mapped", sil::Omission::last_output}, "graph_differs"},
      {{"copied", sil::Omission::work}, "graph_differs"},  // the copies are there
      {{"copied", sil::Omission::last_output}, "graph_differs"},
      {{"copied", sil::Omission::uploads}, "graph_differs"}};  // the run's input is still there
  for (const auto& [way, reason] : reasons) {
    begin_again();
    events_.clear();
    config_.tensorrt_io_memory = way.first;
    const Lane lane = place(add_relu());
    sil::leave_out_of_graphs(way.second);
    check_right(lane);
    EXPECT_FALSE(lane->has_graph()) << way.first << reason;
    EXPECT_EQ(lane->graph_reason(), reason) << way.first;
    EXPECT_EQ(told_reason(), reason) << way.first;
    check_right(lane);
  }
}

TEST_F(TensorrtGraph, OneThatCannotRunIsNoFailureOfTheRunThatMadeIt) {
  for (const int code : {1, 2, 801, 901}) {
    for (const bool is_work : {false, true}) {
      SCOPED_TRACE(std::to_string(code) + (is_work ? " in its work" : " at its launch"));
      begin_again();
      events_.clear();
      const Lane lane = place(add_relu());
      if (is_work) {
        sil::fail_work("cudaGraphLaunch", 1, code);
      } else {
        sil::fail_call("cudaGraphLaunch", 1, code);
      }
      check_right(lane);
      EXPECT_EQ(told_reason(), "launch_failed");
      check_right(lane);
      EXPECT_EQ(lane->has_graph(), code == 901);  // which takes the context with it: a new one may have one
    }
  }
}

TEST_F(TensorrtGraph, OneThatLosesTheDeviceEndsTheRun) {
  const Lane lane = place(add_relu());
  sil::fail_call("cudaGraphLaunch", 1, cudaErrorIllegalAddress, true);
  EXPECT_TRUE(is_error(lane->run(std::nullopt), ErrorCode::kInference, Reason::kDeviceLost));
  EXPECT_EQ(lane->output(0).data, nullptr);
}

// Without its result, and not with the last one's; the ones that follow are enqueued.
TEST_F(TensorrtGraph, OneThatFailsInFlightLosesOneFrame) {
  Lane lane = place(add_relu());
  check_right(lane);
  ASSERT_TRUE(lane->has_graph());
  device_->seal();
  sil::fail_call("cudaGraphLaunch", 1, cudaErrorNotSupported);
  EXPECT_TRUE(is_error(lane->run(std::nullopt), ErrorCode::kInference, Reason::kExecutionFailed));
  EXPECT_EQ(lane->output(0).data, nullptr);
  EXPECT_EQ(lane->graph_reason(), "launch_failed");
  sil::reset();
  for (int frame = 0; frame < 3; ++frame) check_right(lane);
  EXPECT_EQ(sil::calls("cudaGraphLaunch"), 0);
  EXPECT_EQ(sil::calls("ICudaEngine::createExecutionContext"), 0);
  EXPECT_TRUE(events_.of("c7.graph_unavailable").empty()) << "the frame loop makes no texts";
  lane.execution.reset();
  EXPECT_EQ(told_reason(), "launch_failed");
}

TEST_F(TensorrtGraph, AShapeThatDoesNotChangeKeepsItAlsoAfterTheSeal) {
  const Lane lane = place(dynamic_rows());
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  ASSERT_TRUE(lane->has_graph());
  device_->seal();
  sil::reset();
  for (int frame = 0; frame < 3; ++frame) {
    ASSERT_TRUE(is_ok(lane->set_input_shape(0, {2, 4})));
    ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  }
  EXPECT_EQ(sil::calls("cudaGraphLaunch"), 3);
  EXPECT_EQ(sil::calls("IExecutionContext::setInputShape"), 0);
}

// TensorRT has not taken the shape that it refused, and may not have kept the one before.
TEST_F(TensorrtGraph, AfterARefusedShapeTheOldOneIsSetAgain) {
  const Lane lane = place(dynamic_rows());
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  sil::fail_call("IExecutionContext::setInputShape", 1, 3);
  EXPECT_FALSE(lane->set_input_shape(0, {3, 4}).ok());
  sil::reset();
  ASSERT_TRUE(is_ok(lane->set_input_shape(0, {2, 4})));
  EXPECT_EQ(sil::calls("IExecutionContext::setInputShape"), 1);
}

TEST_F(TensorrtGraph, WhatFailedAtOneShapeIsTriedAtTheNext) {
  const Lane lane = place(dynamic_rows());
  sil::fail_call("cudaStreamEndCapture", 1, cudaErrorStreamCaptureUnsupported);
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  EXPECT_EQ(lane->graph_reason(), "capture_failed");
  ASSERT_TRUE(is_ok(lane->set_input_shape(0, {3, 4})));
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  EXPECT_TRUE(lane->has_graph());
}

TEST_F(TensorrtGraph, AfterTheSealALaneThatLosesItsOwnSaysSoOnce) {
  Lane lane = place(dynamic_rows());
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  device_->seal();
  for (const std::int64_t rows : {3, 2, 5}) {
    ASSERT_TRUE(is_ok(lane->set_input_shape(0, {rows, 4})));
    ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  }
  EXPECT_TRUE(events_.of("c7.graph_unavailable").empty()) << "the frame loop makes no texts";
  lane.execution.reset();
  EXPECT_EQ(told_reason(), "sealed");
}

TEST_F(TensorrtGraph, ANetworkThatRefusesToBeRecordedIsTold) {
  const Lane lane = place(add_relu());
  sil::fail_call(kEnqueue, 2, static_cast<int>(nvinfer1::ErrorCode::kUNSUPPORTED_STATE));
  check_right(lane);
  EXPECT_EQ(told_reason(), "enqueue_not_capturable");
  check_right(lane);
}

TEST_F(TensorrtGraph, DataDependentOutputsAreTold) {
  const Lane lane = place(non_zero(6));
  EXPECT_EQ(told_reason(), "data_dependent_outputs");
}

TEST_F(TensorrtGraph, WantOfHostMemoryIsTold) {
  const Lane lane = place(add_relu());
  write(lane->input(0), ramp(64));
  Status ran;
  ASSERT_TRUE(run_with_failing_allocation(1, [&] { ran = lane->run(std::nullopt); }));
  EXPECT_TRUE(is_ok(ran));
  EXPECT_EQ(read<float>(lane->output(0)), add_relu_of(ramp(64)));
  EXPECT_EQ(told_reason(), "no_memory");
}

// The SDK's device faults where a graph outlives its context.
TEST_F(TensorrtGraph, ItGoesWithItsContext) {
  const Lane lane = place(add_relu());
  check_right(lane);
  ASSERT_TRUE(lane->has_graph());
  sil::fail_call("cudaEventRecord", 1, cudaErrorStreamCaptureInvalidated);
  EXPECT_FALSE(lane->run(std::nullopt).ok());
  check_right(lane);
  EXPECT_EQ(sil::calls("ICudaEngine::createExecutionContext"), 2);
  EXPECT_FALSE(device_->is_lost());
}

// Making one takes as long as a few runs.
TEST_F(TensorrtGraph, ARunWithADeadlineMakesNone) {
  const SteppingClock clock;
  clock_ = &clock;
  const Lane lane = place(add_relu());
  ASSERT_TRUE(is_ok(lane->run(clock.now_ns() + 1)));
  EXPECT_EQ(sil::calls("cudaStreamBeginCapture"), 0);
  check_right(lane);
  EXPECT_TRUE(lane->has_graph());
}

}  // namespace
}  // namespace skua::test
