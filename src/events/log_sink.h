// Where the lines of the log go: stdout or journald. Through spdlog, which stays inside log_sink.cpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "skua/ports.h"

namespace skua {

/// Takes encoded records on the event thread, one at a time. A record that cannot be written at once is lost
/// and counted: no call waits longer than `LogSinkOptions::patience`, however long the other end stands
/// still.
class LogSink {
 public:
  virtual ~LogSink() = default;
  /// For messages about it: "stdout", "journald".
  virtual std::string_view name() const noexcept = 0;
  /// `record` is encode_log_record() of `event`.
  virtual void write(const Event& event, std::string_view record) noexcept = 0;
  /// Finishes what a full pipe left over, as far as it goes without waiting. Called after each batch and
  /// about every 100 ms while there is none.
  virtual void flush() noexcept = 0;
  /// Records that went out whole, since the start. A record is written or lost, but for one whose beginning
  /// is out and whose reader stands still.
  virtual std::uint64_t written_count() const noexcept = 0;
  /// Records that could not be written, since the start.
  virtual std::uint64_t lost_count() const noexcept = 0;
  /// Why the last one could not be written; empty while all is well.
  virtual std::string last_problem() const = 0;
};

enum class LogTarget : std::uint8_t { kStdout, kJournald };

struct LogSinkOptions {
  int fd = 1;  ///< kStdout: duplicated, not taken over
  std::filesystem::path journal_socket = "/run/systemd/journal/socket";
  /// kStdout: how long one line may wait for a reader that is behind. A reader that was too slow once gets no
  /// wait at all until it has caught up.
  std::chrono::milliseconds patience{5};
};

/// Never fails: a sink whose other end is missing says so in lost_count() and last_problem(). The calling
/// thread of write() must have SIGPIPE blocked or ignored (the event thread has).
std::shared_ptr<LogSink> make_log_sink(LogTarget target, const LogSinkOptions& options = {});

}  // namespace skua
