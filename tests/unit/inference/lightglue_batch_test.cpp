// Matching many pairs: every way of running them, on one lane, on several, and in one inference.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>

#include "counts.h"
#include "hot_path_counters.h"
#include "inference/lightglue_matcher.h"
#include "matcher_fixture.h"

namespace skua::test {
namespace {

using lightglue::Matcher;
using lightglue::PairSpans;

constexpr std::array<BatchMode, 3> kModes = {BatchMode::kOneLane, BatchMode::kLanes, BatchMode::kBatched};

class LightGlueBatchTest : public MatcherFixture {
 protected:
  LightGlueBatchTest() { behaviour_.shape.most_pairs = 4; }

  std::unique_ptr<Matcher> make_matcher(std::size_t lane_count = 3) {
    return Matcher::create(*runtime_, engine_, lanes(lane_count)).value();
  }

  /// `count` pairs: the first set of all is one, the second set of pair i begins with label i.
  void make_pairs(std::size_t count) {
    memory_.push_back(keypoints({0, 1, 2, 3}));
    memory_.reserve(count + 1);
    for (std::size_t i = 0; i < count; ++i) {
      const auto label = static_cast<float>(i);
      memory_.push_back(keypoints({label, 2, 1, -label - 1}));
      seconds_.push_back(memory_.back().set);
    }
    firsts_.assign(count, memory_.front().set);
    out_.resize(count);
    status_.resize(count);
  }

  PairSpans pairs() { return {firsts_, seconds_, out_, status_}; }

  void run(Matcher& matcher, BatchMode mode) {
    for (CorrespondenceSet& out : out_) out.indices = {{7, 7}};
    ASSERT_TRUE(matcher.can(mode, pairs())) << to_string(mode);
    matcher.match_all(mode, pairs(), {});
  }

  std::size_t failures() const {
    return static_cast<std::size_t>(
        std::count_if(status_.begin(), status_.end(), [](const Status& one) { return !one.ok(); }));
  }

  std::vector<Keypoints> memory_;
  std::vector<KeypointSet> firsts_, seconds_;
  std::vector<CorrespondenceSet> out_;
  std::vector<Status> status_;
};

TEST_F(LightGlueBatchTest, EveryWayGivesTheAnswersOfMatch) {
  load();
  const auto matcher = make_matcher();
  make_pairs(10);
  std::vector<CorrespondenceSet> expected(10);
  for (std::size_t i = 0; i < expected.size(); ++i)
    ASSERT_TRUE(matcher->match(firsts_[i], seconds_[i], expected[i], {}).ok());
  EXPECT_EQ(expected[3].indices, (Indices{{1, 2}, {2, 1}, {3, 0}}));
  for (const BatchMode mode : kModes) {
    run(*matcher, mode);
    EXPECT_EQ(failures(), 0U) << to_string(mode);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(out_[i].indices, expected[i].indices) << to_string(mode) << ' ' << i;
      EXPECT_EQ(out_[i].scores, expected[i].scores) << to_string(mode) << ' ' << i;
    }
  }
}

TEST_F(LightGlueBatchTest, ABatchIsRunInAsFewInferencesAsTheProfileAllows) {
  load();
  const auto matcher = make_matcher();
  make_pairs(10);
  std::vector<std::int64_t> sizes;
  behaviour_.before_run = [&](const MatcherRun& seen) {
    sizes.push_back(seen.inputs[0].shape[0]);
    return Status();
  };
  run(*matcher, BatchMode::kBatched);
  EXPECT_EQ(sizes, (std::vector<std::int64_t>{4, 4, 2}));
}

TEST_F(LightGlueBatchTest, OneBadSetLeavesTheOthersStanding) {
  load();
  const auto matcher = make_matcher();
  make_pairs(10);
  seconds_[4].descriptors.dtype = DType::kFloat16;
  for (const BatchMode mode : kModes) {
    run(*matcher, mode);
    EXPECT_EQ(failures(), 1U) << to_string(mode);
    ASSERT_FALSE(status_[4].ok());
    EXPECT_EQ(status_[4].error().reason, Reason::kDtypeMismatch);
    EXPECT_TRUE(out_[4].indices.empty());
    EXPECT_EQ(out_[5].indices, (Indices{{1, 2}, {2, 1}}));
  }
}

TEST_F(LightGlueBatchTest, OneFailedRunLeavesTheOthersStanding) {
  load();
  const auto matcher = make_matcher();
  make_pairs(10);
  behaviour_.before_run = [](const MatcherRun& seen) {
    const bool is_sixth = seen.inputs[3].as<float>()[0] == 6.0F;
    return is_sixth ? Status(Error{ErrorCode::kInference, Reason::kExecutionFailed, 3, {}}) : Status();
  };
  for (const BatchMode mode : {BatchMode::kOneLane, BatchMode::kLanes}) {
    run(*matcher, mode);
    EXPECT_EQ(failures(), 1U);
    ASSERT_FALSE(status_[6].ok());
    EXPECT_EQ(status_[6].error().native_code, 3);
    EXPECT_TRUE(out_[6].indices.empty());
    EXPECT_EQ(out_[7].indices, (Indices{{1, 2}, {2, 1}}));
  }
}

TEST_F(LightGlueBatchTest, AFailedInferenceIsThatOfAllItsPairs) {
  load();
  const auto matcher = make_matcher();
  make_pairs(10);
  int runs = 0;
  behaviour_.before_run = [&](const MatcherRun&) {
    return ++runs == 2 ? Status(Error{ErrorCode::kInference, Reason::kExecutionFailed, 3, {}}) : Status();
  };
  run(*matcher, BatchMode::kBatched);
  EXPECT_EQ(failures(), 4U);
  for (const std::size_t i : {4U, 5U, 6U, 7U}) EXPECT_TRUE(!status_[i].ok() && out_[i].indices.empty());
  EXPECT_EQ(out_[8].indices, (Indices{{1, 2}, {2, 1}}));
}

TEST_F(LightGlueBatchTest, AnAnswerOutOfRangeSpoilsItsOwnPairAlone) {
  load();
  const auto matcher = make_matcher();
  make_pairs(4);
  behaviour_.after_run = [](const MatcherRun& seen) { seen.matches.as<std::int64_t>()[4] = 99; };
  run(*matcher, BatchMode::kBatched);
  EXPECT_EQ(failures(), 1U);
  EXPECT_FALSE(status_[1].ok());
}

TEST_F(LightGlueBatchTest, SetsThatDifferInTheirCountsAreNotBatched) {
  load();
  const auto matcher = make_matcher();
  make_pairs(3);
  EXPECT_TRUE(matcher->can(BatchMode::kBatched, pairs()));
  const Keypoints smaller = keypoints({0, 1});
  seconds_[1] = smaller.set;
  EXPECT_FALSE(matcher->can(BatchMode::kBatched, pairs()));
  run(*matcher, BatchMode::kLanes);
  EXPECT_EQ(failures(), 0U);
  EXPECT_EQ(out_[1].indices, (Indices{{0, 0}, {1, 1}}));
}

TEST_F(LightGlueBatchTest, OneLaneAndAStaticBatchKnowOneWay) {
  behaviour_.shape.most_pairs = 1;
  load();
  const auto matcher = make_matcher(1);
  EXPECT_TRUE(matcher->knows(BatchMode::kOneLane));
  EXPECT_FALSE(matcher->knows(BatchMode::kLanes));
  EXPECT_FALSE(matcher->knows(BatchMode::kBatched));
}

// The mark is put where the first keypoint was written: who writes it again, wipes it out.
TEST_F(LightGlueBatchTest, ASetInCommonIsWrittenOncePerLaneAndCall) {
  constexpr float kMark = 77.0F;
  load();
  const auto matcher = make_matcher();
  make_pairs(6);
  std::vector<bool> is_marked;
  behaviour_.before_run = [&](const MatcherRun& seen) {
    is_marked.push_back(seen.inputs[0].as<float>()[0] == kMark);
    return Status();
  };
  behaviour_.after_run = [&](const MatcherRun& seen) { seen.inputs[0].as<float>()[0] = kMark; };
  for (int call = 0; call < 2; ++call) {
    is_marked.clear();
    run(*matcher, BatchMode::kOneLane);
    EXPECT_EQ(is_marked, (std::vector<bool>{false, true, true, true, true, true}));
  }
  // The control: equal values in other memory, and another image size, are another set.
  const Keypoints copy = keypoints({0, 1, 2, 3});
  firsts_[2] = copy.set;
  firsts_[4].image_size = {641, 480};
  is_marked.clear();
  run(*matcher, BatchMode::kOneLane);
  EXPECT_EQ(is_marked, (std::vector<bool>{false, true, false, false, false, false}));
}

TEST_F(LightGlueBatchTest, ABatchOfSetsInCommonIsThatOfSetsApart) {
  load();
  const auto matcher = make_matcher();
  make_pairs(4);
  std::vector<float> together, apart;
  std::vector<float>* seen_by = &together;
  behaviour_.before_run = [&](const MatcherRun& seen) {
    for (const std::size_t i : {0U, 2U}) {
      const auto values = seen.inputs[i].as<float>();
      seen_by->insert(seen_by->end(), values.begin(), values.end());
    }
    return Status();
  };
  run(*matcher, BatchMode::kBatched);
  std::vector<Keypoints> copies;
  for (std::size_t i = 0; i < firsts_.size(); ++i) copies.push_back(keypoints({0, 1, 2, 3}));
  for (std::size_t i = 0; i < firsts_.size(); ++i) firsts_[i] = copies[i].set;
  seen_by = &apart;
  run(*matcher, BatchMode::kBatched);
  EXPECT_EQ(together, apart);
  EXPECT_EQ(together.size(), 4U * 4U * (2U + 3U));
}

TEST_F(LightGlueBatchTest, ManyCallsOnSeveralLanesAreAllAnswered) {
  load();
  const auto matcher = create(3, 4);
  make_pairs(10);
  for (std::int64_t round = 0; round < skua_test::count("thread_rounds"); ++round) {
    ASSERT_TRUE(matcher->match_batch(firsts_, seconds_, out_, status_).ok());
    ASSERT_EQ(failures(), 0U);
    ASSERT_EQ(out_[9].indices, (Indices{{1, 2}, {2, 1}}));
  }
  EXPECT_GT(matcher->last_inference_ns(), 0);
}

TEST_F(LightGlueBatchTest, SpansOfUnequalLengthLeaveEverythingAsItWas) {
  load();
  const auto matcher = create(2);
  make_pairs(3);
  out_[0].indices = {{5, 6}};
  const auto refused = [&](std::size_t a, std::size_t b, std::size_t c, std::size_t d) {
    const Status status = matcher->match_batch({firsts_.data(), a}, {seconds_.data(), b}, {out_.data(), c},
                                               {status_.data(), d});
    return !status.ok() && status.error().reason == Reason::kInvalidArgument;
  };
  EXPECT_TRUE(refused(2, 3, 3, 3));
  EXPECT_TRUE(refused(3, 2, 3, 3));
  EXPECT_TRUE(refused(3, 3, 2, 3));
  EXPECT_TRUE(refused(3, 3, 3, 2));
  EXPECT_EQ(out_[0].indices, (Indices{{5, 6}}));
  EXPECT_FALSE(refused(0, 0, 0, 0));
  EXPECT_FALSE(refused(3, 3, 3, 3));
}

TEST_F(LightGlueBatchTest, EveryWayAllocatesAndLocksNothing) {
  load();
  const auto matcher = make_matcher(2);
  make_pairs(10);
  // Of the calling thread, which runs what the others run.
  for (const BatchMode mode : kModes) {
    run(*matcher, mode);
    const HotPathCounts counts = count_hot_path([&] {
      for (int i = 0; i < 20; ++i) matcher->match_all(mode, pairs(), {});
    });
    EXPECT_EQ(failures(), 0U);
    EXPECT_EQ(counts.allocations, 0U) << to_string(mode);
    EXPECT_EQ(counts.locks, 0U) << to_string(mode);
  }
}

}  // namespace
}  // namespace skua::test
