// AdHoP: when it is asked, what its answer does to the position, and that every other answer is passed by.
#include <cmath>
#include <limits>

#include "flight/flight_statistics.h"
#include "flight_fixture.h"

namespace skua::flight {
namespace {

using namespace skua::flight::test;  // NOLINT(google-build-using-namespace)

class AdhopTest : public FlightFixture {
 protected:
  /// 44 to 46 of 64 matches agree: a share of about 0.7.
  void create_poor(double below_share = 0.9, double period_s = 1e-9) {
    settings_.adhop_below_share = below_share;
    settings_.adhop_min_period_s = period_s;
    create();
    behaviour_.spoiled_matches = 20;
  }
  void set_offsets(float x, float y) {
    for (std::size_t i = 0; i < 4; ++i) {
      behaviour_.corner_offsets[2 * i] = x;
      behaviour_.corner_offsets[2 * i + 1] = y;
    }
  }
  int asked() { return of(Network::kAdhop).runs - loaded_runs_; }
  void SetUp() override { loaded_runs_ = 0; }
  int loaded_runs_ = 0;
};

TEST_F(AdhopTest, IsAskedBelowTheShareAlone) {
  create_poor(0.6);
  loaded_runs_ = of(Network::kAdhop).runs;
  expect_position(run(pictures_[0]), 0, 0.0, 0.0);  // 0.7 is not below 0.6
  EXPECT_EQ(asked(), 0);
  behaviour_.spoiled_matches = 30;  // 34 or few more of 64
  expect_position(run(pictures_[0]), 0, 0.0, 0.0);
  EXPECT_EQ(asked(), 1);
}

TEST_F(AdhopTest, IsAskedOnceAPeriod) {
  create_poor(0.9, 3600.0);
  loaded_runs_ = of(Network::kAdhop).runs;
  for (int i = 0; i < 5; ++i) run(pictures_[0]);
  EXPECT_EQ(asked(), 1);
  create_poor(0.9, 1e-9);
  loaded_runs_ = of(Network::kAdhop).runs;
  for (int i = 0; i < 5; ++i) run(pictures_[0]);
  EXPECT_EQ(asked(), 5) << "the control: a period that has always passed";
}

TEST_F(AdhopTest, AFailureCountsForThePeriodToo) {
  create_poor(0.9, 3600.0);
  loaded_runs_ = of(Network::kAdhop).runs;
  behaviour_.fail(Network::kAdhop, Reason::kExecutionFailed, 1);
  for (int i = 0; i < 3; ++i) expect_position(run(pictures_[0]), 0, 0.0, 0.0);
  EXPECT_EQ(asked(), 1);
}

TEST_F(AdhopTest, WithoutAConsumerNothingIsRefined) {
  create_poor();
  pipeline_ = FramePipeline::create({vpr_.get(), rerank_.get(), matcher_.get(), nullptr}, *tiles_, *runtime_,
                                    settings_)
                  .value();
  const FrameResult result = run(pictures_[0]);
  expect_position(result, 0, 0.0, 0.0);
  EXPECT_FALSE(result.is_refined);
  EXPECT_EQ(result.took(Stage::kAdhop), 0);
}

/// The frame shows the reference's corners 2 right and 1 up of where the map has them: what the map says of a
/// point belongs to the point (2, -1) from there.
TEST_F(AdhopTest, ASureAnswerMovesThePositionByHand) {
  create_poor();
  set_offsets(2.0F, -1.0F);
  const FrameResult result = run(shifted(pictures_[3], 8, 0));
  expect_position(result, 3, 8.0 - 2.0, 0.0 + 1.0);
  EXPECT_TRUE(result.is_refined);
  EXPECT_GT(result.took(Stage::kAdhop), 0);
}

TEST_F(AdhopTest, NoOffsetsChangeNothing) {
  create_poor();
  const FrameResult result = run(shifted(pictures_[3], 8, 0));
  expect_position(result, 3, 8.0, 0.0);
  EXPECT_TRUE(result.is_refined);
}

TEST_F(AdhopTest, ItIsSureFromAHalfOn) {
  create_poor();
  set_offsets(2.0F, -1.0F);
  const float below = std::nextafter(0.5F, 0.0F), nan = std::numeric_limits<float>::quiet_NaN();
  for (const float confidence : {0.0F, below, nan}) {
    behaviour_.confidence = confidence;
    const FrameResult result = run(pictures_[3]);
    expect_position(result, 3, 0.0, 0.0);
    EXPECT_FALSE(result.is_refined) << confidence;
    EXPECT_GT(result.took(Stage::kAdhop), 0);
  }
  behaviour_.confidence = 0.5F;
  EXPECT_TRUE(run(pictures_[3]).is_refined);
}

TEST_F(AdhopTest, OffsetsThatAreNoMapArePassedBy) {
  create_poor();
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  const std::array<float, 8> wrong[] = {
      {nan, 0, 0, 0, 0, 0, 0, 0},
      {0, 0, 0, 0, inf, 0, 0, 0},
      {31, 0, -31, 0, -31, 0, 31, 0},                  // left and right changed places
      {0, 31, 0, 31, 0, -31, 0, -31},                  // upside down
      {0, 0, -31, 0, -31, -31, 0, -31},                // all in one point
      {15.5, 0, 15.5 - 31, 0, 15.5 - 31, 0, 15.5, 0},  // on one line
  };
  for (const auto& offsets : wrong) {
    behaviour_.corner_offsets = offsets;
    const FrameResult result = run(shifted(pictures_[3], 8, 0));
    expect_position(result, 3, 8.0, 0.0);
    EXPECT_FALSE(result.is_refined) << offsets[0] << ' ' << offsets[4];
  }
  set_offsets(1.0F, 0.0F);
  EXPECT_TRUE(run(pictures_[3]).is_refined) << "the control";
}

TEST_F(AdhopTest, AFailureIsPassedByAndALostDeviceIsNot) {
  create_poor();
  for (const Reason reason : {Reason::kExecutionFailed, Reason::kDeadlineMissed, Reason::kOutOfMemory}) {
    behaviour_.fail(Network::kAdhop, reason, 1);
    const FrameResult result = run(pictures_[2]);
    expect_position(result, 2, 0.0, 0.0);
    EXPECT_FALSE(result.is_refined);
  }
  behaviour_.fail(Network::kAdhop, Reason::kDeviceLost, 1, 0, 719);
  const FrameResult result = run(pictures_[2]);
  EXPECT_EQ(result.reason, Reason::kDeviceLost);
  EXPECT_EQ(result.failed_stage, Stage::kAdhop);
  EXPECT_EQ(result.native_code, 719);
}

TEST_F(AdhopTest, ARefinementThatIsLateIsNoPositionAndCountsForNone) {
  environment_.clock = &behind_;
  create_poor();
  FlightStatistics statistics;
  const FrameResult late = run_late(pictures_[2]);
  statistics.add(late);
  EXPECT_EQ(late.reason, Reason::kDeadlineMissed);
  EXPECT_EQ(late.failed_stage, Stage::kFrame);
  EXPECT_TRUE(late.is_refined) << "it was in time, and the frame was not";
  EXPECT_EQ(statistics.refined(), 0U);
  EXPECT_EQ(statistics.failed(Reason::kDeadlineMissed), 1U);
  statistics.add(run(pictures_[2]));
  EXPECT_EQ(statistics.refined(), 1U) << "control: without a deadline";
}

TEST_F(AdhopTest, ALostDeviceStaysTheReasonOfALateFrame) {
  environment_.clock = &behind_;
  create_poor();
  behaviour_.fail(Network::kAdhop, Reason::kDeviceLost, 1, 0, 719);
  const FrameResult result = run_late(pictures_[2]);
  EXPECT_EQ(result.reason, Reason::kDeviceLost);
  EXPECT_EQ(result.failed_stage, Stage::kAdhop);
  EXPECT_EQ(result.native_code, 719);
  EXPECT_EQ(run_late(pictures_[2]).reason, Reason::kDeadlineMissed) << "control: it was late";
}

/// The reference is what the tile shows, by the map, where the middle of the frame is.
TEST_F(AdhopTest, BothPatchesShowTheSamePlaceWhereTheMapIsRight) {
  create_consumers();
  std::vector<float> reference, query;
  of(Network::kAdhop).on_inputs = [&](const std::array<TensorView, 4>& inputs) {
    reference.assign(inputs[0].as<float>().begin(), inputs[0].as<float>().end());
    query.assign(inputs[1].as<float>().begin(), inputs[1].as<float>().end());
  };
  const Image frame = shifted(pictures_[1], 4, -3);
  Status status;
  Homography map{1, 0, 4, 0, 1, -3, 0, 0, 1};
  EXPECT_TRUE(adhop_->refine(frame, pictures_[1], map, status, {}));
  EXPECT_EQ(reference, query);
  EXPECT_EQ(query[0], static_cast<float>(frame.pixels[16 * kSide + 16]) / 255.0F) << "the middle";
  map = {1, 0, 5, 0, 1, -3, 0, 0, 1};
  EXPECT_TRUE(adhop_->refine(frame, pictures_[1], map, status, {}));
  EXPECT_NE(reference, query) << "the control";
}

/// Corners lie 15.5 from the middle; 3.1 outwards is a frame that shows everything 1.2 times as large.
TEST_F(AdhopTest, OffsetsOutwardsAreAScaleByHand) {
  create_consumers();
  behaviour_.corner_offsets = {-3.1F, -3.1F, 3.1F, -3.1F, 3.1F, 3.1F, -3.1F, 3.1F};
  Status status;
  Homography map{1, 0, 0, 0, 1, 0, 0, 0, 1};
  ASSERT_TRUE(adhop_->refine(pictures_[0], pictures_[0], map, status, {}));
  const Point point = map_point(map, {kCentre + 6.0, kCentre - 12.0});
  EXPECT_NEAR(point[0], kCentre + 5.0, 1e-5);
  EXPECT_NEAR(point[1], kCentre - 10.0, 1e-5);
}

/// A map that takes the frame far off the tile, or over its horizon, still reads only pixels of the tile.
TEST_F(AdhopTest, AMapThatLeavesTheTileReadsItsEdge) {
  create_consumers();
  for (const Homography& start :
       {Homography{1, 0, 1e300, 0, 1, -1e300, 0, 0, 1}, Homography{1, 0, 0, 0, 1, 0, -1.0 / kCentre, 0, 1}}) {
    Homography map = start;
    Status status;
    static_cast<void>(adhop_->refine(pictures_[0], pictures_[0], map, status, {}));
    EXPECT_TRUE(skua::test::is_ok(status));
  }
}

}  // namespace
}  // namespace skua::flight
