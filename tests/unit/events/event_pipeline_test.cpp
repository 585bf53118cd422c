#include "events/event_pipeline.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstring>
#include <thread>

#include "counts.h"
#include "hot_path_counters.h"
#include "pipeline_fixture.h"

namespace skua::test {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

FrameEvent frame_event(FrameEvent::Kind kind, std::uint64_t frame) {
  FrameEvent event;
  event.kind = kind;
  event.frame = frame;
  event.reason = Reason::kExecutionFailed;
  std::strncpy(event.backbone.data(), "ultravpr", event.backbone.size() - 1);
  return event;
}

FrameEvent failure(std::uint64_t frame) { return frame_event(FrameEvent::Kind::kInferenceFailed, frame); }

TEST_F(PipelineTest, EventsReachLogAndRecorderWithTheTimeAtWhichTheyHappened) {
  start_with_fakes();
  hold_in_log();
  clock_->now_ns = 5'000'000;
  emit("c7.engine_refused", "refused", Level::kError);
  clock_->now_ns = 9'000'000'000;  // written much later
  log_->gate.open();
  ASSERT_TRUE(pipeline_->drain(kPlenty));
  EXPECT_THAT(log_->messages(), ElementsAre("held", "refused"));
  EXPECT_THAT(log_->lines.all()[1], HasSubstr(R"("ts":"2026-03-01T12:00:00.005000Z")"));
  const auto records = recorder_->records.all();
  ASSERT_THAT(records, SizeIs(1));
  EXPECT_EQ(records[0].kind, "c7.engine_refused");
  EXPECT_EQ(records[0].monotonic_ns, 5'000'000);
  EXPECT_EQ(records[0].utc_us, 1772366400005000);
}

TEST_F(PipelineTest, BothQueuesAreMergedByTime) {
  start_with_fakes();
  hold_in_log();
  for (const int step : {1, 2, 3, 4}) {
    clock_->now_ns = step * 1000;
    if (step % 2 == 0) {
      emit("c7.engine_built", std::to_string(step));
    } else {
      pipeline_->post(failure(static_cast<std::uint64_t>(step)));
    }
  }
  log_->gate.open();
  ASSERT_TRUE(pipeline_->drain(kPlenty));
  EXPECT_THAT(log_->messages(), ElementsAre("held", HasSubstr("frame=1"), "2", HasSubstr("frame=3"), "4"));
}

TEST_F(PipelineTest, MinimumLevelIsTheLogsAndNotTheRecorders) {
  options_.minimum = Level::kError;
  start_with_fakes();
  emit("c7.engine_built", "below");
  emit("c7.engines_ready", "below, recorded all the same");
  emit("c7.set_unsigned", "below, recorded as a log record", Level::kWarn);
  emit_and_drain("c7.engine_refused", "at", Level::kError);
  EXPECT_THAT(log_->messages(), ElementsAre("at"));
  std::vector<std::string> kinds;
  for (const FlightRecord& record : recorder_->records.all()) kinds.push_back(record.kind);
  EXPECT_THAT(kinds, ElementsAre("c7.engines_ready", "log", "c7.engine_refused"));
  EXPECT_EQ(pipeline_->counts().emitted, 3U);  // nobody wanted the first
}

TEST_F(PipelineTest, FrameTimingsAreForTheDebugLogOnly) {
  options_.minimum = Level::kDebug;
  start_with_fakes();
  pipeline_->post(frame_event(FrameEvent::Kind::kTiming, 7));
  ASSERT_TRUE(pipeline_->drain(kPlenty));
  EXPECT_THAT(log_->messages("c7.infer"), ElementsAre("C7 infer backbone=ultravpr frame=7 took=0ms"));
  EXPECT_THAT(recorder_->records.all(), IsEmpty());
  pipeline_.reset();
  options_.minimum = Level::kInfo;
  start();
  pipeline_->post(frame_event(FrameEvent::Kind::kTiming, 8));
  EXPECT_EQ(pipeline_->counts().emitted, 0U);
}

TEST_F(PipelineTest, TimingsWithoutADebugLogPushNoFailureOutOfTheRing) {
  options_.minimum = Level::kDebug;  // and no log
  options_.recorders = {recorder_};
  options_.frame_capacity = 4;
  start();
  recorder_->gate.close();
  emit("c7.engine_refused", "held", Level::kError);
  ASSERT_TRUE(recorder_->gate.await_one());
  pipeline_->post(frame_event(FrameEvent::Kind::kOutOfMemory, 1));
  for (std::uint64_t i = 0; i < 8; ++i) pipeline_->post(frame_event(FrameEvent::Kind::kTiming, i));
  recorder_->gate.open();
  ASSERT_TRUE(pipeline_->drain(kPlenty));
  EXPECT_THAT(recorder_->of_kind("c7.out_of_memory"), SizeIs(1));
  EXPECT_THAT(recorder_->of_kind("overrun"), IsEmpty());
}

TEST_F(PipelineTest, FailuresOfARunReachTheRecorderWithBackboneAndFrame) {
  start_with_fakes();
  pipeline_->post(frame_event(FrameEvent::Kind::kOutOfMemory, 12345));
  ASSERT_TRUE(pipeline_->drain(kPlenty));
  EXPECT_THAT(log_->messages("c7.out_of_memory"),
              ElementsAre(HasSubstr("C7 OOM during infer; backbone=ultravpr; frame=12345")));
  const auto records = recorder_->of_kind("c7.out_of_memory");
  ASSERT_THAT(records, SizeIs(1));
  EXPECT_EQ(records[0].payload[0].second, FlightRecord::Value(std::string("ultravpr")));
  EXPECT_EQ(records[0].payload[3].second, FlightRecord::Value(std::int64_t{12345}));
}

TEST_F(PipelineTest, FullQueueKeepsTheNewestAndSaysHowManyItDropped) {
  options_.event_capacity = 4;
  start_with_fakes();
  hold_in_log();
  for (int i = 0; i < 10; ++i) emit("c7.engine_built", std::to_string(i));
  log_->gate.open();
  ASSERT_TRUE(pipeline_->drain(kPlenty));
  EXPECT_THAT(log_->messages("c7.engine_built"), ElementsAre("held", "6", "7", "8", "9"));
  EXPECT_THAT(log_->messages("overrun"), ElementsAre(HasSubstr("oldest 6 events")));
  const auto records = recorder_->of_kind("overrun");
  ASSERT_THAT(records, SizeIs(1));
  EXPECT_EQ(records[0].payload[0].second, FlightRecord::Value(std::string("c7_inference")));
  EXPECT_EQ(records[0].payload[1].second, FlightRecord::Value(std::int64_t{6}));
}

TEST_F(PipelineTest, FullRingKeepsTheNewestFrames) {
  options_.frame_capacity = 4;
  start_with_fakes();
  hold_in_log();
  for (std::uint64_t i = 0; i < 10; ++i) pipeline_->post(failure(i));
  log_->gate.open();
  ASSERT_TRUE(pipeline_->drain(kPlenty));
  EXPECT_THAT(log_->messages("c7.inference_failed"), ElementsAre(HasSubstr("frame=6"), HasSubstr("frame=7"),
                                                                 HasSubstr("frame=8"), HasSubstr("frame=9")));
  EXPECT_THAT(log_->messages("overrun"), ElementsAre(HasSubstr("oldest 6 events")));
  EXPECT_EQ(pipeline_->counts().dropped, 6U);
}

TEST_F(PipelineTest, PostingNeitherAllocatesNorLocksWhateverTheSinksDo) {
  options_.frame_capacity = 8;
  start_with_fakes();
  const FrameEvent event = failure(1);
  const auto post_many = [&] {
    for (int i = 0; i < 1000; ++i) pipeline_->post(event);
  };
  const HotPathCounts running = count_hot_path(post_many);
  EXPECT_EQ(running.allocations, 0U);
  EXPECT_EQ(running.locks, 0U);
  hold_in_log();
  const HotPathCounts stalled = count_hot_path(post_many);
  EXPECT_EQ(stalled.allocations, 0U);
  EXPECT_EQ(stalled.locks, 0U);
  log_->gate.open();
  // The control: emit() does both, and is seen doing it.
  const HotPathCounts emitting =
      count_hot_path([&] { emit("c7.engine_built", "a text of more than 16 bytes"); });
  EXPECT_GT(emitting.allocations, 0U);
  EXPECT_GT(emitting.locks, 0U);
}

TEST_F(PipelineTest, RecordersAreFlushedBeforeADrainReturns) {
  start_with_fakes();
  const int before = recorder_->flushes;
  emit_and_drain("c7.engine_refused", "x", Level::kError);
  EXPECT_GT(recorder_->flushes, before);
}

TEST_F(PipelineTest, DrainThatCannotFinishSaysSo) {
  start_with_fakes();
  hold_in_log();
  EXPECT_FALSE(pipeline_->drain(std::chrono::milliseconds(1)));
  log_->gate.open();
  EXPECT_TRUE(pipeline_->drain(kPlenty));
}

TEST_F(PipelineTest, DestructorHandsOverWhatIsLeft) {
  options_.shutdown_limit = kPlenty;
  start_with_fakes();
  for (int i = 0; i < 500; ++i) emit("c7.engine_built", std::to_string(i));
  pipeline_.reset();
  EXPECT_THAT(log_->messages(), SizeIs(500));
}

/// Threads that emit and post; every entry must end as a line, a drop or a loss.
void hammer(EventPipeline& pipeline, int threads, std::int64_t rounds) {
  std::vector<std::thread> producers;
  for (int t = 0; t < threads; ++t) {
    producers.emplace_back([&pipeline, rounds, t] {
      for (std::int64_t i = 0; i < rounds; ++i) {
        if (t % 2 == 0) {
          pipeline.emit({Level::kInfo, "c7.engine_built", "x", {}});
        } else {
          pipeline.post(failure(static_cast<std::uint64_t>(i)));
        }
      }
    });
  }
  for (std::thread& producer : producers) producer.join();
}

TEST_F(PipelineTest, EveryEntryOfManyThreadsIsWrittenDroppedOrLost) {
  options_.event_capacity = 64;
  options_.frame_capacity = 64;
  start_with_fakes();
  const std::int64_t rounds = skua_test::count("event_rounds");
  std::atomic<bool> is_done{false};
  std::thread disturber([&] {
    while (!is_done) log_->is_failing = !log_->is_failing;
  });
  hammer(*pipeline_, 4, rounds);
  is_done = true;
  disturber.join();
  ASSERT_TRUE(pipeline_->drain(kPlenty));
  const PipelineCounts counts = pipeline_->counts();
  EXPECT_EQ(counts.emitted, static_cast<std::uint64_t>(4 * rounds));
  EXPECT_EQ(counts.emitted, counts.handed + counts.dropped);
  EXPECT_EQ(counts.log_offered, counts.log_written + counts.log_lost);
  EXPECT_EQ(log_->lines.all().size(), counts.log_written);
  const auto told = log_->messages("overrun").size() + log_->messages("c7.sink_lost").size();
  EXPECT_LE(told, counts.reports);
  // The whole account: emitted == written + dropped + lost, the pipeline's own reports set aside. Those that
  // went to the failing log are among its losses; those about the log were not offered to it.
  std::uint64_t about_log = 0;
  for (const FlightRecord& record : recorder_->of_kind("log")) {
    const auto& text = std::get<std::string>(record.payload[3].second);
    if (text.starts_with("fake log has lost")) ++about_log;
  }
  EXPECT_EQ(counts.emitted + counts.reports - about_log,
            counts.log_written + counts.log_lost + counts.dropped);
}

TEST_F(PipelineTest, PipelineWithoutOutputsTakesNothing) {
  start();
  emit("c7.engine_refused", "x", Level::kError);
  EXPECT_EQ(pipeline_->counts().emitted, 0U);
}

}  // namespace
}  // namespace skua::test
