#include <gmock/gmock.h>
#include <unistd.h>

#include <array>
#include <limits>
#include <stdexcept>
#include <thread>

#include "events/event_pipeline.h"
#include "events/file_recorder.h"
#include "hot_path_counters.h"
#include "pipeline_fixture.h"
#include "temp_folder.h"

namespace skua::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::int64_t kSecond = 1'000'000'000;

TEST_F(PipelineTest, RecorderThatLosesIsReportedOnceASecondAndOnceMoreWhenItWorksAgain) {
  start_with_fakes();
  recorder_->is_failing = true;
  emit_and_drain("c7.engine_refused", "1", Level::kError);
  emit_and_drain("c7.engine_refused", "2", Level::kError);
  EXPECT_THAT(log_->messages("c7.sink_lost"),
              ElementsAre("fake recorder has lost 1 records since the start: it is broken"));
  emit_and_drain("c7.engine_refused", "3", Level::kError);
  clock_->now_ns = kSecond;  // from here on the thread may report at any moment, also without an event
  emit_and_drain("c7.engine_built", "no loss, no report");
  EXPECT_THAT(log_->messages("c7.sink_lost"), SizeIs(2));
  clock_->now_ns = 2 * kSecond;
  recorder_->is_failing = false;
  emit_and_drain("c7.engine_built", "works");
  clock_->now_ns = 3 * kSecond;
  emit_and_drain("c7.engine_built", "nothing more to say");
  EXPECT_THAT(log_->messages("c7.sink_lost"),
              ElementsAre(HasSubstr("has lost 1 "), HasSubstr("has lost 3 "),
                          "fake recorder works again; 3 records were lost since the start"));
  const auto told = recorder_->of_kind("log");  // of the last report alone: the first two it would have lost
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].payload[1].second, FlightRecord::Value(std::string("c7.sink_lost")));
}

TEST_F(PipelineTest, LogThatLosesIsReportedToTheRecorders) {
  start_with_fakes();
  log_->is_failing = true;
  emit_and_drain("c7.engine_built", "1");
  const auto told = recorder_->of_kind("log");
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(
      told[0].payload[4].second,
      FlightRecord::Value(std::string(R"({"sink":"fake log","lost_count":1,"problem":"it is broken"})")));
  EXPECT_EQ(pipeline_->counts().log_lost, 1U);
}

TEST_F(PipelineTest, CallbackThatThrowsIsCountedAndTheRestGoesOn) {
  int calls = 0;
  options_.log = log_;
  options_.recorders = {std::make_shared<CallbackRecorder>([&calls](const FlightRecord&) {
                          if (++calls == 1) throw std::runtime_error("no memory in Python");
                          if (calls == 2)
                            throw 7;  // NOLINT(hicpp-exception-baseclass): what foreign code may do
                        }),
                        recorder_};
  start();
  emit_and_drain("c7.engine_refused", "1", Level::kError);
  EXPECT_THAT(log_->messages("c7.sink_lost"), ElementsAre(HasSubstr("no memory in Python")));
  clock_->now_ns = kSecond;
  emit_and_drain("c7.engine_refused", "2", Level::kError);
  clock_->now_ns = 2 * kSecond;
  emit_and_drain("c7.engine_refused", "3", Level::kError);
  EXPECT_THAT(log_->messages("c7.sink_lost"), ElementsAre(HasSubstr("lost 1 "), HasSubstr("unknown type"),
                                                          HasSubstr("works again; 2 records")));
  EXPECT_THAT(pipeline_->counts().recorder_lost, ElementsAre(2U, 0U));
  EXPECT_THAT(recorder_->of_kind("c7.engine_refused"), SizeIs(3));
}

TEST_F(PipelineTest, RecorderThatBlocksHoldsUpNeitherEmitNorPostNorTheDestructor) {
  options_.event_capacity = options_.frame_capacity = 8;
  options_.shutdown_limit = std::chrono::milliseconds(30);
  start_with_fakes();
  recorder_->gate.close();
  emit("c7.engine_refused", "held", Level::kError);
  ASSERT_TRUE(recorder_->gate.await_one());
  for (std::uint64_t i = 0; i < 100; ++i) {
    emit("c7.engine_refused", "x", Level::kError);
    pipeline_->post({});
  }
  EXPECT_EQ(pipeline_->counts().dropped, 184U);
  const std::weak_ptr<FakeRecorder> left_behind = recorder_;
  Gate& gate = recorder_->gate;
  pipeline_.reset();  // returns although the recorder does not: else this test would not end
  options_.recorders.clear();
  recorder_.reset();
  ASSERT_FALSE(left_behind.expired());  // the thread keeps what it stands in
  const auto held = left_behind.lock();
  gate.open();
  // The call ends, and no other begins; then the thread lets go.
  while (left_behind.use_count() > 1) std::this_thread::yield();
  EXPECT_THAT(held->records.all(), SizeIs(1));
  EXPECT_THAT(log_->messages(), ElementsAre("held"));
}

TEST_F(PipelineTest, ThreadIsNamedAndBlocksSignals) {
  std::array<char, 16> name{};
  sigset_t blocked{};
  options_.recorders = {std::make_shared<CallbackRecorder>([&](const FlightRecord&) {
    ::pthread_getname_np(::pthread_self(), name.data(), name.size());
    ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  })};
  start();
  emit_and_drain("c7.engine_refused", "x", Level::kError);
  EXPECT_STREQ(name.data(), "skua-events");
  for (const int signal : {SIGPIPE, SIGTERM, SIGINT, SIGUSR1}) EXPECT_EQ(sigismember(&blocked, signal), 1);
  EXPECT_EQ(sigismember(&blocked, SIGSEGV), 0);
}

class LongProblem final : public std::exception {
 public:
  const char* what() const noexcept override {
    return "a problem whose text is too long for a string to hold it without asking for memory";
  }
};

TEST(CallbackRecorder, ExceptionForWhoseTextThereIsNoMemoryIsCountedAndEndsNothing) {
  CallbackRecorder recorder([](const FlightRecord&) { throw LongProblem(); }, "python");
  EXPECT_EQ(recorder.name(), "python");
  run_without_memory([&] { recorder.record({}); });
  EXPECT_EQ(recorder.lost_count(), 1U);
  EXPECT_EQ(recorder.last_problem(), "no memory");
  recorder.record({});
  EXPECT_EQ(recorder.last_problem(), LongProblem().what());  // the control
}

TEST_F(PipelineTest, TwoCallbacksAreToldApart) {
  const auto good = [](const FlightRecord&) {};
  const auto bad = [](const FlightRecord&) { throw LongProblem(); };
  options_.log = log_;
  options_.recorders = {std::make_shared<CallbackRecorder>(good, "c13"),
                        std::make_shared<CallbackRecorder>(bad, "ground link")};
  start();
  emit_and_drain("c7.engine_refused", "x", Level::kError);
  EXPECT_THAT(log_->messages("c7.sink_lost"), ElementsAre(HasSubstr("ground link has lost 1 ")));
}

TEST_F(PipelineTest, NullRecordersAreDropped) {
  options_.recorders = {nullptr, recorder_, nullptr};
  start();
  emit_and_drain("c7.engine_refused", "x", Level::kError);
  EXPECT_THAT(recorder_->records.all(), SizeIs(1));
  EXPECT_THAT(pipeline_->counts().recorder_lost, SizeIs(1));
}

TEST_F(PipelineTest, RecorderThatHasAProblemIsReportedBeforeItLosesARecord) {
  class Waiting final : public FlightRecorder {
   public:
    std::string_view name() const noexcept override { return "waiting"; }
    void record(const FlightRecord&) noexcept override {}
    std::string last_problem() const override { return "the disk is full"; }
  };
  options_.log = log_;
  options_.recorders = {std::make_shared<Waiting>()};
  start();
  emit_and_drain("c7.engine_built", "x");
  clock_->now_ns = kSecond;
  emit_and_drain("c7.engine_built", "y");  // once, not in every pass
  EXPECT_THAT(log_->messages("c7.sink_lost"),
              ElementsAre("waiting does not work; no record was lost yet: the disk is full"));
}

TEST_F(PipelineTest, EventThatAnOutputStandsStillInHasReachedTheOwnRecorder) {
  const auto own = std::make_shared<FakeRecorder>();
  options_.own_recorder = own;
  options_.shutdown_limit = std::chrono::milliseconds(30);
  start_with_fakes();
  recorder_->gate.close();
  emit("c7.engine_refused", "1", Level::kError);
  ASSERT_TRUE(recorder_->gate.await_one());
  EXPECT_THAT(own->records.all(), SizeIs(1));
  EXPECT_THAT(log_->messages(), ElementsAre("1"));
  recorder_->gate.open();
  ASSERT_TRUE(pipeline_->drain(kPlenty));
  log_->gate.close();
  emit("c7.engine_refused", "2", Level::kError);
  ASSERT_TRUE(log_->gate.await_one());
  EXPECT_THAT(own->records.all(), SizeIs(2));
  EXPECT_THAT(recorder_->records.all(), SizeIs(1));  // the control: behind the log
  log_->gate.open();
}

TEST_F(PipelineTest, WhatIsLeftAtTheEndStillReachesTheOwnRecorderAndIsCounted) {
  auto own = std::make_shared<FakeRecorder>();
  options_.own_recorder = own;
  options_.shutdown_limit = std::chrono::milliseconds(30);
  start_with_fakes();
  own->gate.close();
  for (const char* message : {"1", "2", "3"}) emit("c7.engine_refused", message, Level::kError);
  ASSERT_TRUE(own->gate.await_one());
  options_ = {};
  pipeline_.reset();
  own->gate.open();
  while (own.use_count() > 1) std::this_thread::yield();  // until the thread that was left behind lets go
  EXPECT_THAT(own->of_kind("c7.engine_refused"), SizeIs(3));
  const auto told = own->of_kind("overrun");
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].payload[1].second, FlightRecord::Value(std::int64_t{3}));
  EXPECT_THAT(log_->messages(), IsEmpty());
  EXPECT_THAT(recorder_->records.all(), IsEmpty());
}

/// A recorder syncs when it goes; that must not be on the thread that ends the pipeline.
TEST_F(PipelineTest, LastSyncOfASlowDiskDoesNotHoldUpTheDestructor) {
  const TempFolder place;
  const auto gate = std::make_shared<Gate>();
  FileRecorderOptions recorder;
  recorder.folder = place.path();
  recorder.sync_interval_ns = std::numeric_limits<std::int64_t>::max();
  recorder.calls.sync = [gate](int) {
    gate->pass();
    return 0;
  };
  options_.own_recorder = std::move(FileRecorder::open(recorder)).value();
  options_.shutdown_limit = std::chrono::milliseconds(30);
  start();
  const std::weak_ptr<FlightRecorder> left_behind = options_.own_recorder;
  options_ = {};
  emit_and_drain("c7.engine_refused", "x", Level::kError);
  gate->close();
  pipeline_.reset();  // returns although the sync does not: else this test would not end
  ASSERT_TRUE(gate->await_one());
  gate->open();
  while (!left_behind.expired()) std::this_thread::yield();
}

TEST_F(PipelineTest, StartingLeavesTheCallersSignalsAsTheyWere) {
  sigset_t open{}, before{}, after{};
  sigemptyset(&open);
  for (const int signal : {SIGUSR1, SIGTERM, SIGPIPE}) sigaddset(&open, signal);
  ::pthread_sigmask(SIG_UNBLOCK, &open, &before);
  start_with_fakes();
  ::pthread_sigmask(SIG_SETMASK, &before, &after);
  for (const int signal : {SIGUSR1, SIGTERM, SIGPIPE}) EXPECT_EQ(sigismember(&after, signal), 0) << signal;
}

}  // namespace
}  // namespace skua::test
