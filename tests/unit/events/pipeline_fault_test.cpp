#include <gmock/gmock.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "events/event_pipeline.h"
#include "pipeline_fixture.h"

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
  clock_->now_ns = kSecond;
  emit_and_drain("c7.engine_refused", "3", Level::kError);
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

}  // namespace
}  // namespace skua::test
