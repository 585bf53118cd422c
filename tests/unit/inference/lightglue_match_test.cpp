// Matching one pair: what is written, what is read, what is refused, and what it costs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <thread>

#include "hot_path_counters.h"
#include "matcher_fixture.h"

namespace skua::test {
namespace {

using lightglue::OutputForm;
using ::testing::HasSubstr;

class LightGlueTest : public MatcherFixture {
 protected:
  Reason creation_refusal(std::shared_ptr<InferenceRuntime> runtime, const EngineHandle& engine,
                          const LightGlueOptions& options) {
    const auto created = LightGlueRuntime::create(std::move(runtime), engine, options);
    EXPECT_FALSE(created.ok());
    EXPECT_TRUE(created.ok() || !created.error().message.empty());
    return created.ok() ? Reason::kNone : created.error().reason;
  }

  CorrespondenceSet out_;
};

TEST_F(LightGlueTest, BothOutputFormsGiveTheSameMatches) {
  for (const OutputForm form : {OutputForm::kPerKeypoint, OutputForm::kPairs}) {
    behaviour_.shape.form = form;
    std::filesystem::remove_all(root_.path() / "cache");
    load();
    const auto matcher = create();
    const Keypoints first = keypoints({1, 2, 3, 4, 5}), second = keypoints({5, 7, 2, 1});
    ASSERT_TRUE(matcher->match(first.set, second.set, out_).ok());
    EXPECT_EQ(out_.indices, (Indices{{0, 3}, {1, 2}, {4, 0}}));
    EXPECT_EQ(out_.scores.size(), 3U);
    ASSERT_TRUE(matcher->match(first.set, keypoints({9}).set, out_).ok());
    EXPECT_TRUE(out_.indices.empty());
    EXPECT_TRUE(out_.scores.empty());
  }
}

TEST_F(LightGlueTest, TheImagesCentreIsZeroAndHalfItsLongerSideIsOne) {
  load();
  std::vector<float> seen;
  behaviour_.before_run = [&](const MatcherRun& run) {
    for (const std::size_t side : {0U, 1U}) {
      const auto values = run.inputs[side].as<float>();
      seen.insert(seen.end(), values.begin(), values.end());
    }
    return Status();
  };
  Keypoints upright = keypoints({0, 1}), wide = keypoints({0});
  upright.set.image_size = {300, 400};
  wide.set.image_size = {1000, 500};
  upright.set.keypoints.as<float>()[0] = 300.0F;
  upright.set.keypoints.as<float>()[1] = 400.0F;
  upright.set.keypoints.as<float>()[2] = 150.0F;
  upright.set.keypoints.as<float>()[3] = 200.0F;
  ASSERT_TRUE(create()->match(upright.set, wide.set, out_).ok());
  // (300 - 150) / 200, (400 - 200) / 200; the centre; (0 - 500) / 500, (0 - 250) / 500
  EXPECT_EQ(seen, (std::vector<float>{0.75F, 1.0F, 0.0F, 0.0F, -1.0F, -0.5F}));
}

TEST_F(LightGlueTest, HalfDescriptorsAreHandedOnAsTheyAre) {
  behaviour_.shape.descriptors = DType::kFloat16;
  load();
  const auto matcher = create();
  EXPECT_EQ(matcher->descriptor_dtype(), DType::kFloat16);
  Keypoints first = keypoints({1, 2}), second = keypoints({3});
  std::array<std::uint16_t, 6> halves{0x3c00, 0, 0, 0x4000, 0, 0};
  std::array<std::uint16_t, 3> other{0x4000, 0, 0};
  EXPECT_EQ(matcher->match(first.set, second.set, out_).error().reason, Reason::kDtypeMismatch);
  first.set.descriptors = {halves.data(), DType::kFloat16, Shape{2, 3}, {}};
  second.set.descriptors = {other.data(), DType::kFloat16, Shape{1, 3}, {}};
  ASSERT_TRUE(matcher->match(first.set, second.set, out_).ok());
  EXPECT_EQ(out_.indices, (Indices{{1, 0}}));
}

TEST_F(LightGlueTest, ASetThatDoesNotFitIsRefusedAndTheNextOneRuns) {
  load();
  const auto matcher = create();
  const Keypoints good = keypoints({1, 2}), large = keypoints({1, 2, 3, 4, 5, 6, 7, 8, 9});
  ASSERT_TRUE(matcher->match(good.set, good.set, out_).ok());
  const Status refused = matcher->match(good.set, large.set, out_);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, Reason::kShapeMismatch);
  EXPECT_THAT(refused.error().message, HasSubstr("1 to 8"));
  EXPECT_TRUE(out_.indices.empty());
  EXPECT_EQ(behaviour_.runs, 2);  // the golden run and the first pair
  EXPECT_TRUE(matcher->match(good.set, good.set, out_).ok());
}

TEST_F(LightGlueTest, NaNAndInfinityPassThrough) {
  load();
  Keypoints first = keypoints({1, 2});
  first.set.keypoints.as<float>()[0] = std::numeric_limits<float>::quiet_NaN();
  first.set.keypoints.as<float>()[2] = std::numeric_limits<float>::infinity();
  ASSERT_TRUE(create()->match(first.set, keypoints({2, 1}).set, out_).ok());
  ASSERT_EQ(out_.indices, (Indices{{0, 1}, {1, 0}}));
  EXPECT_TRUE(std::isnan(out_.scores[0]));
  EXPECT_TRUE(std::isinf(out_.scores[1]));
}

TEST_F(LightGlueTest, AnIndexThatIsInNeitherSetIsNoAnswer) {
  load();
  const auto matcher = create();
  const Keypoints good = keypoints({1, 2});
  for (const std::int64_t wrong : {std::int64_t{2}, std::int64_t{-2}, std::int64_t{1} << 40}) {
    behaviour_.after_run = [wrong](const MatcherRun& run) { run.matches.as<std::int64_t>()[1] = wrong; };
    const Status refused = matcher->match(good.set, good.set, out_);
    ASSERT_FALSE(refused.ok()) << wrong;
    EXPECT_EQ(refused.error().code, ErrorCode::kInference);
    EXPECT_EQ(refused.error().reason, Reason::kExecutionFailed);
    EXPECT_TRUE(out_.indices.empty() && out_.scores.empty());
  }
  behaviour_.after_run = [](const MatcherRun& run) { run.matches.as<std::int64_t>()[1] = -1; };
  EXPECT_TRUE(matcher->match(good.set, good.set, out_).ok());
  EXPECT_EQ(out_.indices, (Indices{{0, 0}}));
}

TEST_F(LightGlueTest, AFailedRunIsToldAndLeavesNothing) {
  load();
  const auto matcher = create();
  const Keypoints good = keypoints({1, 2});
  ASSERT_TRUE(matcher->match(good.set, good.set, out_).ok());
  behaviour_.before_run = [](const MatcherRun&) {
    return Status(Error{ErrorCode::kInference, Reason::kExecutionFailed, 7, {}});
  };
  InferOptions options;
  options.frame = 12;
  const Status failed = matcher->match(good.set, good.set, out_, options);
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().native_code, 7);
  EXPECT_TRUE(out_.indices.empty());
  ASSERT_EQ(events_.frames.size(), 1U);
  EXPECT_EQ(events_.frames[0].frame, 12U);
}

TEST_F(LightGlueTest, ADeadlineThatHasPassedGivesNoResult) {
  load();
  const auto matcher = create();
  const Keypoints good = keypoints({1, 2});
  InferOptions options;
  options.deadline_ns = clock_.now_ns - 1;
  EXPECT_EQ(matcher->match(good.set, good.set, out_, options).error().reason, Reason::kDeadlineMissed);
  options.deadline_ns = clock_.now_ns;
  EXPECT_TRUE(matcher->match(good.set, good.set, out_, options).ok());
}

TEST_F(LightGlueTest, AnEngineThatWasReleasedSaysSo) {
  load();
  const auto matcher = create();
  const Keypoints good = keypoints({1, 2, 3}), other = keypoints({1});
  ASSERT_TRUE(matcher->match(good.set, good.set, out_).ok());
  runtime_->release_engine(engine_);
  EXPECT_EQ(matcher->match(good.set, good.set, out_).error().reason, Reason::kEngineReleased);
  EXPECT_EQ(matcher->match(other.set, good.set, out_).error().reason, Reason::kEngineReleased);
}

TEST_F(LightGlueTest, ASecondCallerIsRefusedAndTheFirstIsNotDisturbed) {
  load();
  const auto matcher = create(2);
  const Keypoints good = keypoints({1, 2});
  std::atomic<bool> is_inside{false}, may_end{false};
  behaviour_.before_run = [&](const MatcherRun&) {
    is_inside = true;
    is_inside.notify_all();
    may_end.wait(false);
    return Status();
  };
  Status first;
  std::thread other([&] { first = matcher->match(good.set, good.set, out_); });
  is_inside.wait(false);
  CorrespondenceSet kept;
  kept.indices = {{5, 6}};
  std::vector<Status> status(1);
  const Status refused = matcher->match(good.set, good.set, kept);
  const Status batch = matcher->match_batch({&good.set, 1}, {&good.set, 1}, {&kept, 1}, status);
  may_end = true;
  may_end.notify_all();
  other.join();
  ASSERT_FALSE(refused.ok());
  ASSERT_FALSE(batch.ok());
  EXPECT_EQ(refused.error().reason, Reason::kLaneBusy);
  EXPECT_EQ(batch.error().reason, Reason::kLaneBusy);
  EXPECT_EQ(kept.indices, (Indices{{5, 6}}));
  EXPECT_TRUE(first.ok());
  EXPECT_EQ(out_.indices.size(), 2U);
  EXPECT_TRUE(matcher->match(good.set, good.set, kept).ok());
}

TEST_F(LightGlueTest, CreationRefusesWhatItCannotRunOn) {
  load();
  LightGlueOptions options;
  EXPECT_EQ(creation_refusal(runtime_, engine_, options), Reason::kInvalidArgument);
  options.lanes = lanes(2);
  EXPECT_EQ(creation_refusal(nullptr, engine_, options), Reason::kInvalidArgument);
  EXPECT_EQ(creation_refusal(runtime_, EngineHandle(), options), Reason::kForeignHandle);
  RuntimeEnvironment environment;
  environment.host = fake_host();
  const auto foreign = std::make_shared<FakeMatcherRuntime>(environment, behaviour_);
  EXPECT_EQ(creation_refusal(foreign, engine_, options), Reason::kForeignHandle);
  options.warm_up_rounds = 0;
  EXPECT_EQ(creation_refusal(runtime_, engine_, options), Reason::kInvalidArgument);
  options.warm_up_rounds = 1;
  options.warm_up_pairs = LightGlueOptions::kMostWarmUpPairs + 1;
  EXPECT_EQ(creation_refusal(runtime_, engine_, options), Reason::kInvalidArgument);
  options.warm_up_pairs = 1;
  options.lanes[1] = options.lanes[0];
  EXPECT_EQ(creation_refusal(runtime_, engine_, options), Reason::kInvalidArgument);
  options.lanes[1] = foreign->create_lane("match_9").value();
  EXPECT_EQ(creation_refusal(runtime_, engine_, options), Reason::kForeignHandle);
  options.lanes = lanes(2);
  EXPECT_TRUE(LightGlueRuntime::create(runtime_, engine_, options).ok());
}

TEST_F(LightGlueTest, AnEngineThatIsNoMatcherIsRefused) {
  FakeBehaviour behaviour;
  RuntimeEnvironment environment;
  environment.host = fake_host();
  environment.role = Role::kGround;
  std::filesystem::create_directories(root_.path() / "other");
  const auto runtime = std::make_shared<FakeRuntime>(environment, behaviour);
  const EngineRecord record = publish_fake(root_.path() / "other", fake_record("alpha"));
  const EngineHandle engine = runtime->deserialize_engine(to_entry(record, root_.path() / "other")).value();
  LightGlueOptions options;
  options.lanes = {runtime->create_lane("match").value()};
  EXPECT_EQ(creation_refusal(runtime, engine, options), Reason::kContractMismatch);
}

TEST_F(LightGlueTest, SaysWhatItRunsOn) {
  behaviour_.shape.least = behaviour_.shape.usual = behaviour_.shape.most = 6;
  load();
  const auto matcher = create();
  EXPECT_EQ(matcher->source().get(), runtime_.get());
  EXPECT_EQ(matcher->descriptor_dim(), 3U);
  EXPECT_EQ(matcher->fixed_keypoint_count(), 6U);
  EXPECT_EQ(matcher->max_matches(), 6U);
  EXPECT_EQ(matcher->batch_mode(), BatchMode::kOneLane);
  EXPECT_TRUE(matcher->batch_timings().empty());
  EXPECT_EQ(to_string(BatchMode::kBatched), "batched");
}

TEST_F(LightGlueTest, TimeInsideTheRunsIsTold) {
  load();
  const auto matcher = create();
  const Keypoints good = keypoints({1, 2});
  EXPECT_EQ(matcher->last_inference_ns(), 0);
  constexpr std::chrono::milliseconds kRun(2);
  behaviour_.before_run = [&](const MatcherRun&) {
    std::this_thread::sleep_for(kRun);
    return Status();
  };
  ASSERT_TRUE(matcher->match(good.set, good.set, out_).ok());
  EXPECT_GE(matcher->last_inference_ns(), std::chrono::nanoseconds(kRun).count());
}

TEST_F(LightGlueTest, MatchingAllocatesAndLocksNothing) {
  load();
  const auto matcher = create();
  // Counts that change from call to call: a shape is set each time.
  const Keypoints few = keypoints({1, 2}), many = keypoints({1, 2, 3, 4, 5, 6});
  bool is_ok = matcher->match(few.set, few.set, out_).ok();
  const HotPathCounts counts = count_hot_path([&] {
    for (int i = 0; i < 100; ++i) {
      is_ok = is_ok && matcher->match(few.set, many.set, out_).ok();
      is_ok = is_ok && matcher->match(many.set, many.set, out_).ok();
    }
  });
  EXPECT_TRUE(is_ok);
  EXPECT_EQ(counts.allocations, 0U);
  EXPECT_EQ(counts.locks, 0U);
  CorrespondenceSet fresh;  // the control: room for the matches is made once
  const HotPathCounts first = count_hot_path([&] { is_ok = matcher->match(few.set, many.set, fresh).ok(); });
  EXPECT_GT(first.allocations, 0U);
}

TEST_F(LightGlueTest, WithoutMemoryThereIsAnErrorAndNoEnd) {
  load();
  const auto matcher = create();
  const Keypoints good = keypoints({1, 2}), large = keypoints({1, 2, 3, 4, 5, 6, 7, 8, 9});
  Status no_room, no_text;
  run_without_memory([&] {
    no_room = matcher->match(good.set, good.set, out_);
    no_text = matcher->match(good.set, large.set, out_);
  });
  ASSERT_FALSE(no_room.ok());
  EXPECT_EQ(no_room.error().reason, Reason::kOutOfMemory);
  ASSERT_FALSE(no_text.ok());
  EXPECT_EQ(no_text.error().reason, Reason::kOutOfMemory);
  EXPECT_TRUE(matcher->match(good.set, good.set, out_).ok());
}

}  // namespace
}  // namespace skua::test
