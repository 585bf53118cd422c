// A context that is made anew in flight: when, in what time, and never under work that is going on. The SDK's
// device faults where a context goes while its work runs.
#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

#include "run_clocks.h"
#include "run_fixture.h"

namespace skua::test {
namespace {

const std::string kMake = "ICudaEngine::createExecutionContext";
constexpr int kNoMemory = static_cast<int>(nvinfer1::ErrorCode::kFAILED_ALLOCATION);

std::int64_t now_ns() { return system_clock().monotonic_ns(); }

/// Time stands still until something has happened; from then on every deadline is over.
class JumpingClock final : public Clock {
 public:
  explicit JumpingClock(std::function<bool()> has_happened) : has_happened_(std::move(has_happened)) {}
  std::int64_t monotonic_ns() const noexcept override { return has_happened_() ? 1'000'000'000'000 : 0; }
  std::int64_t utc_us() const noexcept override { return 0; }

 private:
  std::function<bool()> has_happened_;
};

class TensorrtNewContext : public TensorrtRun {
 protected:
  void SetUp() override {
    TensorrtRun::SetUp();
    config_.tensorrt_cuda_graphs = false;
  }
};

TEST_F(TensorrtNewContext, IsNotBegunAfterTheDeadline) {
  const Lane lane = place(add_relu());
  check_right(lane);
  lose_context(lane);
  EXPECT_TRUE(is_error(lane->run(now_ns()), ErrorCode::kInference, Reason::kDeadlineMissed));
  EXPECT_EQ(sil::calls(kMake), 0);
  check_right(lane);
}

TEST_F(TensorrtNewContext, ThatTookTooLongIsKeptAndItsFrameMissed) {
  const JumpingClock clock([] { return sil::calls(kMake) > 0; });
  const Lane lane = place(add_relu());
  check_right(lane);
  lose_context(lane);
  clock_ = &clock;
  Lane late{lane.record, lane.plan, std::make_unique<trt::TrtExecution>(lane.plan, settings())};
  ASSERT_TRUE(is_ok(late->place(late.record)));
  sil::reset();
  ASSERT_TRUE(is_ok(late->run(std::nullopt)));
  lose_context(late);
  EXPECT_TRUE(is_error(late->run(100), ErrorCode::kInference, Reason::kDeadlineMissed));
  EXPECT_EQ(sil::calls(kEnqueue), 0);
  EXPECT_EQ(late->output(0).data, nullptr);
  check_right(late);
  EXPECT_EQ(sil::calls(kMake), 1);
}

// It has profile 0 from the beginning; setting it is a wait that no deadline ends.
TEST_F(TensorrtNewContext, WaitsForNothing) {
  const Lane lane = place(dynamic_rows());
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  lose_context(lane);
  ASSERT_TRUE(is_ok(lane->run(std::nullopt)));
  EXPECT_EQ(sil::calls(kMake), 1);
  EXPECT_EQ(sil::calls("cudaStreamSynchronize"), 0);
  EXPECT_EQ(sil::calls("IExecutionContext::setOptimizationProfileAsync"), 0);
}

TEST_F(TensorrtNewContext, IsMadeForWantOfMemoryOnlyWhenTheNextRunLacksItToo) {
  const Lane lane = place(add_relu());
  check_right(lane);
  const auto lack = [&lane] {
    sil::fail_call(kEnqueue, 1, kNoMemory);
    EXPECT_TRUE(is_error(lane->run(std::nullopt), ErrorCode::kOutOfMemory, Reason::kOutOfMemory));
  };
  sil::reset();
  for (int frame = 0; frame < 2; ++frame) {
    lack();
    check_right(lane);
  }
  EXPECT_EQ(sil::calls(kMake), 0);
  lack();
  lack();
  EXPECT_EQ(sil::calls(kMake), 0);
  check_right(lane);
  EXPECT_EQ(sil::calls(kMake), 1);
}

// Not even the event can be recorded: whether the work has ended must be asked of the stream.
TEST_F(TensorrtNewContext, IsNotMadeUnderTheWorkOfAFailedRun) {
  const Lane lane = place(add_relu());
  check_right(lane);
  sil::reset();
  sil::hang_work(kEnqueue, 1);
  sil::fail_call("cudaEventRecord", sil::kEveryCall, cudaErrorStreamCaptureInvalidated);
  EXPECT_TRUE(is_error(lane->run(now_ns() + 5 * kMs), ErrorCode::kInference, Reason::kExecutionFailed));
  std::atomic<bool> has_ended{false};
  Status next;
  std::thread running([&] {
    next = lane->run(now_ns() + 5 * kMs);
    has_ended = true;
  });
  // A context that goes now gives memory back, which waits for the work.
  while (!has_ended && sil::calls("cudaFree") == 0) std::this_thread::yield();
  sil::release_hangs();
  running.join();
  EXPECT_TRUE(is_error(next, ErrorCode::kInference, Reason::kLaneBusy));
  EXPECT_EQ(sil::calls(kMake), 0);
  ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  sil::reset();
  check_right(lane);
  EXPECT_FALSE(device_->is_lost());
}

TEST_F(TensorrtNewContext, GoesOnlyAfterItsWork) {
  const SteppingClock patient;  // the end of the lane waits for the device as long as that takes
  farewell_clock_ = &patient;
  {
    const Lane lane = place(add_relu());
    check_right(lane);
    sil::reset();
    sil::hang_work(kEnqueue, 1);
    EXPECT_FALSE(lane->run(now_ns() + 5 * kMs).ok());
    std::thread device([before = sil::calls("cudaStreamQuery")] {
      // The lane's end asks for its work, or gives memory back under it.
      while (sil::calls("cudaStreamQuery") == before && sil::calls("cudaFree") == 0)
        std::this_thread::yield();
      sil::release_hangs();
    });
    Lane& mutable_lane = const_cast<Lane&>(lane);
    mutable_lane.execution.reset();
    device.join();
  }
  EXPECT_FALSE(device_->is_lost());
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  EXPECT_EQ(sil::live_objects(), sil::LiveObjects());
}

}  // namespace
}  // namespace skua::test
