// A run that is late has no result, now or later; its lane is free again when the device is done.
#include <chrono>
#include <thread>

#include "run_fixture.h"

namespace skua::test {
namespace {

constexpr std::int64_t kMs = 1'000'000;

std::int64_t now_ns() { return system_clock().monotonic_ns(); }

class TensorrtDeadline : public TensorrtRun, public testing::WithParamInterface<std::string> {
 protected:
  void SetUp() override {
    TensorrtRun::SetUp();
    config_.tensorrt_wait = GetParam();
    config_.tensorrt_cuda_graphs = false;
  }
  /// Runs the lane until it is not busy any more.
  static Status run_when_free(const Lane& lane) {
    for (int attempt = 0; attempt < 2000; ++attempt) {
      Status ran = lane->run(std::nullopt);
      if (ran.ok() || ran.error().reason != Reason::kLaneBusy) return ran;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return make_error(ErrorCode::kInference, Reason::kLaneBusy, "for two seconds");
  }
};

TEST_P(TensorrtDeadline, ComesBackAtTheDeadlineAndTheLaneRecovers) {
  const Lane lane = place(add_relu());
  write(lane->input(0), ramp(64));
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  sil::hang_work(kEnqueue, 1);
  const std::int64_t deadline_ns = now_ns() + 20 * kMs;
  EXPECT_TRUE(is_error(lane->run(deadline_ns), ErrorCode::kInference, Reason::kDeadlineMissed));
  EXPECT_GE(now_ns(), deadline_ns);
  EXPECT_LT(now_ns(), deadline_ns + 500 * kMs);  // a machine that is busy wakes late
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
  ASSERT_TRUE(is_ok(lane->run(now_ns() + 10'000 * kMs)));
  EXPECT_EQ(read<float>(lane->output(0)), add_relu_of(ramp(64)));
}

TEST_P(TensorrtDeadline, NoShapeIsChangedUnderARunThatIsGoingOn) {
  const Lane lane = place(dynamic_rows());
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  sil::hang_work(kEnqueue, 1);
  EXPECT_FALSE(lane->run(now_ns() + 5 * kMs).ok());
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
    sil::hang_work(kEnqueue, 1);
    EXPECT_FALSE(lane->run(now_ns() + 5 * kMs).ok());
  }
  EXPECT_EQ(sil::calls("cudaFreeHost"), 0);  // the device may still write there
}

TEST_P(TensorrtDeadline, ALaneThatGoesIsWaitedForAndGivesEverythingBack) {
  {
    const Lane lane = place(add_relu());
    ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
    sil::hang_work(kEnqueue, 1);
    EXPECT_FALSE(lane->run(now_ns() + 5 * kMs).ok());
    sil::release_hangs();
  }
  EXPECT_EQ(sil::live_objects(), sil::LiveObjects());
}

std::string wait_name(const testing::TestParamInfo<std::string>& info) { return info.param; }

INSTANTIATE_TEST_SUITE_P(Waits, TensorrtDeadline, testing::Values("spin", "block", "poll"), wait_name);

class TensorrtLateCopies : public TensorrtRun {};

TEST_F(TensorrtLateCopies, ALateGraphIsWaitedForToo) {
  config_.tensorrt_io_memory = "copied";
  const Lane lane = place(add_relu());
  write(lane->input(0), ramp(64));
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  ASSERT_TRUE(lane->has_graph());
  sil::hang_work("cudaGraphLaunch", 1);
  EXPECT_TRUE(is_error(lane->run(now_ns() + 5 * kMs), ErrorCode::kInference, Reason::kDeadlineMissed));
  EXPECT_TRUE(is_error(lane->run(std::nullopt), ErrorCode::kInference, Reason::kLaneBusy));
}

}  // namespace
}  // namespace skua::test
