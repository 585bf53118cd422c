// A trace whose disk is full, at its beginning, in between or always: told once, every span counted, and what
// the disk takes later is a trace.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "child_process.h"
#include "core/trace_session.h"
#include "kept_trace.h"

namespace skua::trace_full_disk_tests {
namespace {

using namespace std::chrono_literals;
using skua::test::in_child;
using skua::test::spans_named;
using skua::test::TraceListener;
using skua::test::wait_until;

/// A disk with so much room for one file, until there is room again. For a process of its own.
class SmallDisk {
 public:
  SmallDisk() {
    std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &whole_);
  }
  void leave(std::uintmax_t bytes) const { set({bytes, whole_.rlim_max}); }
  void make_room() const { set(whole_); }

 private:
  static void set(const rlimit& limit) {
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) throw std::runtime_error("no limit");
  }
  rlimit whole_{};
};

std::unique_ptr<TraceSession> trace_into(const std::filesystem::path& file, EventSink& events) {
  TraceOptions options;
  options.file = file;
  options.process = "a test";
  options.events = &events;
  options.interval = 1ms;
  return TraceSession::start(std::move(options)).value();
}

std::string figures_of(const TraceCounts& counts) {
  return "written " + std::to_string(counts.written) + ", lost " + std::to_string(counts.lost);
}

class FullDiskTest : public skua::test::TraceFileTest {};

/// /dev/full takes nothing.
TEST_F(FullDiskTest, AFullDiskIsToldOnceAndEverySpanIsCounted) {
  const auto trace = trace_into("/dev/full", events_);
  for (int i = 0; i < 20; ++i) {
    { const Span span(SpanKind::kRun); }
    std::this_thread::sleep_for(1ms);
  }
  trace->stop();
  EXPECT_EQ(trace->counts().written, 0U);
  EXPECT_EQ(trace->counts().lost, 20U);
  const auto told = events_.all();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_NE(told[0].message.find("/dev/full: No space left"), std::string::npos) << told[0].message;
}

/// The kernel takes the part of a batch that still has room; later there is room again.
std::string trace_on_a_small_disk(const std::filesystem::path& file) {
  const SmallDisk disk;
  const auto trace = trace_into(file, null_event_sink());
  { const Span span(SpanKind::kRun, {"first"}); }
  wait_until([&] { return trace->counts().written == 1; });
  disk.leave(std::filesystem::file_size(file) + 50);
  { const Span span(SpanKind::kRun, {"lost"}); }
  wait_until([&] { return trace->counts().lost == 1; });
  disk.make_room();
  { const Span span(SpanKind::kRun, {"last"}); }
  trace->stop();
  return figures_of(trace->counts());
}

TEST_F(FullDiskTest, HalfABatchOfAFullDiskIsTakenBack) {
  EXPECT_EQ(in_child([&] { return trace_on_a_small_disk(file()); }), "written 2, lost 1");
  const auto all = written();
  const auto runs = spans_named(all, "run");
  ASSERT_EQ(runs.size(), 2U);
  EXPECT_EQ(runs[0]["args"]["model"], "first");
  EXPECT_EQ(runs[1]["args"]["model"], "last");
  EXPECT_EQ(spans_named(all, "spans_lost").at(0)["args"]["count"], 1);
  EXPECT_EQ(spans_named(all, "thread_name").size(), 2U) << "again, for the lost batch may have had it";
}

/// The disk is full when the trace begins, for its first span (`is_one_lost`) or for no span at all.
std::string trace_that_begins_on_a_full_disk(const std::filesystem::path& file, std::uintmax_t room,
                                             bool is_one_lost) {
  const SmallDisk disk;
  TraceListener events;
  disk.leave(room);
  const auto trace = trace_into(file, events);
  if (is_one_lost) {
    { const Span span(SpanKind::kRun, {"lost"}); }
    wait_until([&] { return trace->counts().lost == 1; });
  } else {
    std::this_thread::sleep_for(50ms);  // for the writer, which nothing shows to have tried
  }
  disk.make_room();
  { const Span span(SpanKind::kRun, {"first"}); }
  wait_until([&] { return trace->counts().written == 1; });
  { const Span span(SpanKind::kRun, {"second"}); }
  trace->stop();
  return figures_of(trace->counts()) + ", told " + std::to_string(events.all().size());
}

TEST_F(FullDiskTest, ADiskThatIsFullAtTheBeginningLeavesATraceOnceItHasRoom) {
  for (const std::uintmax_t room : {0U, 20U}) {  // nothing of the first line, or a piece of it
    for (const bool is_one_lost : {true, false}) {
      const std::string expected = is_one_lost ? "written 2, lost 1, told 1" : "written 2, lost 0, told 0";
      EXPECT_EQ(in_child([&] { return trace_that_begins_on_a_full_disk(file(), room, is_one_lost); }),
                expected);
      const auto all = written();
      ASSERT_EQ(all.size(), is_one_lost ? 7U : 6U) << folder_.read("trace.json");
      EXPECT_EQ(all[0]["args"]["name"], "a test");
      EXPECT_EQ(all[1]["args"]["format"], "skua.trace");
      EXPECT_EQ(spans_named(all, "trace_begun").size(), 1U) << "once";
      EXPECT_EQ(spans_named(all, "run").at(0)["args"]["model"], "first");
      EXPECT_EQ(all.back()["args"]["lost"], is_one_lost ? 1 : 0);
    }
  }
}

}  // namespace
}  // namespace skua::trace_full_disk_tests
