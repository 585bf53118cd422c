// A trace whose disk stands still: whoever is measured goes on, nothing is lost in silence, and nothing of
// the trace touches what its owner has freed.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "core/trace_session.h"
#include "kept_trace.h"
#include "verdicts.h"

namespace skua::trace_disk_tests {
namespace {

using namespace std::chrono_literals;
using skua::test::is_error;
using skua::test::spans_of;
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
  void emit(const Event&) noexcept override { (is_gone_ ? late_ : told_).fetch_add(1); }
  void end() { is_gone_ = true; }
  int told() const { return told_; }
  int late() const { return late_; }

 private:
  std::atomic<bool> is_gone_{false};
  std::atomic<int> told_{0}, late_{0};
};

class StandingDiskTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<TraceSession>> start_in(Descriptor file) {
    TraceOptions options;
    options.file = "a pipe";
    options.events = &sink_;
    options.interval = 1ms;
    options.end_limit = 50ms;
    return TraceSession::start_in(std::move(file), std::move(options));
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
};

constexpr std::uint64_t kManySpans = TraceSession::kCapacity + 100;  // the ring overflows, too

TEST_F(StandingDiskTest, StopLeavesTheWriterBehindAndCountsEverySpanAsLost) {
  FullPipe pipe;
  auto trace = start_in(pipe.write_end()).value();
  for (std::uint64_t i = 0; i < kManySpans; ++i) const Span span(SpanKind::kRun);
  trace->stop();  // nobody reads: that it returns is its limit
  EXPECT_EQ(trace->counts().written, 0U);
  EXPECT_EQ(trace->counts().lost, kManySpans);
  const int told = sink_.told();
  sink_.end();
  EXPECT_TRUE(is_error(start_in(Descriptor(::open("/dev/null", O_WRONLY | O_CLOEXEC))),
                       ErrorCode::kInvalidArgument, Reason::kInvalidArgument, "end it first"));
  pipe.break_it();  // what the writer stands in fails, and so does all after it
  const auto after = next();
  ASSERT_NE(after, nullptr) << "the turn is given back when the writer has ended";
  EXPECT_EQ(sink_.late(), 0) << "it may be freed by then";
  EXPECT_EQ(told, 0) << "nothing was lost that the writer knew of";
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

}  // namespace
}  // namespace skua::trace_disk_tests
