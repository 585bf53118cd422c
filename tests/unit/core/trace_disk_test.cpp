// A trace whose disk stands still: whoever is measured goes on, nothing is lost in silence, and nothing of
// the trace touches what its owner has freed.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "core/trace_session.h"
#include "kept_trace.h"
#include "temp_folder.h"
#include "verdicts.h"

namespace skua::trace_disk_tests {
namespace {

using namespace std::chrono_literals;
using skua::test::is_error;
using skua::test::spans_of;
using skua::test::TempFolder;
using skua::test::trace_events;
using skua::test::wait_until;

/// A disk that stands still: a pipe that is full, into which write() waits until somebody reads, or nobody
/// does any more.
class FullPipe {
 public:
  FullPipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) throw std::runtime_error("no pipe");
    read_end_ = ends[0];
    write_end_ = ends[1];
    const std::string piece(4096, '.');
    for (ssize_t got = 0; (got = ::write(write_end_, piece.data(), piece.size())) > 0;)
      filled_ += static_cast<std::size_t>(got);
    ::fcntl(write_end_, F_SETFL, 0);  // from here on it waits
  }
  FullPipe(const FullPipe&) = delete;
  FullPipe& operator=(const FullPipe&) = delete;
  ~FullPipe() {
    if (read_end_ >= 0) break_it();
  }
  /// Once.
  Descriptor write_end() { return Descriptor(std::exchange(write_end_, -1)); }
  void break_it() { ::close(std::exchange(read_end_, -1)); }
  /// Everything behind what filled it, until the writer closes its end.
  std::string read_on() const {
    ::fcntl(read_end_, F_SETFL, 0);
    std::string text;
    char buffer[4096];
    for (ssize_t got = 0; (got = ::read(read_end_, buffer, sizeof buffer)) > 0;)
      text.append(buffer, static_cast<std::size_t>(got));
    return text.substr(filled_);
  }

 private:
  int read_end_ = -1, write_end_ = -1;
  std::size_t filled_ = 0;
};

/// In the place of a sink that is gone: whether anybody still calls it.
class EndedSink final : public EventSink {
 public:
  void emit(const Event& event) noexcept override {
    (is_gone_ ? late_ : told_).fetch_add(1);
    lost_ = std::get<std::int64_t>(event.fields.at(1).value);
  }
  void end() { is_gone_ = true; }
  /// As the last event says.
  std::int64_t lost() const { return lost_; }
  int told() const { return told_; }
  int late() const { return late_; }

 private:
  std::atomic<bool> is_gone_{false};
  std::atomic<int> told_{0}, late_{0};
  std::atomic<std::int64_t> lost_{-1};
};

class StandingDiskTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<TraceSession>> start_in(Descriptor file) {
    const auto shared = std::make_shared<Descriptor>(std::move(file));
    return start_with([shared]() -> Result<Descriptor> { return std::move(*shared); }, 100s);
  }
  Result<std::unique_ptr<TraceSession>> start_with(std::function<Result<Descriptor>()> open,
                                                   std::chrono::milliseconds begin_limit) {
    TraceOptions options;
    options.file = "a pipe";
    options.open = std::move(open);
    options.events = &sink_;
    options.begin_limit = begin_limit;
    options.interval = 1ms;
    options.end_limit = end_limit_;
    return TraceSession::start(std::move(options));
  }
  /// The next one, once the writer that was left behind has ended.
  std::unique_ptr<TraceSession> next() {
    std::unique_ptr<TraceSession> session;
    wait_until([&] {
      auto started = start_in(Descriptor(::open("/dev/null", O_WRONLY | O_CLOEXEC)));
      if (started.ok()) session = *std::move(started);
      return session != nullptr;
    });
    return session;
  }
  EndedSink sink_;
  std::chrono::milliseconds end_limit_ = 100s;  // where the writer comes to its end
};

constexpr std::uint64_t kManySpans = TraceSession::kCapacity + 100;  // the ring overflows, too

TEST_F(StandingDiskTest, StopLeavesTheWriterBehindAndCountsEverySpanAsLost) {
  FullPipe pipe;
  end_limit_ = 50ms;
  auto trace = start_in(pipe.write_end()).value();
  for (std::uint64_t i = 0; i < kManySpans; ++i) const Span span(SpanKind::kRun);
  trace->stop();  // nobody reads: that it returns is its limit
  EXPECT_EQ(trace->counts().written, 0U);
  EXPECT_EQ(trace->counts().lost, kManySpans);
  EXPECT_EQ(sink_.told(), 1) << "by stop()";
  EXPECT_EQ(sink_.lost(), static_cast<std::int64_t>(kManySpans));
  sink_.end();
  EXPECT_TRUE(is_error(start_in(Descriptor(::open("/dev/null", O_WRONLY | O_CLOEXEC))),
                       ErrorCode::kInvalidArgument, Reason::kInvalidArgument, "end it first"));
  pipe.break_it();  // what the writer stands in fails, and so does all after it
  end_limit_ = 100s;
  const auto after = next();
  ASSERT_NE(after, nullptr) << "the turn is given back when the writer has ended";
  EXPECT_EQ(sink_.late(), 0) << "it may be freed by then";
  EXPECT_EQ(trace->counts().lost, kManySpans);
  { const Span span(SpanKind::kRun); }
  after->stop();
  EXPECT_EQ(after->counts().written, 1U);
  EXPECT_EQ(trace->counts().lost, kManySpans) << "spans of the next trace are not its own";
}

/// The control: the same end of a disk is told where the writer is not left behind.
TEST_F(StandingDiskTest, ADiskThatBreaksBeforeTheEndIsTold) {
  FullPipe pipe;
  auto trace = start_in(pipe.write_end()).value();
  for (int i = 0; i < 20; ++i) const Span span(SpanKind::kRun);
  pipe.break_it();
  wait_until([&] { return trace->counts().lost == 20; });
  trace->stop();
  EXPECT_EQ(trace->counts().lost, 20U);
  EXPECT_EQ(sink_.told(), 1);
}

TEST_F(StandingDiskTest, WhatTheDiskTakesAfterAllIsLostNoMore) {
  FullPipe pipe;
  end_limit_ = 50ms;
  auto trace = start_in(pipe.write_end()).value();
  for (int i = 0; i < 20; ++i) const Span span(SpanKind::kRun);
  trace->stop();
  EXPECT_EQ(trace->counts().lost, 20U);
  sink_.end();
  const auto all = trace_events(pipe.read_on());
  EXPECT_EQ(spans_of(all).size(), 20U);
  EXPECT_EQ(all.back()["name"], "trace_ended");
  EXPECT_EQ(trace->counts().written, 20U);
  EXPECT_EQ(trace->counts().lost, 0U);
  EXPECT_EQ(sink_.late(), 0);
  EXPECT_NE(next(), nullptr);
}

/// An open() that stands still until it is let go.
class StandingOpen {
 public:
  std::function<Result<Descriptor>()> opener() const {
    return [state = state_]() -> Result<Descriptor> {
      state->has_begun = true;
      wait_until([&] { return state->is_let_go.load(); });
      return Descriptor(::open(state->file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    };
  }
  explicit StandingOpen(std::filesystem::path file) { state_->file = std::move(file); }
  ~StandingOpen() { let_go(); }
  void let_go() const { state_->is_let_go = true; }
  bool has_begun() const { return state_->has_begun; }

 private:
  struct State {
    std::filesystem::path file;
    std::atomic<bool> has_begun{false}, is_let_go{false};
  };
  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

TEST_F(StandingDiskTest, AnOpenThatStandsStillIsGivenUp) {
  const TempFolder folder;
  const StandingOpen standing(folder.path() / "trace");
  EXPECT_TRUE(is_error(start_with(standing.opener(), 50ms), ErrorCode::kInvalidArgument, Reason::kIo,
                       "--trace a pipe: expected a disk that opens it within 50 ms"));
  EXPECT_FALSE(is_trace_on.load());
  { const Span span(SpanKind::kRun); }
  EXPECT_TRUE(is_error(start_with(standing.opener(), 50ms), ErrorCode::kInvalidArgument,
                       Reason::kInvalidArgument, "end it first"));
  standing.let_go();
  const auto after = next();
  ASSERT_NE(after, nullptr) << "the turn is given back when the open has ended";
  EXPECT_EQ(folder.read("trace"), "") << "nobody wants it any more";
  EXPECT_EQ(sink_.told(), 0) << "who called start() has the error";
}

/// The control: the same open, let go while start() still waits.
TEST_F(StandingDiskTest, AnOpenThatIsSlowIsWaitedFor) {
  const TempFolder folder;
  const StandingOpen standing(folder.path() / "trace");
  std::jthread helper([&] {
    wait_until([&] { return standing.has_begun(); });
    standing.let_go();
  });
  const auto trace = start_with(standing.opener(), 100s).value();
  { const Span span(SpanKind::kRun); }
  trace->stop();
  EXPECT_EQ(trace->counts().written, 1U);
  EXPECT_EQ(spans_of(trace_events(folder.read("trace"))).size(), 1U);
}

}  // namespace
}  // namespace skua::trace_disk_tests
