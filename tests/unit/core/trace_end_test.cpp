// The end of a trace while a thread is in the middle of keeping a span: all that stands behind it in the ring
// is in the file, or counted as lost.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>

#include "core/trace_session.h"
#include "kept_trace.h"

namespace skua::trace_end_tests {
namespace {

using namespace std::chrono_literals;
using skua::test::spans_named;
using skua::test::spans_of;
using skua::test::wait_until;

std::atomic<bool> is_stuck{false}, may_go_on{false};
std::atomic<void*> the_page{nullptr};

void wait_in_the_fault(int) {
  is_stuck.store(true);
  while (!may_go_on.load()) ::usleep(1000);
  ::mprotect(the_page.load(), static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)), PROT_READ);
}

/// A thread that keeps a span and is stopped when its place in the ring is taken and not filled yet: the
/// record lies where reading it faults, and the fault's handler waits.
class StuckThread {
 public:
  StuckThread() {
    void* const page = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) throw std::runtime_error("no page");
    const TraceRecord* const record = new (page) TraceRecord();
    static_cast<TraceRecord*>(page)->begin_ns = static_cast<TraceRecord*>(page)->end_ns =
        system_clock().monotonic_ns();
    the_page = page;
    is_stuck = may_go_on = false;
    struct sigaction waits {};
    waits.sa_handler = wait_in_the_fault;
    ::sigaction(SIGSEGV, &waits, &before_);
    ::mprotect(page, size_, PROT_NONE);
    const std::uint64_t tail = current_trace().ring->tail();
    thread_ = std::thread([record] { current_trace().ring->push(*record); });
    wait_until([] { return is_stuck.load(); });
    if (current_trace().ring->tail() != tail + 1) throw std::runtime_error("stopped elsewhere");
  }
  StuckThread(const StuckThread&) = delete;
  StuckThread& operator=(const StuckThread&) = delete;
  ~StuckThread() {
    go_on();
    ::munmap(the_page, size_);
  }
  void go_on() {
    may_go_on = true;
    if (!thread_.joinable()) return;
    thread_.join();
    ::sigaction(SIGSEGV, &before_, nullptr);
  }

 private:
  const std::size_t size_ = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  struct sigaction before_ {};
  std::thread thread_;
};

/// The writer looks for a quarter of it, and has the rest to write: a busy machine may take seconds.
constexpr std::chrono::seconds kEndLimit{8};

class TraceEndTest : public skua::test::TraceFileTest {
 protected:
  std::unique_ptr<TraceSession> start(std::chrono::milliseconds end_limit) {
    TraceOptions with = options();
    with.interval = 1h;  // the writer looks at the end alone
    with.end_limit = end_limit;
    return TraceSession::start(std::move(with)).value();
  }
  static void keep(int spans) {
    for (int i = 0; i < spans; ++i) const Span span(SpanKind::kRun);
  }
};

TEST_F(TraceEndTest, WhatStandsBehindAStuckThreadIsCountedAndTold) {
  const auto trace = start(kEndLimit);
  keep(1);
  const StuckThread stuck;
  keep(10);
  trace->stop();
  EXPECT_EQ(trace->counts().written, 1U);
  EXPECT_EQ(trace->counts().lost, 11U);
  const auto all = written();
  EXPECT_EQ(spans_of(all).size(), 1U);
  EXPECT_EQ(spans_named(all, "spans_lost").at(0)["args"]["count"], 11);
  EXPECT_EQ(all.back()["args"], parse_json(R"({"spans":1,"lost":11})").value());
  const auto told = events_.all();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].kind, "c7.sink_lost");
  EXPECT_NE(told[0].message.find("in the middle of keeping a span"), std::string::npos) << told[0].message;
}

TEST_F(TraceEndTest, AStuckThreadThatGoesOnMeanwhileLosesNothing) {
  const auto trace = start(100s);
  keep(1);
  StuckThread stuck;
  keep(10);
  std::jthread helper([&] {
    wait_until([&] { return trace->counts().written == 1; });  // the end has begun
    stuck.go_on();
  });
  trace->stop();
  EXPECT_EQ(trace->counts().written, 12U);
  EXPECT_EQ(trace->counts().lost, 0U);
  EXPECT_EQ(spans_of(written()).size(), 12U);
  EXPECT_TRUE(events_.all().empty());
}

TEST_F(TraceEndTest, WhatAStuckThreadHeldUpIsNotOfTheNextTrace) {
  auto trace = start(kEndLimit);
  StuckThread stuck;
  keep(10);
  trace->stop();
  EXPECT_EQ(trace->counts().lost, 11U);
  trace.reset();
  trace = start(100s);  // the ring still holds all of them
  stuck.go_on();
  keep(1);
  trace->stop();
  EXPECT_EQ(trace->counts().written, 1U);
  EXPECT_EQ(trace->counts().lost, 0U);
  const auto all = written();
  EXPECT_EQ(spans_of(all).size(), 1U);
  EXPECT_TRUE(spans_named(all, "spans_lost").empty());
}

}  // namespace
}  // namespace skua::trace_end_tests
