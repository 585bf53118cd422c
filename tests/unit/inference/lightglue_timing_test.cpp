// Which way of running a batch is chosen: the one that was measured to be the fastest, of those whose answers
// are the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <thread>

#include "inference/lightglue_samples.h"
#include "inference/lightglue_timing.h"
#include "matcher_fixture.h"

namespace skua::test {
namespace {

using lightglue::is_same_answer;
using lightglue::SamplePairs;
using ::testing::HasSubstr;

/// Long beside what a busy machine adds to a sleep.
constexpr std::chrono::milliseconds kRun(4);

class LightGlueTimingTest : public MatcherFixture {
 protected:
  LightGlueTimingTest() { behaviour_.shape.most_pairs = 8; }

  /// What one run takes, in units of kRun, from the number of its pairs.
  void take(int (*units)(std::int64_t pairs)) {
    behaviour_.before_run = [units](const MatcherRun& run) {
      std::this_thread::sleep_for(units(run.inputs[0].shape[0]) * kRun);
      return Status();
    };
  }

  static std::int64_t time_of(const LightGlueRuntime& matcher, BatchMode mode) {
    for (const BatchTiming& timing : matcher.batch_timings()) {
      if (timing.mode == mode) return timing.median_ns;
    }
    return -1;
  }
};

TEST_F(LightGlueTimingTest, OneInferenceForAllIsTakenWhereItIsFastest) {
  load();
  take([](std::int64_t) { return 1; });
  const auto matcher = create(2, 8);
  EXPECT_EQ(matcher->batch_mode(), BatchMode::kBatched);
  EXPECT_GT(time_of(*matcher, BatchMode::kBatched), 0);
  EXPECT_LT(time_of(*matcher, BatchMode::kBatched), time_of(*matcher, BatchMode::kOneLane));
}

TEST_F(LightGlueTimingTest, TheLanesAreTakenWhereABatchIsSlow) {
  load();
  take([](std::int64_t pairs) { return pairs == 1 ? 1 : 20; });
  const auto matcher = create(3, 8);
  EXPECT_EQ(matcher->batch_mode(), BatchMode::kLanes);
}

TEST_F(LightGlueTimingTest, OneLaneIsTakenWhereThereIsNothingElse) {
  behaviour_.shape.most_pairs = 1;
  load();
  const auto matcher = create(1, 4);
  EXPECT_EQ(matcher->batch_mode(), BatchMode::kOneLane);
  EXPECT_GT(time_of(*matcher, BatchMode::kOneLane), 0);
  EXPECT_EQ(time_of(*matcher, BatchMode::kLanes), 0);
  EXPECT_EQ(time_of(*matcher, BatchMode::kBatched), 0);
}

TEST_F(LightGlueTimingTest, AWayWithOtherAnswersIsOut) {
  load();
  take([](std::int64_t) { return 1; });
  behaviour_.after_run = [](const MatcherRun& run) {
    if (run.inputs[0].shape[0] > 1) run.scores.as<float>()[0] += 0.01F;
  };
  const auto batched = create(2, 8);
  EXPECT_EQ(time_of(*batched, BatchMode::kBatched), 0);
  EXPECT_NE(batched->batch_mode(), BatchMode::kBatched);
}

TEST_F(LightGlueTimingTest, LanesWithOtherAnswersAreOut) {
  behaviour_.shape.most_pairs = 1;
  load();
  take([](std::int64_t) { return 1; });
  // Number 0 is the lane "default", 1 the first of ours.
  behaviour_.after_run = [](const MatcherRun& run) {
    if (run.lane > 1) run.matches.as<std::int64_t>()[0] = -1;
  };
  const auto matcher = create(2, 8);
  EXPECT_EQ(time_of(*matcher, BatchMode::kLanes), 0);
  EXPECT_EQ(matcher->batch_mode(), BatchMode::kOneLane);
}

TEST_F(LightGlueTimingTest, AWayThatFailsIsOutAndAnEngineThatFailsIsRefused) {
  load();
  behaviour_.before_run = [](const MatcherRun& run) {
    const bool fails = run.inputs[0].shape[0] > 1;
    return fails ? Status(Error{ErrorCode::kInference, Reason::kExecutionFailed, 0, {}}) : Status();
  };
  EXPECT_EQ(time_of(*create(2, 8), BatchMode::kBatched), 0);
  behaviour_.before_run = [](const MatcherRun&) {
    return Status(Error{ErrorCode::kInference, Reason::kExecutionFailed, 5, {}});
  };
  LightGlueOptions options;
  options.lanes = lanes(2);
  const auto refused = LightGlueRuntime::create(runtime_, engine_, options);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kInference);
  EXPECT_EQ(refused.error().reason, Reason::kExecutionFailed);
  EXPECT_EQ(refused.error().native_code, 5);
  EXPECT_THAT(refused.error().message, HasSubstr("failed while batches were timed"));
  EXPECT_THAT(refused.error().message, HasSubstr(sentence_of(Reason::kExecutionFailed)));
}

TEST_F(LightGlueTimingTest, PairsThatCannotBeBatchedAreRunTheFastestOtherWay) {
  load();
  take([](std::int64_t) { return 1; });
  const auto matcher = create(2, 8);
  ASSERT_EQ(matcher->batch_mode(), BatchMode::kBatched);
  const Keypoints large = keypoints({1, 2, 3}), small = keypoints({3, 4});
  const std::array<KeypointSet, 2> firsts{large.set, small.set}, seconds{large.set, large.set};
  std::array<CorrespondenceSet, 2> out;
  std::array<Status, 2> status;
  ASSERT_TRUE(matcher->match_batch(firsts, seconds, out, status).ok());
  EXPECT_TRUE(status[0].ok() && status[1].ok());
  EXPECT_EQ(out[1].indices, (Indices{{0, 2}}));
}

TEST_F(LightGlueTimingTest, UntimedMeansTheLanesWhereThereAreSeveral) {
  load();
  EXPECT_EQ(create(2)->batch_mode(), BatchMode::kLanes);
  EXPECT_EQ(create(1)->batch_mode(), BatchMode::kOneLane);
}

TEST(LightGlueSamplesTest, AreTheSameEveryTimeOfUnitLengthAndInsideTheImage) {
  lightglue::Contract contract;
  contract.descriptor_dim = 16;
  contract.counts = {lightglue::CountRange{1, 5, 9}, lightglue::CountRange{1, 7, 9}};
  const SamplePairs one = SamplePairs::make(contract, 3).value();
  const SamplePairs again = SamplePairs::make(contract, 3).value();
  ASSERT_EQ(one.firsts().size(), 3U);
  EXPECT_EQ(one.firsts()[0].keypoints.data, one.firsts()[2].keypoints.data);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto values = one.seconds()[i].descriptors.as<float>();
    const auto others = again.seconds()[i].descriptors.as<float>();
    EXPECT_TRUE(std::equal(values.begin(), values.end(), others.begin(), others.end()));
    for (std::size_t row = 0; row < 7; ++row) {
      float sum = 0.0F;
      for (const float value : values.subspan(16 * row, 16)) sum += value * value;
      EXPECT_NEAR(sum, 1.0F, 1e-5F);
    }
    for (const float value : one.seconds()[i].keypoints.as<float>()) EXPECT_TRUE(value >= 0 && value <= 640);
    EXPECT_EQ(one.seconds()[i].keypoints.shape[0], 7);
  }
  EXPECT_NE(one.seconds()[0].descriptors.as<float>()[0], one.seconds()[1].descriptors.as<float>()[0]);
}

TEST(LightGlueSamplesTest, HalvesAreTheRoundedSingles) {
  lightglue::Contract contract;
  contract.descriptor_dim = 64;
  contract.counts = {lightglue::CountRange{1, 40, 64}, lightglue::CountRange{1, 40, 64}};
  const SamplePairs singles = SamplePairs::make(contract, 1).value();
  contract.descriptor_dtype = DType::kFloat16;
  const SamplePairs halves = SamplePairs::make(contract, 1).value();
  const auto values = singles.firsts()[0].descriptors.as<float>();
  const auto bits = halves.firsts()[0].descriptors.as<std::uint16_t>();
  ASSERT_EQ(values.size(), bits.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_NEAR(half_to_float(bits[i]), values[i], 5e-4F * std::fabs(values[i]) + 3e-8F);
  }
}

BatchMode fastest(std::int64_t one_lane, std::int64_t lanes, std::int64_t batched) {
  const std::array<BatchTiming, 3> timings{
      {{BatchMode::kOneLane, one_lane}, {BatchMode::kLanes, lanes}, {BatchMode::kBatched, batched}}};
  return lightglue::fastest_of(timings);
}

TEST(LightGlueTimingAnswers, TheSmallestTimeWinsAndOneLaneByFivePercent) {
  EXPECT_EQ(fastest(1000, 600, 700), BatchMode::kLanes);
  EXPECT_EQ(fastest(1000, 600, 500), BatchMode::kBatched);
  EXPECT_EQ(fastest(1000, 1040, 0), BatchMode::kLanes);
  EXPECT_EQ(fastest(1000, 1060, 0), BatchMode::kOneLane);
  EXPECT_EQ(fastest(1000, 1060, 1040), BatchMode::kBatched);
  EXPECT_EQ(fastest(1000, 0, 0), BatchMode::kOneLane);
}

TEST(LightGlueTimingAnswers, DifferByTheirIndicesOrByScoresBeyondTheBound) {
  const CorrespondenceSet one{{{0, 1}, {2, 3}}, {0.5F, 0.25F}};
  CorrespondenceSet other = one;
  other.scores[1] += 0.0009F;
  EXPECT_TRUE(is_same_answer(one, other));
  other.scores[1] = 0.2522F;
  EXPECT_FALSE(is_same_answer(one, other));
  other = one;
  other.indices[1][1] = 4;
  EXPECT_FALSE(is_same_answer(one, other));
  other = one;
  other.scores.pop_back();
  EXPECT_FALSE(is_same_answer(one, other));
}

}  // namespace
}  // namespace skua::test
