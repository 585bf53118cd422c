// A run that is late has no result, now or later; its lane is free again when the device is done.
#include "becomes.h"
#include "run_clocks.h"
#include "run_fixture.h"

namespace skua::test {
namespace {

class TensorrtDeadline : public TensorrtRun, public testing::WithParamInterface<std::string> {
 protected:
  void SetUp() override {
    TensorrtRun::SetUp();
    config_.tensorrt_wait = GetParam();
    config_.tensorrt_cuda_graphs = false;
    clock_ = farewell_clock_ = &time_;
  }
  /// Runs the lane until it is not busy any more.
  static Status run_when_free(const Lane& lane) {
    Status ran;
    static_cast<void>(becomes([&] {
      ran = lane->run(std::nullopt);
      return ran.ok() || ran.error().reason != Reason::kLaneBusy;
    }));
    return ran;
  }
  /// A run whose work hangs, until its deadline.
  Status run_late(const Lane& lane) {
    sil::hang_work(kEnqueue, 1);
    time_.step_by(kMs);
    deadline_ns_ = time_.now_ns() + 20 * kMs;
    Status ran = lane->run(deadline_ns_);
    time_.step_by(0);
    return ran;
  }
  /// At the deadline, but for the looks that saw it.
  void expect_deadline() {
    EXPECT_GE(time_.now_ns(), deadline_ns_);
    EXPECT_LE(time_.now_ns(), deadline_ns_ + 2 * kMs);
  }

  SteppingClock time_;
  std::int64_t deadline_ns_ = 0;
};

TEST_P(TensorrtDeadline, ComesBackAtTheDeadlineAndTheLaneRecovers) {
  const Lane lane = place(add_relu());
  write(lane->input(0), ramp(64));
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  EXPECT_TRUE(is_error(run_late(lane), ErrorCode::kInference, Reason::kDeadlineMissed));
  expect_deadline();
  EXPECT_EQ(lane->output(0).data, nullptr);

  EXPECT_TRUE(is_error(lane->run(std::nullopt), ErrorCode::kInference, Reason::kLaneBusy));
  EXPECT_EQ(lane->output(0).data, nullptr);
  std::vector<float> next = ramp(64);
  for (float& value : next) value += 3.0F;
  write(lane->input(0), next);
  sil::release_hangs();
  ASSERT_TRUE(is_ok(run_when_free(lane)));
  EXPECT_EQ(read<float>(lane->output(0)), add_relu_of(next));
}

TEST_P(TensorrtDeadline, OneThatIsKeptChangesNothing) {
  const Lane lane = place(add_relu());
  write(lane->input(0), ramp(64));
  ASSERT_TRUE(is_ok(lane->run(time_.now_ns() + 1)));
  EXPECT_EQ(read<float>(lane->output(0)), add_relu_of(ramp(64)));
}

TEST_P(TensorrtDeadline, NoShapeIsChangedUnderARunThatIsGoingOn) {
  const Lane lane = place(dynamic_rows());
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  EXPECT_FALSE(run_late(lane).ok());
  EXPECT_TRUE(is_error(lane->set_input_shape(0, {3, 4}), ErrorCode::kInference, Reason::kLaneBusy));
  EXPECT_EQ(lane->input(0).shape, (Shape{2, 4}));
  sil::release_hangs();
  ASSERT_TRUE(is_ok(run_when_free(lane)));
  EXPECT_TRUE(is_ok(lane->set_input_shape(0, {3, 4})));
}

TEST_P(TensorrtDeadline, ALaneThatGoesWhileTheDeviceHangsLeavesItsMemoryAlone) {
  {
    const Lane lane = place(add_relu());
    ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
    EXPECT_FALSE(run_late(lane).ok());
    time_.step_by(kSecond);
  }
  EXPECT_EQ(sil::calls("cudaFreeHost"), 0);  // the device may still write there
}

TEST_P(TensorrtDeadline, ALaneThatGoesIsWaitedForAndGivesEverythingBack) {
  {
    const Lane lane = place(add_relu());
    ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
    EXPECT_FALSE(run_late(lane).ok());
    sil::release_hangs();
  }
  EXPECT_EQ(sil::live_objects(), sil::LiveObjects());
}

// Part of a failed run may hang. What is left of the frame is all the time there is to wait for it.
TEST_P(TensorrtDeadline, EndsTheWaitForWhatAFailedRunHasBegun) {
  const Lane lane = place(add_relu());
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  sil::fail_call("cudaEventRecord", 1, cudaErrorInvalidValue);
  EXPECT_TRUE(is_error(run_late(lane), ErrorCode::kInference, Reason::kExecutionFailed));
  expect_deadline();
  EXPECT_TRUE(is_error(lane->run(std::nullopt), ErrorCode::kInference, Reason::kLaneBusy));
  sil::release_hangs();  // the lane's end waits for its work
}

TEST_P(TensorrtDeadline, ALaneWhoseWorkCannotBeAskedAfterIsBusy) {
  const Lane lane = place(add_relu());
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  sil::fail_call("cudaEventRecord", 1, cudaErrorInvalidValue);
  sil::fail_call("cudaStreamQuery", 2, cudaErrorNotSupported);  // the first one judges the failure
  EXPECT_TRUE(is_error(run_late(lane), ErrorCode::kInference, Reason::kExecutionFailed));
  time_.step_by(kMs);
  EXPECT_TRUE(is_error(lane->run(time_.now_ns() + 5 * kMs), ErrorCode::kInference, Reason::kLaneBusy));
  time_.step_by(0);
  sil::release_hangs();
  EXPECT_TRUE(is_ok(run_when_free(lane)));
}

std::string wait_name(const testing::TestParamInfo<std::string>& info) { return info.param; }

INSTANTIATE_TEST_SUITE_P(Waits, TensorrtDeadline, testing::Values("spin", "block", "poll"), wait_name);

class TensorrtLateLane : public TensorrtRun {
 protected:
  void SetUp() override {
    TensorrtRun::SetUp();
    clock_ = farewell_clock_ = &time_;
  }
  SteppingClock time_;
};

// A device that hangs must not hang the load.
TEST_F(TensorrtLateLane, WithoutADeadlineAskingEndsAfterAMinute) {
  config_.tensorrt_cuda_graphs = false;
  for (const char* wait : {"spin", "poll"}) {
    config_.tensorrt_wait = wait;
    const Lane lane = place(add_relu());
    ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
    sil::hang_work(kEnqueue, 1);
    time_.step_by(kSecond);
    const std::int64_t begin_ns = time_.now_ns();
    EXPECT_TRUE(is_error(lane->run(std::nullopt), ErrorCode::kInference, Reason::kDeadlineMissed));
    EXPECT_GE(time_.now_ns(), begin_ns + 60 * kSecond);
    EXPECT_LE(time_.now_ns(), begin_ns + 62 * kSecond);
    time_.step_by(0);
    sil::release_hangs();
  }
}

TEST_F(TensorrtLateLane, ALateGraphIsWaitedForToo) {
  config_.tensorrt_io_memory = "copied";
  const Lane lane = place(add_relu());
  write(lane->input(0), ramp(64));
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  ASSERT_TRUE(lane->has_graph());
  sil::hang_work("cudaGraphLaunch", 1);
  time_.step_by(kMs);
  EXPECT_TRUE(is_error(lane->run(time_.now_ns() + 5 * kMs), ErrorCode::kInference, Reason::kDeadlineMissed));
  EXPECT_TRUE(is_error(lane->run(std::nullopt), ErrorCode::kInference, Reason::kLaneBusy));
}

}  // namespace
}  // namespace skua::test
