// A network that fails costs the frame, or only the pair, and never the next frame.
#include <thread>

#include "flight_fixture.h"

namespace skua::flight {
namespace {

using namespace skua::flight::test;  // NOLINT(google-build-using-namespace)
using skua::test::is_ok;

class FrameFaultsTest : public FlightFixture {
 protected:
  static constexpr int kRerankPairs = 4, kMatchPairs = 3;
  void expect_failed(const FrameResult& result, Reason reason, Stage stage, int native_code) {
    EXPECT_EQ(result.reason, reason) << to_string(result.reason);
    EXPECT_EQ(result.failed_stage, stage) << to_string(result.failed_stage);
    EXPECT_EQ(result.native_code, native_code);
    EXPECT_FALSE(result.has_position());
    expect_position(run(pictures_[1]), 1, 0.0, 0.0);  // the control: the next one
  }
};

struct WholeFault {
  Network network;
  int count, skip;
  Stage stage;
};

/// Runs of one frame: the matcher's first four are the re-ranking's, the next three C3's.
const WholeFault kWholeFaults[] = {{Network::kVpr, 1, 0, Stage::kVpr},
                                   {Network::kFeatures, 1, 0, Stage::kFeatures},
                                   {Network::kMatcher, 4, 0, Stage::kRerank},
                                   {Network::kMatcher, 3, 4, Stage::kMatch}};

TEST_F(FrameFaultsTest, AFailedStageIsNamedWithItsReasonAndTheNextFrameRuns) {
  create();
  for (const WholeFault& fault : kWholeFaults) {
    SCOPED_TRACE(to_string(fault.stage));
    for (const Reason reason : {Reason::kExecutionFailed, Reason::kDeadlineMissed, Reason::kDeviceLost}) {
      behaviour_.fail(fault.network, reason, fault.count, fault.skip, 42);
      expect_failed(run(pictures_[2]), reason, fault.stage, 42);
    }
  }
}

TEST_F(FrameFaultsTest, AFailedStageKeepsTheStagesBehindItFromRunning) {
  create();
  const int before = of(Network::kFeatures).runs, matched = of(Network::kMatcher).runs;
  behaviour_.fail(Network::kVpr, Reason::kExecutionFailed, 1);
  const FrameResult result = run(pictures_[0]);
  EXPECT_EQ(of(Network::kFeatures).runs, before);
  EXPECT_EQ(of(Network::kMatcher).runs, matched);
  EXPECT_EQ(result.took(Stage::kFeatures) + result.took(Stage::kMatch) + result.took(Stage::kSolve), 0);
  EXPECT_GT(result.took(Stage::kFrame), 0);
}

TEST_F(FrameFaultsTest, OneFailedPairOfTheRerankingIsDropped) {
  create();
  for (int pair = 0; pair < kRerankPairs; ++pair) {
    behaviour_.fail(Network::kMatcher, Reason::kExecutionFailed, 1, pair);
    const int before = of(Network::kMatcher).runs;
    const FrameResult result = run(pictures_[0]);
    EXPECT_EQ(of(Network::kMatcher).runs - before, kRerankPairs + kMatchPairs);
    EXPECT_EQ(result.candidates, 3);  // the three that are left
    // The frame's own tile looks most alike, so it is the first pair: without it there is nothing to find.
    EXPECT_EQ(result.reason, pair == 0 ? Reason::kNoPosition : Reason::kNone) << pair;
  }
}

TEST_F(FrameFaultsTest, OneFailedPairOfTheMatchingIsDropped) {
  create();
  for (int pair = 0; pair < kMatchPairs; ++pair) {
    behaviour_.fail(Network::kMatcher, Reason::kExecutionFailed, 1, kRerankPairs + pair);
    const FrameResult result = run(pictures_[0]);
    EXPECT_EQ(result.candidates, 3);
    EXPECT_EQ(result.reason, pair == 0 ? Reason::kNoPosition : Reason::kNone) << pair;
  }
}

TEST_F(FrameFaultsTest, ADeviceLostInAnyPairIsTheFramesReason) {
  create();
  for (int pair = 0; pair < kRerankPairs + kMatchPairs; ++pair) {
    SCOPED_TRACE(pair);
    behaviour_.fail(Network::kMatcher, Reason::kDeviceLost, 1, pair, 7);
    expect_failed(run(pictures_[0]), Reason::kDeviceLost,
                  pair < kRerankPairs ? Stage::kRerank : Stage::kMatch, 7);
  }
}

TEST_F(FrameFaultsTest, ADeviceLostBehindAnotherFailureIsTheFramesReason) {
  create();
  of(Network::kMatcher).on_run = [&] {
    NetworkBehaviour& matcher = of(Network::kMatcher);
    if (matcher.runs == matcher.fail_from + 2) matcher.error.reason = Reason::kDeviceLost;
  };
  behaviour_.fail(Network::kMatcher, Reason::kExecutionFailed, kRerankPairs);
  EXPECT_EQ(run(pictures_[0]).reason, Reason::kDeviceLost);
  of(Network::kMatcher).on_run = [] {};
  behaviour_.fail(Network::kMatcher, Reason::kExecutionFailed, kRerankPairs);
  EXPECT_EQ(run(pictures_[0]).reason, Reason::kExecutionFailed) << "the control";
}

TEST_F(FrameFaultsTest, AnEmbeddingThatIsNoDirectionIsRefused) {
  create();
  for (const float value :
       {0.0F, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    of(Network::kVpr).after_run = [value](RunOutputs& outputs) {
      for (float& one : outputs[0].as<float>()) one = value;
    };
    const FrameResult result = run(pictures_[0]);
    EXPECT_EQ(result.reason, Reason::kExecutionFailed) << value;
    EXPECT_EQ(result.failed_stage, Stage::kVpr) << value;
  }
  of(Network::kVpr).after_run = [](RunOutputs&) {};
  expect_position(run(pictures_[0]), 0, 0.0, 0.0);
}

/// The outputs' shapes are those of the run where the data decide.
void keep_rows(RunOutputs& outputs, std::int64_t keypoints, std::int64_t descriptors) {
  outputs[0].shape.set(1, keypoints);
  outputs[1].shape.set(1, descriptors);
}

TEST_F(FrameFaultsTest, APictureWithoutKeypointsHasNoPositionAndAsksNoMatcher) {
  create();
  for (const std::int64_t rows : {0, 1, 11}) {
    of(Network::kFeatures).after_run = [rows](RunOutputs& outputs) { keep_rows(outputs, rows, rows); };
    const int before = of(Network::kMatcher).runs;
    const FrameResult result = run(pictures_[0]);
    EXPECT_EQ(result.reason, Reason::kNoPosition) << rows;
    EXPECT_EQ(result.failed_stage, Stage::kSolve) << "told by the frame loop";
    EXPECT_EQ(of(Network::kMatcher).runs, before) << rows;
  }
}

TEST_F(FrameFaultsTest, AsManyDescriptorsAsKeypointsAreDemandedOfEveryRun) {
  create();
  of(Network::kFeatures).after_run = [](RunOutputs& outputs) { keep_rows(outputs, 64, 63); };
  const FrameResult result = run(pictures_[0]);
  EXPECT_EQ(result.reason, Reason::kExecutionFailed);
  EXPECT_EQ(result.failed_stage, Stage::kFeatures);
  of(Network::kFeatures).after_run = [](RunOutputs&) {};
  expect_position(run(pictures_[0]), 0, 0.0, 0.0);
}

TEST_F(FrameFaultsTest, AMatchOfAKeypointThatIsNotThereFailsThePairAlone) {
  create();
  int pairs = 0;
  of(Network::kMatcher).after_run = [&](RunOutputs& outputs) {
    if (++pairs == kRerankPairs + 2) outputs[0].as<std::int64_t>()[5] = kPoints;
  };
  expect_position(run(pictures_[0]), 0, 0.0, 0.0);
  EXPECT_EQ(pairs, kRerankPairs + kMatchPairs);
  EXPECT_EQ(matcher_->pairs().status(1).error().reason, Reason::kExecutionFailed);
  EXPECT_TRUE(matcher_->pairs().status(2).ok());
}

TEST_F(FrameFaultsTest, APassedDeadlineIsTheFramesReason) {
  create();
  InferOptions options;
  options.deadline_ns = system_clock().monotonic_ns() - 1;
  EXPECT_EQ(pipeline_->run(pictures_[0], options).reason, Reason::kDeadlineMissed);
  options.deadline_ns = system_clock().monotonic_ns() + 60'000'000'000;
  EXPECT_TRUE(pipeline_->run(pictures_[0], options).has_position());
}

/// What follows the last run is late too: here the solving, for nothing else is left of a frame without
/// AdHoP.
TEST_F(FrameFaultsTest, ASolveThatIsLateLeavesNoPositionBehindTheDeadline) {
  environment_.clock = &behind_;
  create();
  const FrameResult late = run_late(pictures_[0]);
  EXPECT_EQ(late.reason, Reason::kDeadlineMissed);
  EXPECT_EQ(late.failed_stage, Stage::kFrame);
  EXPECT_GT(late.took(Stage::kSolve), 0);
  EXPECT_EQ(late.took(Stage::kAdhop), 0);
  for (std::size_t pair = 0; pair < kMatchPairs; ++pair)
    EXPECT_TRUE(is_ok(matcher_->pairs().status(pair))) << "no run was late";
  expect_position(run(pictures_[0]), 0, 0.0, 0.0);  // control: without a deadline
}

/// The second of the last pairs ends behind the deadline. The first one has an answer, which comes too late.
TEST_F(FrameFaultsTest, APairThatIsLateLeavesNoPositionBehindTheDeadline) {
  create();
  InferOptions options;
  bool is_late = true;
  int pairs = 0;
  of(Network::kMatcher).after_run = [&](RunOutputs&) {
    if (++pairs != kRerankPairs + 2 || !is_late) return;
    while (system_clock().monotonic_ns() <= *options.deadline_ns) std::this_thread::yield();
  };
  options.deadline_ns = system_clock().monotonic_ns() + 1'000'000'000;
  const FrameResult late = pipeline_->run(pictures_[0], options);
  EXPECT_EQ(late.reason, Reason::kDeadlineMissed);
  EXPECT_EQ(late.failed_stage, Stage::kFrame) << "the first pair had an answer";
  EXPECT_TRUE(matcher_->pairs().status(0).ok());
  pairs = 0, is_late = false;
  options.deadline_ns = system_clock().monotonic_ns() + 60'000'000'000;
  expect_position(pipeline_->run(pictures_[0], options), 0, 0.0, 0.0);
}

}  // namespace
}  // namespace skua::flight
