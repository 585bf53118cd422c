// Running: lanes, deadlines, released engines, wrong inputs; and the hot path's allocations and locks,
// counted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_cache.h"
#include "hot_path_counters.h"
#include "kept_trace.h"
#include "temp_folder.h"

namespace skua::test {
namespace {

class RunTest : public ::testing::Test {
 protected:
  void SetUp() override {
    RuntimeEnvironment environment;
    environment.host = fake_host();
    environment.role = Role::kGround;
    environment.clock = &clock_;
    environment.events = &events_;
    environment.config.lanes = {{"c2_vpr"}};
    runtime_ = std::make_unique<FakeRuntime>(environment, behaviour_);
    std::filesystem::create_directories(root_.path() / "cache");
    const EngineRecord record = publish_fake(root_.path() / "cache", fake_record("alpha"));
    entry_ = to_entry(record, root_.path() / "cache");
    handle_ = runtime_->deserialize_engine(entry_).value();
    lane_ = runtime_->create_lane("c2_vpr").value();
  }

  static TensorMap inputs(float value = 3.0F, DType dtype = DType::kFloat32, Shape shape = {kFakeElements}) {
    Tensor x = Tensor::allocate(dtype, shape).value();
    if (dtype == DType::kFloat32) {
      for (float& element : x.as<float>()) element = value;
    }
    TensorMap map;
    map.insert("x", std::move(x)).value();
    return map;
  }

  Reason infer_refusal(const TensorMap& map) {
    const auto refused = runtime_->infer(handle_, map);
    EXPECT_FALSE(refused.ok());
    return refused.ok() ? Reason::kNone : refused.error().reason;
  }

  TempFolder root_;
  FakeBehaviour behaviour_;
  ManualClock clock_;
  RecordingSink events_;
  std::unique_ptr<FakeRuntime> runtime_;
  EngineCacheEntry entry_;
  EngineHandle handle_;
  Lane lane_;
};

TEST_F(RunTest, InferReturnsOutputsOfTheCaller) {
  auto outputs = runtime_->infer(handle_, inputs());
  ASSERT_TRUE(outputs.ok()) << outputs.error().describe();
  ASSERT_NE(outputs->find("y"), nullptr);
  EXPECT_TRUE(outputs->find("y")->is_owner());
  EXPECT_EQ(outputs->find("y")->as<float>()[3], 6.0F);
}

TEST_F(RunTest, InferRefusesWrongInputsByName) {
  EXPECT_EQ(infer_refusal(TensorMap{}), Reason::kMissingInput);
  EXPECT_EQ(infer_refusal(inputs(1.0F, DType::kInt32)), Reason::kDtypeMismatch);
  EXPECT_EQ(infer_refusal(inputs(1.0F, DType::kFloat32, {kFakeElements + 1})), Reason::kShapeMismatch);
  EXPECT_EQ(infer_refusal(inputs(1.0F, DType::kFloat32, {1, kFakeElements})), Reason::kShapeMismatch);
  TensorMap extra = inputs();
  extra.insert("z", Tensor::allocate(DType::kFloat32, {1}).value()).value();
  EXPECT_EQ(infer_refusal(extra), Reason::kUnknownName);
  EXPECT_TRUE(runtime_->infer(handle_, inputs()).ok());
}

TEST_F(RunTest, InferTakesNoInputThatOverlapsTheLanesOwnMemory) {
  auto bound = runtime_->bind(handle_, lane_).value();
  for (float& element : bound.input(0).as<float>()) element = 5.0F;
  InferOptions options;
  options.lane = &lane_;
  const auto infer_from = [&](std::ptrdiff_t offset) {
    TensorView view = bound.input(0);
    view.data = static_cast<float*>(view.data) + offset;
    TensorMap map;
    map.insert("x", Tensor::borrow(view)).value();
    return runtime_->infer(handle_, map, options);
  };
  for (const std::ptrdiff_t offset : {1, -1, 3, -3}) {
    const auto refused = infer_from(offset);
    ASSERT_FALSE(refused.ok()) << offset;
    EXPECT_EQ(refused.error().reason, Reason::kInvalidArgument);
    EXPECT_NE(refused.error().message.find("overlaps"), std::string::npos) << refused.error().message;
  }
  const auto in_place = infer_from(0);  // it is where it belongs already
  ASSERT_TRUE(in_place.ok()) << in_place.error().describe();
  EXPECT_EQ(in_place->find("y")->as<float>()[0], 10.0F);
}

TEST_F(RunTest, BoundRunWritesItsOwnMemoryAndForgetsAfterAFailure) {
  auto bound = runtime_->bind(handle_, lane_).value();
  for (float& element : bound.input(0).as<float>()) element = 5.0F;
  ASSERT_TRUE(bound.run().ok());
  EXPECT_EQ(bound.output(0).as<float>()[0], 10.0F);
  behaviour_.fail_run = true;
  behaviour_.run_error = Error{ErrorCode::kInference, Reason::kExecutionFailed, 42, {}};
  const Status failed = bound.run();
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().native_code, 42);
  EXPECT_EQ(bound.output(0).data, nullptr);  // never a stale result
  behaviour_.fail_run = false;
  EXPECT_TRUE(bound.run().ok());
  EXPECT_NE(bound.output(0).data, nullptr);
}

TEST_F(RunTest, BusyLaneAnswersAtOnceAndAnotherLaneRuns) {
  auto bound = runtime_->bind(handle_, lane_).value();
  auto same_lane = runtime_->bind(handle_, lane_).value();
  auto other_lane = runtime_->bind(handle_, runtime_->create_lane("default").value()).value();
  Status inner;
  Status other;
  bool is_first = true;
  behaviour_.on_run = [&] {
    if (!is_first) return;
    is_first = false;
    inner = same_lane.run();
    other = other_lane.run();
  };
  EXPECT_TRUE(bound.run().ok());
  ASSERT_FALSE(inner.ok());
  EXPECT_EQ(inner.error().reason, Reason::kLaneBusy);
  EXPECT_TRUE(other.ok());
  EXPECT_TRUE(same_lane.run().ok());
}

TEST_F(RunTest, DeadlineIsJudgedBeforeAndAfter) {
  auto bound = runtime_->bind(handle_, lane_).value();
  InferOptions options;
  options.deadline_ns = clock_.now_ns;
  EXPECT_TRUE(bound.run(options).ok());
  int runs = 0;
  behaviour_.on_run = [&] { ++runs; };
  options.deadline_ns = clock_.now_ns - 1;
  EXPECT_EQ(bound.run(options).error().reason, Reason::kDeadlineMissed);
  EXPECT_EQ(runs, 0);
  options.deadline_ns = clock_.now_ns + 10;
  behaviour_.on_run = [&] { clock_.now_ns += 11; };
  EXPECT_EQ(bound.run(options).error().reason, Reason::kDeadlineMissed);
  EXPECT_EQ(bound.output(0).data, nullptr);
}

TEST_F(RunTest, ReleasedEngineAnswersSoAndReleaseIsIdempotent) {
  auto bound = runtime_->bind(handle_, lane_).value();
  EngineHandle copy = handle_;
  runtime_->release_engine(handle_);
  runtime_->release_engine(handle_);
  EXPECT_FALSE(handle_);
  EXPECT_EQ(bound.run().error().reason, Reason::kEngineReleased);
  EXPECT_EQ(runtime_->infer(copy, inputs()).error().reason, Reason::kEngineReleased);
  EXPECT_EQ(runtime_->infer(handle_, inputs()).error().reason, Reason::kForeignHandle);
}

TEST_F(RunTest, AnotherRuntimesHandleAndLaneAreRefused) {
  RuntimeEnvironment environment;
  environment.host = fake_host();
  FakeRuntime other(environment, behaviour_);
  EXPECT_EQ(other.infer(handle_, inputs()).error().reason, Reason::kForeignHandle);
  EXPECT_EQ(other.bind(handle_, lane_).error().reason, Reason::kForeignHandle);
  const Lane foreign = other.create_lane("c2_vpr").value();
  EXPECT_EQ(runtime_->bind(handle_, foreign).error().reason, Reason::kForeignHandle);
  EXPECT_FALSE(other.info(handle_).ok());
}

TEST_F(RunTest, BindingsThatOutliveTheRuntimeAnswer) {
  auto bound = runtime_->bind(handle_, lane_).value();
  ASSERT_TRUE(bound.run().ok());
  runtime_.reset();
  EXPECT_EQ(bound.run().error().reason, Reason::kEngineReleased);
  EXPECT_EQ(bound.set_shape("x", Shape{kFakeElements}).error().reason, Reason::kEngineReleased);
  RuntimeEnvironment environment;
  environment.host = fake_host();
  FakeRuntime next(environment, behaviour_);  // may well lie where the old one lay
  EXPECT_EQ(next.infer(handle_, inputs()).error().reason, Reason::kForeignHandle);
}

TEST_F(RunTest, TheStrategyIsToldOfTheSealOnce) {
  EXPECT_EQ(behaviour_.seals, 0);
  runtime_->seal();
  runtime_->seal();
  EXPECT_EQ(behaviour_.seals, 1);
}

TEST_F(RunTest, AfterTheSealOnlyDeclaredLanesExist) {
  EXPECT_TRUE(runtime_->create_lane("before").ok());
  EXPECT_TRUE(runtime_->deserialize_engine(entry_).ok());
  runtime_->seal();
  EXPECT_EQ(runtime_->create_lane("after").error().reason, Reason::kLaneNotDeclared);
  EXPECT_EQ(runtime_->deserialize_engine(entry_).error().code, ErrorCode::kInvalidArgument);
  const Lane declared = runtime_->create_lane("c2_vpr").value();
  EXPECT_TRUE(runtime_->bind(handle_, declared).ok());
  // Made before the seal, but never bound: no memory was placed for it.
  const Lane unbound = runtime_->create_lane("before").value();
  EXPECT_EQ(runtime_->bind(handle_, unbound).error().reason, Reason::kLaneNotDeclared);
}

TEST_F(RunTest, OutOfMemoryIsReportedWithBackboneAndFrame) {
  behaviour_.fail_run = true;
  behaviour_.run_error = Error{ErrorCode::kOutOfMemory, Reason::kOutOfMemory, 0, {}};
  InferOptions options;
  options.frame = 12345;
  const auto refused = runtime_->infer(handle_, inputs(), options);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kOutOfMemory);
  ASSERT_EQ(events_.count("c7.out_of_memory"), 1);
  EXPECT_EQ(events_.events.back().level, Level::kError);
  EXPECT_THAT(events_.events.back().message, ::testing::HasSubstr("backbone=alpha; frame=12345"));
}

TEST_F(RunTest, BoundRunAllocatesAndLocksNothing) {
  auto bound = runtime_->bind(handle_, lane_).value();
  InferOptions options;
  options.deadline_ns = clock_.now_ns;
  bool is_ok = true;
  const HotPathCounts counts = count_hot_path([&] {
    for (int i = 0; i < 1000; ++i) is_ok = is_ok && bound.run(options).ok();
  });
  EXPECT_TRUE(is_ok);
  EXPECT_EQ(counts.allocations, 0U);
  EXPECT_EQ(counts.locks, 0U);
  // A failing run is on the hot path too: it carries a reason and no text.
  behaviour_.fail_run = true;
  behaviour_.run_error = Error{ErrorCode::kInference, Reason::kExecutionFailed, 1, {}};
  const HotPathCounts failing = count_hot_path([&] {
    for (int i = 0; i < 1000; ++i) is_ok = is_ok && !bound.run(options).ok();
  });
  EXPECT_TRUE(is_ok);
  EXPECT_EQ(failing.allocations, 0U);
}

/// What was counted above was without a trace.
TEST_F(RunTest, NorDoesABoundRunThatIsTraced) {
  auto bound = runtime_->bind(handle_, lane_).value();
  KeptTrace trace;
  bool is_ok = true;
  const HotPathCounts counts = count_hot_path([&] {
    for (int i = 0; i < 1000; ++i) is_ok = is_ok && bound.run().ok();
  });
  EXPECT_TRUE(is_ok);
  EXPECT_EQ(counts.allocations, 0U);
  EXPECT_EQ(counts.locks, 0U);
  EXPECT_EQ(trace.spans().size(), 1000U);
}

TEST_F(RunTest, ATraceShowsRunsWithWhatTheyWereAndWhyTheyFailed) {
  auto bound = runtime_->bind(handle_, lane_).value();
  KeptTrace trace;
  InferOptions options;
  options.frame = 12;
  ASSERT_TRUE(bound.run(options).ok());
  behaviour_.fail_run = true;
  behaviour_.run_error = Error{ErrorCode::kInference, Reason::kExecutionFailed, 42, {}};
  ASSERT_FALSE(bound.run().ok());
  behaviour_.fail_run = false;
  ASSERT_TRUE(runtime_->infer(handle_, inputs(), options).ok());
  const auto spans = trace.spans();
  ASSERT_EQ(spans.size(), 6U);
  EXPECT_EQ(spans[0]["args"], Json({{"model", "alpha"}, {"lane", "c2_vpr"}, {"frame", 12}}));
  EXPECT_EQ(spans[1]["args"], Json({{"model", "alpha"}, {"lane", "c2_vpr"}, {"reason", "execution_failed"}}));
  for (std::size_t i = 2; i < 5; ++i) {
    EXPECT_EQ(spans[i]["name"], std::vector<std::string>({"copy_in", "run", "copy_out"})[i - 2]);
    EXPECT_TRUE(is_within(spans[i], spans[5]));
  }
  EXPECT_EQ(spans[5]["name"], "infer");
  EXPECT_EQ(spans[5]["args"], Json({{"model", "alpha"}, {"frame", 12}}));
}

TEST_F(RunTest, TheCountersSeeAnAllocationAndALock) {
  std::mutex mutex;
  const HotPathCounts counts = count_hot_path([&] {
    const std::lock_guard lock(mutex);
    auto outputs = runtime_->infer(handle_, inputs());
    EXPECT_TRUE(outputs.ok());
  });
  EXPECT_GT(counts.allocations, 0U);
  EXPECT_GT(counts.locks, 0U);
}

}  // namespace
}  // namespace skua::test
