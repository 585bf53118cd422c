// A trace of what a test does, and its file as a reader takes it.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "core/json_strict.h"
#include "core/trace_session.h"
#include "temp_folder.h"

namespace skua::test {

/// Twenty seconds at most: what the writer's thread does is not waited for otherwise. Who calls asks again.
inline void wait_until(const std::function<bool()>& condition) {
  for (int i = 0; i < 20'000 && !condition(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

/// The events of a trace, with its end or without: an array whose elements stand on lines of their own. Line
/// by line, because our parser's bound on values is for untrusted files. The last line of who was killed may
/// be a piece: it counts for nothing.
inline std::vector<Json> trace_events(const std::string& text) {
  std::vector<Json> all;
  std::istringstream lines(text);
  std::string line;
  EXPECT_TRUE(std::getline(lines, line) && line == "[");
  for (bool has_more = true; has_more && std::getline(lines, line) && line != "]";) {
    has_more = line.ends_with(',');
    if (has_more) line.pop_back();
    auto event = parse_json(line);
    if (!event.ok() && lines.eof()) break;
    EXPECT_TRUE(event.ok()) << line;
    if (event.ok()) all.push_back(*std::move(event));
  }
  while (std::getline(lines, line)) EXPECT_EQ(line, "]");
  return all;
}

inline std::vector<Json> spans_of(const std::vector<Json>& events) {
  std::vector<Json> spans;
  for (const Json& event : events) {
    if (event["ph"] == "X") spans.push_back(event);
  }
  return spans;
}

inline std::vector<Json> spans_named(const std::vector<Json>& events, std::string_view name) {
  std::vector<Json> found;
  for (const Json& event : events) {
    if (event["name"] == name) found.push_back(event);
  }
  return found;
}

/// Whether `inner` lies in `outer`, on one thread; half a nanosecond is what their decimals leave open.
inline bool is_within(const Json& inner, const Json& outer) {
  const auto begin = inner["ts"].get<double>(), end = begin + inner["dur"].get<double>();
  const auto from = outer["ts"].get<double>(), to = from + outer["dur"].get<double>();
  return inner["tid"] == outer["tid"] && begin >= from && end <= to + 0.0005;
}

/// What a trace tells, from whatever thread.
class TraceListener final : public EventSink {
 public:
  void emit(const Event& event) noexcept override {
    const std::lock_guard lock(mutex_);
    events_.push_back(event);
  }
  std::vector<Event> all() const {
    const std::lock_guard lock(mutex_);
    return events_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Event> events_;
};

/// Traces into a file of the test's own, which is read as a reader takes it; and what they tell.
class TraceFileTest : public ::testing::Test {
 protected:
  std::filesystem::path file() const { return folder_.path() / "trace.json"; }
  std::vector<Json> written() const { return trace_events(folder_.read("trace.json")); }
  TraceOptions options() {
    TraceOptions options;
    options.file = file();
    options.process = "a test";
    options.events = &events_;
    options.interval = std::chrono::milliseconds(1);
    return options;
  }

  TempFolder folder_;
  TraceListener events_;
};

/// Traces while it lives.
class KeptTrace {
 public:
  KeptTrace() {
    TraceOptions options;
    options.file = folder_.path() / "trace.json";
    session_ = TraceSession::start(std::move(options)).value();
  }
  /// Ends it: the spans in the order in which they ended, the inner ones first.
  std::vector<Json> spans() {
    session_->stop();
    EXPECT_EQ(session_->counts().lost, 0U);
    return spans_of(trace_events(folder_.read("trace.json")));
  }
  std::vector<std::string> names() {
    std::vector<std::string> names;
    for (const Json& span : spans()) names.push_back(span["name"].get<std::string>());
    return names;
  }

 private:
  TempFolder folder_;
  std::unique_ptr<TraceSession> session_;
};

}  // namespace skua::test
