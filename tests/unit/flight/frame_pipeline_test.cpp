// One frame after the other on networks that a test can work out by hand: where it is found, what it costs,
// and what the thermal state changes.
#include <chrono>
#include <thread>

#include "becomes.h"
#include "flight_fixture.h"
#include "hot_path_counters.h"

namespace skua::flight {
namespace {

using namespace skua::flight::test;  // NOLINT(google-build-using-namespace)
using skua::test::count_hot_path;

class FramePipelineTest : public FlightFixture {};

TEST_F(FramePipelineTest, FindsEveryTileAndThePlaceOnIt) {
  create();
  for (std::size_t tile = 0; tile < pictures_.size(); ++tile) {
    SCOPED_TRACE(tile);
    expect_position(run(pictures_[tile]), tile, 0.0, 0.0);
    expect_position(run(shifted(pictures_[tile], 8, -16)), tile, 8.0, -16.0);
  }
}

TEST_F(FramePipelineTest, TellsHowTheAnswerCameAbout) {
  create();
  const FrameResult result = run(shifted(pictures_[1], 16, 8), 99);
  EXPECT_EQ(result.frame, 99U);
  EXPECT_EQ(result.matches, 6U * 7U);  // the grid of 8 x 8 moved by two columns and a row
  EXPECT_EQ(result.inliers, result.matches);
  EXPECT_EQ(result.candidates, 3);
  EXPECT_FALSE(result.is_throttled);
  EXPECT_FALSE(result.is_refined);
  EXPECT_EQ(result.covariance, CovarianceMode::kMarginals);
  EXPECT_LT(result.deviation[0], 1e-3);  // exact matches
  EXPECT_EQ(result.native_code, 0);
}

TEST_F(FramePipelineTest, WrongMatchesAreOutvotedAndCounted) {
  create();
  behaviour_.spoiled_matches = 20;
  const FrameResult result = run(pictures_[2]);
  expect_position(result, 2, 0.0, 0.0);
  EXPECT_EQ(result.matches, 64U);
  EXPECT_LE(result.inliers, 46U);  // of the twenty a few may land within the bound by chance
  EXPECT_GE(result.inliers, 44U);
}

TEST_F(FramePipelineTest, APictureOfNoTileHasNoPositionAndTheNextOneHas) {
  create();
  const FrameResult result = run(noise_picture(77));
  EXPECT_EQ(result.reason, Reason::kNoPosition);
  EXPECT_EQ(result.failed_stage, Stage::kSolve);
  EXPECT_EQ(result.took(Stage::kSolve), 0);  // a stage that did not come to its end
  expect_position(run(pictures_[0]), 0, 0.0, 0.0);
}

TEST_F(FramePipelineTest, FewerInliersThanDemandedAreNoPosition) {
  settings_.min_inliers = 43;
  create();
  EXPECT_EQ(run(shifted(pictures_[1], 16, 8)).reason, Reason::kNoPosition);  // 42 matches
  EXPECT_EQ(run(shifted(pictures_[1], 8, 8)).reason, Reason::kNone) << "the control: 49";
}

TEST_F(FramePipelineTest, WhatIsOursIsTheFrameWithoutItsRuns) {
  behaviour_.of(Network::kVpr).on_run = [] { std::this_thread::sleep_for(std::chrono::milliseconds(5)); };
  settings_.adhop_below_share = 1.0;
  create();
  behaviour_.spoiled_matches = 20;
  const FrameResult result = run(pictures_[0]);
  std::int64_t runs = 0;
  for (const Stage stage : {Stage::kVpr, Stage::kFeatures, Stage::kRerank, Stage::kMatch, Stage::kAdhop}) {
    EXPECT_GT(result.took(stage), 0) << to_string(stage);
    runs += result.took(stage);
  }
  EXPECT_EQ(result.took(Stage::kOwn), result.took(Stage::kFrame) - runs);
  EXPECT_GE(result.took(Stage::kOwn), result.took(Stage::kSolve));
  EXPECT_GE(result.took(Stage::kVpr), 5'000'000) << "a sleep inside the run is the run's";
}

/// Counts what `frames` frames of `image` allocate and lock, behind one that warms up.
skua::test::HotPathCounts counts_of(FramePipeline& pipeline, const Image& image, Reason expected) {
  bool is_expected = pipeline.run(image, {}).reason == expected;
  const auto counts = count_hot_path([&] {
    for (int i = 0; i < 5; ++i) is_expected = pipeline.run(image, {}).reason == expected && is_expected;
  });
  EXPECT_TRUE(is_expected);
  return counts;
}

TEST_F(FramePipelineTest, AFrameAllocatesAndLocksNothingOfOurs) {
  settings_.adhop_below_share = 1.0;
  settings_.adhop_min_period_s = 1e-9;
  create();
  struct Case {
    const char* name;
    std::size_t spoiled;
    Image image;
    Reason reason;
  };
  const Case cases[] = {{"with a position", 0, shifted(pictures_[3], 8, 8), Reason::kNone},
                        {"refined by AdHoP", 20, pictures_[3], Reason::kNone},
                        {"without a position", 0, noise_picture(77), Reason::kNoPosition}};
  for (const Case& one : cases) {
    behaviour_.spoiled_matches = one.spoiled;
    const int adhops = of(Network::kAdhop).runs;
    const auto counts = counts_of(*pipeline_, one.image, one.reason);
    EXPECT_EQ(counts.allocations, 0U) << one.name;
    EXPECT_EQ(counts.locks, 0U) << one.name;
    EXPECT_EQ(of(Network::kAdhop).runs - adhops, one.spoiled > 0 ? 6 : 0) << one.name;
  }
}

TEST_F(FramePipelineTest, AFailedFrameAllocatesAndLocksNothingOfOurs) {
  create();
  for (const Network network : {Network::kVpr, Network::kFeatures, Network::kMatcher}) {
    behaviour_.fail(network, Reason::kExecutionFailed);
    const auto counts = counts_of(*pipeline_, pictures_[0], Reason::kExecutionFailed);
    EXPECT_EQ(counts.allocations + counts.locks, 0U) << kNetworkNames[static_cast<std::size_t>(network)];
    behaviour_.mend(network);
  }
}

/// The control of both: an allocation and a lock inside a run are seen.
TEST_F(FramePipelineTest, WhatANetworkAllocatesIsCounted) {
  create();
  std::mutex mutex;
  of(Network::kFeatures).on_run = [&] {
    const std::lock_guard lock(mutex);
    const std::vector<int> memory(100);
  };
  const auto counts = counts_of(*pipeline_, pictures_[0], Reason::kNone);
  EXPECT_EQ(counts.allocations, 5U);
  EXPECT_EQ(counts.locks, 5U);
}

/// A recording of one reading, again and again; afterwards the source is offline.
std::string recording(bool is_throttled) {
  std::string fields;
  for (const char* key : {"cpu_temp_c", "gpu_temp_c", "hottest_temp_c", "passive_trip_c", "critical_trip_c",
                          "throttle", "limit_reached", "throttle_events", "over_current_events",
                          "gpu_clock_mhz", "gpu_clock_max_mhz", "cpu_clock_mhz"}) {
    const std::string value = std::string(key) == "throttle" ? (is_throttled ? "1" : "0") : "50";
    const bool is_known = std::string(key) == "throttle" || std::string(key) == "cpu_temp_c";
    fields += std::string(fields.empty() ? "" : ",") + "\"" + key + "\":" +
              (is_known ? R"({"status":"value","value":)" + value + R"(,"origin":"test"})"
                        : R"({"status":"unsupported"})");
  }
  const std::string line = R"({"schema":1,"source":"linux","measured_at_ns":1,"fields":{)" + fields +
                           R"(},"throttle_causes":[]})" + "\n";
  std::string text;
  for (int i = 0; i < 1000; ++i) text += line;
  return text;
}

/// K and covariance of a frame under a recording.
TEST_F(FramePipelineTest, KAndTheCovarianceFollowTheThermalState) {
  for (const bool is_throttled : {true, false}) {
    environment_.config.thermal_source = "replay";
    environment_.config.thermal_replay = root_.write("thermal.jsonl", recording(is_throttled));
    environment_.config.thermal_poll_hz = 1.0;  // a reading is good for three seconds
    create();
    ASSERT_TRUE(skua::test::is_ok(runtime_->start_telemetry()));
    ASSERT_TRUE(skua::test::becomes([&] { return runtime_->thermal_state().is_telemetry_available; }));
    const FrameResult result = run(pictures_[0]);
    expect_position(result, 0, 0.0, 0.0);
    EXPECT_EQ(result.is_throttled, is_throttled);
    EXPECT_EQ(result.candidates, is_throttled ? 2 : 3);
    EXPECT_EQ(result.covariance, is_throttled ? CovarianceMode::kJacobian : CovarianceMode::kMarginals);
  }
}

}  // namespace
}  // namespace skua::flight
