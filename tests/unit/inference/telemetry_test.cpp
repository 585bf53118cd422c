// Thermal state and frame events through the runtime.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "becomes.h"
#include "fake_cache.h"
#include "fake_runtime.h"
#include "sysfs_tree.h"
#include "temp_folder.h"

namespace skua::test {
namespace {

using ::testing::HasSubstr;

constexpr const char* kGpuAlert = "gpu-throttle-alert";

class TelemetryTest : public ::testing::Test {
 protected:
  RuntimeEnvironment environment(const std::filesystem::path& root) {
    RuntimeEnvironment environment;
    environment.host = fake_host();
    environment.role = Role::kGround;
    environment.events = &events_;
    environment.thermal_root = root;
    environment.config.thermal_poll_hz = 10.0;
    return environment;
  }

  /// The folder of the cooling device of this type.
  static std::string cooling_device(const SysfsTree& tree, std::string_view type) {
    for (int i = 0; i < 64; ++i) {
      const std::string folder = "/sys/class/thermal/cooling_device" + std::to_string(i);
      std::ifstream file(tree.path(folder + "/type"));
      std::string found;
      if (std::getline(file, found) && found == type) return folder;
    }
    ADD_FAILURE() << "no cooling device " << type;
    return "";
  }

  static bool becomes_available(const InferenceRuntime& runtime) {
    return becomes([&] { return runtime.thermal_state().is_telemetry_available; });
  }
  static bool becomes_throttled(const InferenceRuntime& runtime, bool is_throttled) {
    return becomes([&] { return runtime.thermal_state().thermal_throttle_active == is_throttled; });
  }

  FakeBehaviour behaviour_;
  RecordingSink events_;
};

TEST_F(TelemetryTest, BeforeTheStartNothingIsAvailable) {
  const SysfsTree tree("jetson_orin_nano_jp6");
  const FakeRuntime runtime(environment(tree.root()), behaviour_);
  EXPECT_FALSE(runtime.thermal_state().is_telemetry_available);
  EXPECT_FALSE(runtime.thermal_state().thermal_throttle_active);
  EXPECT_TRUE(std::isnan(runtime.thermal_state().gpu_temp_c));
}

TEST_F(TelemetryTest, AThrottleInSysfsIsSeenAndItsEndToo) {
  const SysfsTree tree("jetson_orin_nano_jp6");
  auto runtime = std::make_unique<FakeRuntime>(environment(tree.root()), behaviour_);
  ASSERT_TRUE(runtime->start_telemetry().ok());
  EXPECT_TRUE(becomes_available(*runtime));
  EXPECT_FALSE(runtime->thermal_state().thermal_throttle_active);
  const std::string alert = cooling_device(tree, kGpuAlert) + "/cur_state";
  tree.set(alert, "1");
  EXPECT_TRUE(becomes_throttled(*runtime, true));
  tree.set(alert, "0");
  EXPECT_TRUE(becomes_throttled(*runtime, false));
  runtime.reset();  // with its threads: the event of a state comes after the state
  EXPECT_EQ(events_.count("c7.thermal_transition"), 2);
}

/// From the change in sysfs to C4's view.
TEST_F(TelemetryTest, AThrottleIsVisibleWithinAPeriodAndNotMuchLater) {
  const SysfsTree tree("jetson_orin_nano_jp6");
  const std::string alert = cooling_device(tree, kGpuAlert) + "/cur_state";
  const auto ms_until_seen = [&](double hz) {
    tree.set(alert, "0");
    RuntimeEnvironment settings = environment(tree.root());
    settings.config.thermal_poll_hz = hz;
    FakeRuntime runtime(settings, behaviour_);
    EXPECT_TRUE(runtime.start_telemetry().ok());
    // The worst moment: just after a poll.
    EXPECT_TRUE(becomes_available(runtime));
    const std::int64_t changed = system_clock().monotonic_ns();
    tree.set(alert, "1");
    EXPECT_TRUE(becomes_throttled(runtime, true));
    return static_cast<double>(system_clock().monotonic_ns() - changed) / 1e6;
  };
  // A stall of a shared machine only lengthens it; code that is late is late both times.
  EXPECT_LE(std::min(ms_until_seen(2.0), ms_until_seen(2.0)), 1000.0)
      << "the stack's limit, at the rate of the airborne template";
  EXPECT_GT(std::max(ms_until_seen(0.8), ms_until_seen(0.8)), 1000.0)
      << "the control: a period of 1250 ms cannot keep it";
}

TEST_F(TelemetryTest, WithoutASensorTheStateStaysUnavailableAndThatIsTold) {
  const TempFolder empty;
  RuntimeEnvironment bare = environment(empty.path());
  bare.config.thermal_source = "linux";
  FakeRuntime runtime(bare, behaviour_);
  const Status started = runtime.start_telemetry();
  ASSERT_FALSE(started.ok());
  EXPECT_EQ(started.error().code, ErrorCode::kTelemetryUnavailable);
  EXPECT_EQ(events_.count("c7.telemetry_unavailable"), 1);
  EXPECT_EQ(events_.events.back().level, Level::kWarn);
  EXPECT_FALSE(runtime.thermal_state().is_telemetry_available);
}

TEST_F(TelemetryTest, StartingTwiceStartsOnce) {
  const SysfsTree tree("jetson_orin_nano_jp6");
  FakeRuntime runtime(environment(tree.root()), behaviour_);
  EXPECT_TRUE(runtime.start_telemetry().ok());
  EXPECT_TRUE(runtime.start_telemetry().ok());
}

class FrameEventTest : public TelemetryTest {
 protected:
  void SetUp() override {
    RuntimeEnvironment settings = environment("/");
    settings.config.per_frame_debug_log = true;
    runtime_ = std::make_unique<FakeRuntime>(settings, behaviour_);
    std::filesystem::create_directories(root_.path() / "cache");
    const EngineRecord record = publish_fake(root_.path() / "cache", fake_record("alpha"));
    handle_ = runtime_->deserialize_engine(to_entry(record, root_.path() / "cache")).value();
    lane_ = runtime_->create_lane("c2_vpr").value();
    options_.frame = 12345;
  }
  void fail_with(ErrorCode code, Reason reason) {
    behaviour_.fail_run = true;
    behaviour_.run_error = Error{code, reason, 7, {}};
  }

  TempFolder root_;
  std::unique_ptr<FakeRuntime> runtime_;
  EngineHandle handle_;
  Lane lane_;
  InferOptions options_;
};

TEST_F(FrameEventTest, AFailedBoundRunPostsOneEvent) {
  auto bound = runtime_->bind(handle_, lane_).value();
  fail_with(ErrorCode::kInference, Reason::kExecutionFailed);
  EXPECT_FALSE(bound.run(options_).ok());
  ASSERT_EQ(events_.frames.size(), 1U);
  const FrameEvent& posted = events_.frames.front();
  EXPECT_EQ(posted.kind, FrameEvent::Kind::kInferenceFailed);
  EXPECT_EQ(posted.reason, Reason::kExecutionFailed);
  EXPECT_EQ(posted.native_code, 7);
  EXPECT_EQ(posted.frame, 12345U);
  EXPECT_STREQ(posted.backbone.data(), "alpha");
}

TEST_F(FrameEventTest, OutOfMemoryIsAKindOfItsOwn) {
  auto bound = runtime_->bind(handle_, lane_).value();
  fail_with(ErrorCode::kOutOfMemory, Reason::kOutOfMemory);
  EXPECT_FALSE(bound.run(options_).ok());
  ASSERT_EQ(events_.frames.size(), 1U);
  const Event event = to_event(events_.frames.front());
  EXPECT_EQ(event.level, Level::kError);
  EXPECT_EQ(event.kind, "c7.out_of_memory");
  EXPECT_THAT(event.message, HasSubstr("C7 OOM during infer; backbone=alpha; frame=12345"));
}

TEST_F(FrameEventTest, ASuccessfulBoundRunPostsNothing) {
  auto bound = runtime_->bind(handle_, lane_).value();
  EXPECT_TRUE(bound.run(options_).ok());
  EXPECT_TRUE(events_.frames.empty());
}

TEST_F(FrameEventTest, ABoundRunThatOutlivesItsRuntimePostsNothing) {
  auto bound = runtime_->bind(handle_, lane_).value();
  runtime_.reset();
  EXPECT_FALSE(bound.run(options_).ok());
  EXPECT_TRUE(events_.frames.empty());
}

TEST_F(FrameEventTest, InferPostsItsTimingOnlyWhenAsked) {
  TensorMap inputs;
  inputs.insert("x", Tensor::allocate(DType::kFloat32, {kFakeElements}).value()).value();
  ASSERT_TRUE(runtime_->infer(handle_, inputs, options_).ok());
  ASSERT_EQ(events_.frames.size(), 1U);
  const Event event = to_event(events_.frames.front());
  EXPECT_EQ(event.level, Level::kDebug);
  EXPECT_EQ(event.kind, "c7.infer");
  EXPECT_THAT(event.message, HasSubstr("C7 infer backbone=alpha frame=12345 took="));
}

}  // namespace
}  // namespace skua::test
