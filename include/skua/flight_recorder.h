// The flight recorder as Skua sees it: a port that takes small records of what happened. The embedded default
// is a crash-safe file (src/events/file_recorder.h); the flight stack attaches its own recorder as a
// callback.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace skua {

/// One record. `kind` and the keys of `payload` are one of the rows of docs/reference/events.md: a kind has
/// always the same keys in the same order, a value that is not known is null (std::monostate). A tensor or an
/// image cannot be a value, by type.
struct FlightRecord {
  using Value = std::variant<std::monostate, std::int64_t, double, bool, std::string>;
  static constexpr int kSchemaVersion = 1;
  static constexpr std::string_view kProducer = "c7_inference";

  std::int64_t utc_us = 0;        ///< when it happened, microseconds since 1970
  std::int64_t monotonic_ns = 0;  ///< the same moment on the monotonic clock
  std::string kind;
  std::vector<std::pair<std::string, Value>> payload;

  friend bool operator==(const FlightRecord&, const FlightRecord&) = default;
};

/// Receives records, on the event thread alone, one at a time. A recorder that cannot keep a record counts it
/// as lost; it never throws. It may block that thread for as long as its disk does, and only that thread.
class FlightRecorder {
 public:
  virtual ~FlightRecorder() = default;
  /// For messages about it, e.g. "flight recorder".
  virtual std::string_view name() const noexcept = 0;
  /// Keeps one record, or counts it as lost.
  virtual void record(const FlightRecord& record) noexcept = 0;
  /// Called after each batch of records, and about every 100 ms while there are none: the moment to make
  /// records durable.
  virtual void flush() noexcept {}
  /// Records that could not be kept, since the start. Read by the event thread.
  virtual std::uint64_t lost_count() const noexcept { return 0; }
  /// Why the last one could not be kept; empty while all is well.
  virtual std::string last_problem() const { return {}; }
};

/// Hands every record to a function, e.g. one that calls a Python recorder's `enqueue`. The function is
/// called on the event thread only; an exception out of it counts the record as lost.
class CallbackRecorder final : public FlightRecorder {
 public:
  /// `name` is what `c7.sink_lost` calls it.
  explicit CallbackRecorder(std::function<void(const FlightRecord&)> callback, std::string name = "callback");
  /// What the constructor was given.
  std::string_view name() const noexcept override { return name_; }
  /// Calls the function.
  void record(const FlightRecord& record) noexcept override;
  /// How often the function threw.
  std::uint64_t lost_count() const noexcept override { return lost_; }
  /// The text of what it threw last; empty after a record that it took.
  std::string last_problem() const override { return problem_; }

 private:
  void lose(const char* problem) noexcept;

  std::function<void(const FlightRecord&)> callback_;
  std::string name_;
  std::uint64_t lost_ = 0;
  std::string problem_;
};

}  // namespace skua
