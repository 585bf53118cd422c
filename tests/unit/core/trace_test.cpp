// Spans and their file: strict JSON, nested as they ran, nothing lost in silence, and nothing that a span
// costs whoever is measured.
#include "core/trace_session.h"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <thread>
#include <vector>

#include "child_process.h"
#include "hot_path_counters.h"
#include "kept_trace.h"
#include "verdicts.h"

namespace skua::trace_tests {
namespace {

using namespace std::chrono_literals;
using skua::test::count_hot_path;
using skua::test::in_child;
using skua::test::is_error;
using skua::test::is_within;
using skua::test::spans_named;
using skua::test::spans_of;
using skua::test::trace_events;
using skua::test::wait_until;

class TraceTest : public skua::test::TraceFileTest {
 protected:
  std::unique_ptr<TraceSession> start(std::chrono::milliseconds interval = 1ms) {
    TraceOptions with = options();
    with.interval = interval;
    return TraceSession::start(std::move(with)).value();
  }
};

TEST_F(TraceTest, SpansStandAsTheyRanWithWhatTheyAreAbout) {
  const auto trace = start();
  {
    const Span load(SpanKind::kLoadSet);
    Span run(SpanKind::kRun, {"demo_vpr", "c2_vpr", 7});
    { const Span inner(SpanKind::kSdkRun); }
    run.failed(Reason::kDeadlineMissed);
  }
  trace->stop();
  const auto all = written();
  const auto load = spans_named(all, "load_set"), run = spans_named(all, "run"),
             inner = spans_named(all, "sdk_run");
  ASSERT_TRUE(load.size() == 1 && run.size() == 1 && inner.size() == 1);
  EXPECT_TRUE(is_within(run[0], load[0]) && is_within(inner[0], run[0])) << folder_.read("trace.json");
  EXPECT_FALSE(is_within(load[0], inner[0])) << "control";
  EXPECT_EQ(run[0]["cat"], "run");
  EXPECT_EQ(
      run[0]["args"],
      parse_json(R"({"model":"demo_vpr","lane":"c2_vpr","frame":7,"reason":"deadline_missed"})").value());
  EXPECT_FALSE(load[0].contains("args"));
  EXPECT_EQ(trace->counts().written, 3U);
  EXPECT_EQ(trace->counts().lost, 0U);
  EXPECT_TRUE(events_.all().empty());
}

TEST_F(TraceTest, TheFileSaysWhoseItIsAndHowItEnded) {
  auto trace = start();
  { const Span span(SpanKind::kFrame, {{}, {}, 0}); }
  trace->stop();
  const auto all = written();
  ASSERT_EQ(spans_named(all, "process_name").size(), 1U);
  EXPECT_EQ(spans_named(all, "process_name")[0]["args"]["name"], "a test");
  EXPECT_EQ(spans_named(all, "trace_begun").at(0)["args"]["version"], TraceSession::kFormatVersion);
  EXPECT_EQ(all.back()["name"], "trace_ended");
  EXPECT_EQ(all.back()["args"], parse_json(R"({"spans":1,"lost":0})").value());
  EXPECT_EQ(spans_named(all, "frame").at(0)["args"]["frame"], 0);
  for (const Json& one : all) {
    EXPECT_TRUE(one.contains("ph") && one["pid"] == static_cast<int>(::getpid()) && one.contains("tid"))
        << one;
  }
}

TEST_F(TraceTest, EveryThreadHasItsName) {
  const auto trace = start();
  { const Span span(SpanKind::kFrame); }
  std::jthread([] {
    ::pthread_setname_np(::pthread_self(), "skua-match-1");
    const Span first(SpanKind::kRun);
    const Span second(SpanKind::kRun);
  }).join();
  trace->stop();
  const auto all = written();
  const auto names = spans_named(all, "thread_name");
  ASSERT_EQ(names.size(), 2U) << "once for each";
  EXPECT_EQ(names[1]["args"]["name"], "skua-match-1");
  EXPECT_EQ(names[1]["tid"], spans_named(all, "run").at(0)["tid"]);
  EXPECT_NE(names[0]["tid"], names[1]["tid"]);
}

TEST_F(TraceTest, OffNothingIsKept) {
  { const Span before(SpanKind::kRun); }
  Span across(SpanKind::kLoadSet);  // began before the trace did
  const auto trace = start();
  across.end();
  { const Span within(SpanKind::kFrame); }
  trace->stop();
  { const Span after(SpanKind::kRun); }
  const auto spans = spans_of(written());
  ASSERT_EQ(spans.size(), 1U);
  EXPECT_EQ(spans[0]["name"], "frame") << "the control";
}

TEST_F(TraceTest, TheNextTraceHoldsNothingOfTheLast) {
  auto trace = start(1h);
  { const Span span(SpanKind::kRun); }
  Span across(SpanKind::kWarmUp);
  trace.reset();
  EXPECT_EQ(spans_of(written()).size(), 1U);
  trace = start();
  across.end();
  { const Span span(SpanKind::kFrame); }
  trace.reset();
  const auto all = written();
  EXPECT_EQ(spans_of(all).size(), 1U);
  EXPECT_EQ(spans_named(all, "frame").size(), 1U);
  EXPECT_EQ(spans_named(all, "thread_name").size(), 1U) << "told again";
}

/// Hot path: neither off nor on does a span allocate or lock.
void run_spans() {
  for (int i = 0; i < 100; ++i) {
    const Span outer(SpanKind::kRun, {"demo_vpr", "c2_vpr", 3});
    const Span inner(SpanKind::kSdkRun);
  }
}

TEST_F(TraceTest, ASpanAllocatesAndLocksNothingOffAndOn) {
  const auto off = count_hot_path(run_spans);
  const auto trace = start();
  skua::test::HotPathCounts on;
  std::jthread([&] { on = count_hot_path(run_spans); }).join();  // a thread that has told nothing yet
  trace->stop();
  EXPECT_EQ(trace->counts().written, 200U);
  for (const auto& counts : {off, on}) {
    EXPECT_EQ(counts.allocations, 0U);
    EXPECT_EQ(counts.locks, 0U);
  }
  std::mutex mutex;
  const auto control = count_hot_path([&] {
    run_spans();
    const std::lock_guard lock(mutex);
    const std::string text(100, 'x');
    ASSERT_EQ(text.size(), 100U);
  });
  EXPECT_EQ(control.allocations, 1U);
  EXPECT_EQ(control.locks, 1U);
}

TEST_F(TraceTest, WhatAFullRingPushesOutIsCountedAndTold) {
  constexpr std::uint64_t kMore = 1000;
  const auto trace = start(1h);  // the writer sleeps
  for (std::uint64_t i = 0; i < TraceSession::kCapacity + kMore; ++i) {
    const Span span(SpanKind::kRun, {{}, {}, i});
  }
  trace->stop();
  const auto all = written();
  EXPECT_EQ(spans_of(all).size(), TraceSession::kCapacity);
  EXPECT_EQ(spans_named(all, "run").front()["args"]["frame"], kMore) << "the oldest goes";
  EXPECT_EQ(trace->counts().written, TraceSession::kCapacity);
  EXPECT_EQ(trace->counts().lost, kMore);
  ASSERT_EQ(spans_named(all, "spans_lost").size(), 1U);
  EXPECT_EQ(spans_named(all, "spans_lost")[0]["args"]["count"], kMore);
  EXPECT_EQ(all.back()["args"]["lost"], kMore);
  EXPECT_EQ(spans_named(all, "thread_name").size(), 1U) << "its first span is lost, its name is not";
  const auto told = events_.all();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].kind, "c7.sink_lost");
  EXPECT_EQ(std::get<std::string>(told[0].fields.at(0).value), "trace");
  EXPECT_EQ(std::get<std::int64_t>(told[0].fields.at(1).value), static_cast<std::int64_t>(kMore));
}

TEST_F(TraceTest, WhoIsKilledLeavesAFileThatIsReadWithoutItsEnd) {
  const std::filesystem::path file = folder_.path() / "trace.json";
  EXPECT_EQ(in_child([&]() -> std::string {
              TraceOptions options;
              options.file = file;
              options.interval = 1ms;
              const auto trace = TraceSession::start(std::move(options)).value();
              for (int i = 0; i < 100; ++i) const Span span(SpanKind::kRun);
              wait_until([&] { return trace->counts().written == 100; });
              ::raise(SIGKILL);
              return "not killed";
            }),
            "");
  ASSERT_FALSE(folder_.read("trace.json").ends_with("]\n"));
  const auto all = written();
  EXPECT_EQ(spans_of(all).size(), 100U);
  EXPECT_TRUE(spans_named(all, "trace_ended").empty());
}

/// The kernel may cut the write() of who is killed, anywhere.
TEST_F(TraceTest, AFileThatIsCutAnywhereIsReadUpToItsLastWholeLine) {
  const auto trace = start();
  { const Span span(SpanKind::kRun, {"demo_vpr", "c2_vpr", 7}); }
  trace->stop();
  const std::string text = folder_.read("trace.json");
  const auto whole = trace_events(text);
  ASSERT_EQ(whole.size(), 5U);
  std::size_t events = 0;
  for (std::size_t size = 2; size <= text.size(); ++size) {
    const auto read = trace_events(text.substr(0, size));
    ASSERT_TRUE(read.size() == events || read.size() == events + 1) << text.substr(0, size);
    events = read.size();
    ASSERT_TRUE(std::equal(read.begin(), read.end(), whole.begin())) << text.substr(0, size);
  }
  EXPECT_EQ(events, whole.size());
  const std::size_t middle = text.find("thread_name") - 1;
  const std::string damaged = std::string(text).erase(middle, 1);
  EXPECT_NONFATAL_FAILURE(trace_events(damaged), "thread_name");  // control: a piece in the middle is told
}

TEST_F(TraceTest, WhateverANetworkIsCalledTheFileIsStrictJson) {
  const auto trace = start();
  std::vector<std::string> names = {"\"", "\\", "\n", "{\"x\":1}", "%s%n%d", std::string(300, '\x01')};
  for (int byte = 1; byte < 256; ++byte) names.push_back("x" + std::string(1, static_cast<char>(byte)) + "y");
  for (const std::string& name : names) const Span span(SpanKind::kRun, {name, name, 1});
  trace->stop();
  EXPECT_EQ(spans_named(written(), "run").size(), names.size());
}

TEST_F(TraceTest, WhereNoFileCanBeIsRefusedByName) {
  const auto refused = [&](const std::filesystem::path& file, ErrorCode code, Reason reason,
                           const char* word) {
    TraceOptions options;
    options.file = file;
    EXPECT_TRUE(is_error(TraceSession::start(std::move(options)), code, reason, word));
    EXPECT_FALSE(is_trace_on.load());
  };
  constexpr ErrorCode kInvalid = ErrorCode::kInvalidArgument;
  refused(folder_.path() / "gone/trace", kInvalid, Reason::kIo, "gone/trace");
  refused(folder_.path(), kInvalid, Reason::kIo, "name one that can be written");
  folder_.write("old", "what was there");
  std::filesystem::create_symlink(folder_.path() / "old", folder_.path() / "link");
  refused(folder_.path() / "link", kInvalid, Reason::kIo, "link");
  EXPECT_EQ(folder_.read("old"), "what was there");
  ASSERT_EQ(::mkfifo((folder_.path() / "fifo").c_str(), 0600), 0);
  refused(folder_.path() / "fifo", kInvalid, Reason::kIo, "fifo");
  const auto trace = start();
  TraceOptions second;
  second.file = folder_.path() / "second";
  EXPECT_TRUE(
      is_error(TraceSession::start(std::move(second)), kInvalid, Reason::kInvalidArgument, "end it first"));
  EXPECT_FALSE(folder_.has("second"));
  EXPECT_TRUE(is_trace_on.load()) << "the first goes on";
}

TEST_F(TraceTest, WhereverMemoryRunsOutTheStartIsRefusedAndTheNextIsNot) {
  const std::filesystem::path file = folder_.path() / "trace.json";
  { const auto makes_the_ring = start(); }
  std::uint64_t refused = 0;
  for (std::uint64_t nth = 1;; ++nth) {
    TraceOptions options;
    options.file = file;
    std::optional<Result<std::unique_ptr<TraceSession>>> started;
    const bool has_failed = skua::test::run_with_failing_allocation(nth, [&] {
      try {
        started.emplace(TraceSession::start(std::move(options)));
      } catch (const std::bad_alloc&) {
        ADD_FAILURE() << "thrown, allocation " << nth;
      }
    });
    if (!has_failed) break;
    if (!started) continue;
    EXPECT_TRUE(is_error(*started, ErrorCode::kOutOfMemory, Reason::kOutOfMemory, "trace.json")) << nth;
    ++refused;
  }
  EXPECT_GE(refused, 3U) << "state, session, thread";
  EXPECT_NE(start(), nullptr);
}

/// Writer and many threads at once: every span is in the file or counted.
TEST_F(TraceTest, ManyThreadsLoseNothingInSilence) {
  constexpr int kThreads = 4, kSpans = 5000;
  const auto trace = start();
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([] {
        for (int i = 0; i < kSpans; ++i)
          const Span span(SpanKind::kRun, {"m", "l", static_cast<std::uint64_t>(i)});
      });
    }
  }
  trace->stop();
  const auto counts = trace->counts();
  EXPECT_EQ(spans_of(written()).size(), counts.written);
  EXPECT_EQ(counts.written + counts.lost, static_cast<std::uint64_t>(kThreads * kSpans));
}

TEST(TraceDocument, ListsEverySpanOnceUnderItsCategory) {
  std::ifstream file(SKUA_SOURCE_DIR "/docs/formats/trace.md");
  std::map<std::string, std::string> listed;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("| `")) continue;
    const auto end = line.find('`', 3);
    for (const char* category : {"load", "frame", "run"}) {
      if (!line.substr(end + 1).starts_with(std::string("` | ").substr(1) + category + " |")) continue;
      EXPECT_TRUE(listed.emplace(line.substr(3, end - 3), category).second) << line;
    }
  }
  EXPECT_EQ(listed.size(), kSpanKinds);
  for (std::size_t i = 0; i < kSpanKinds; ++i) {
    const auto kind = static_cast<SpanKind>(i);
    EXPECT_EQ(listed[std::string(to_string(kind))], category_of(kind)) << to_string(kind);
  }
  EXPECT_EQ(to_string(static_cast<SpanKind>(kSpanKinds)), "") << "control";
}

}  // namespace
}  // namespace skua::trace_tests
