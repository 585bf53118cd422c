// A clock that stands still, outputs that fail or block when told, and a pipeline over them.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/json_strict.h"
#include "events/event_pipeline.h"

namespace skua::test {

/// Long enough for the slowest lane; only a defect waits that long.
inline constexpr std::chrono::seconds kPlenty{60};

class ManualClock final : public Clock {
 public:
  std::int64_t monotonic_ns() const noexcept override { return now_ns; }
  std::int64_t utc_us() const noexcept override { return 1772366400000000 + now_ns / 1000; }
  std::atomic<std::int64_t> now_ns{0};
};

/// Where an output can be held up.
class Gate {
 public:
  void pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !is_closed_; });
    --waiting_;
  }
  void close() { set_closed(true); }
  void open() { set_closed(false); }
  /// Until somebody stands before the gate. False: nobody came.
  bool await_one() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPlenty, [this] { return waiting_ > 0; });
  }

 private:
  void set_closed(bool is_closed) {
    {
      const std::lock_guard lock(mutex_);
      is_closed_ = is_closed;
    }
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  int waiting_ = 0;
  bool is_closed_ = false;
};

template <typename Item>
class Kept {
 public:
  void add(Item item) {
    const std::lock_guard lock(mutex_);
    items_.push_back(std::move(item));
  }
  std::vector<Item> all() const {
    const std::lock_guard lock(mutex_);
    return items_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Item> items_;
};

class FakeLog final : public LogSink {
 public:
  std::string_view name() const noexcept override { return "fake log"; }
  void write(const Event&, std::string_view record) noexcept override {
    gate.pass();
    if (is_failing) {
      ++lost_;
    } else {
      lines.add(std::string(record));
    }
  }
  void flush() noexcept override {}
  std::uint64_t written_count() const noexcept override { return lines.all().size(); }
  std::uint64_t lost_count() const noexcept override { return lost_; }
  std::string last_problem() const override { return is_failing ? "it is broken" : ""; }

  /// The messages of all lines of a kind; of all kinds when it is empty.
  std::vector<std::string> messages(std::string_view kind = "") const {
    std::vector<std::string> found;
    for (const std::string& line : lines.all()) {
      const auto json = parse_json(line);
      EXPECT_TRUE(json.ok()) << line;
      if (json.ok() && (kind.empty() || (*json)["kind"] == kind)) found.push_back((*json)["msg"]);
    }
    return found;
  }

  Gate gate;
  std::atomic<bool> is_failing{false};
  Kept<std::string> lines;

 private:
  std::uint64_t lost_ = 0;
};

class FakeRecorder final : public FlightRecorder {
 public:
  std::string_view name() const noexcept override { return "fake recorder"; }
  void record(const FlightRecord& record) noexcept override {
    gate.pass();
    if (is_failing) {
      ++lost_;
    } else {
      records.add(record);
    }
  }
  void flush() noexcept override { ++flushes; }
  std::uint64_t lost_count() const noexcept override { return lost_; }
  /// Shows with the first loss: a test cannot say when the thread first looks.
  std::string last_problem() const override { return is_failing && lost_ > 0 ? "it is broken" : ""; }

  std::vector<FlightRecord> of_kind(std::string_view kind) const {
    std::vector<FlightRecord> found;
    for (const FlightRecord& record : records.all()) {
      if (record.kind == kind) found.push_back(record);
    }
    return found;
  }

  Gate gate;
  std::atomic<bool> is_failing{false};
  std::atomic<int> flushes{0};
  Kept<FlightRecord> records;

 private:
  std::uint64_t lost_ = 0;
};

class PipelineTest : public ::testing::Test {
 protected:
  void start() {
    options_.clock = clock_;
    auto started = EventPipeline::start(options_);
    ASSERT_TRUE(started.ok());
    pipeline_ = *std::move(started);
  }
  void start_with_fakes() {
    options_.log = log_;
    options_.recorders = {recorder_};
    start();
  }
  void emit(std::string_view kind, std::string message, Level level = Level::kInfo) {
    pipeline_->emit({level, kind, std::move(message), {}});
  }
  void emit_and_drain(std::string_view kind, std::string message, Level level = Level::kInfo) {
    emit(kind, std::move(message), level);
    ASSERT_TRUE(pipeline_->drain(kPlenty));
  }
  /// An event that keeps the event thread inside the log until the gate is opened.
  void hold_in_log() {
    log_->gate.close();
    emit("c7.engine_built", "held");
    ASSERT_TRUE(log_->gate.await_one());
  }

  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  std::shared_ptr<FakeLog> log_ = std::make_shared<FakeLog>();
  std::shared_ptr<FakeRecorder> recorder_ = std::make_shared<FakeRecorder>();
  PipelineOptions options_;
  std::unique_ptr<EventPipeline> pipeline_;
};

}  // namespace skua::test
