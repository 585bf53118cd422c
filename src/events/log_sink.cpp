#include "events/log_sink.h"

// Before spdlog: what is included between the two pragmas and not before would become hidden as well.
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

// spdlog and fmt are compiled into this file and stay invisible outside libskua: a process may hold other
// releases of both.
#pragma GCC visibility push(hidden)
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/sink.h>
#pragma GCC visibility pop

#include "events/journal_socket.h"
#include "events/line_writer.h"

namespace skua {
namespace {

spdlog::level::level_enum spdlog_level(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarn:
      return spdlog::level::warn;
    case Level::kError:
      break;
  }
  return spdlog::level::err;
}

class StdoutOutput {
 public:
  static constexpr std::string_view kName = "stdout";
  explicit StdoutOutput(const LogSinkOptions& options) : writer_(options.fd, options.patience) {}
  void put(const Event&, std::string_view line) { writer_.write(line); }
  void flush() { writer_.flush(); }
  std::uint64_t written_count() const { return writer_.written_count(); }
  std::uint64_t lost_count() const { return writer_.lost_count(); }
  std::string problem() const { return writer_.problem(); }

 private:
  LineWriter writer_;
};

class JournaldOutput {
 public:
  static constexpr std::string_view kName = "journald";
  explicit JournaldOutput(const LogSinkOptions& options) : socket_(options.journal_socket) {}
  void put(const Event& event, std::string_view line) {
    socket_.send(encode_journal_entry(event, line.substr(0, line.size() - 1)));
  }
  void flush() {}
  std::uint64_t written_count() const { return socket_.written_count(); }
  std::uint64_t lost_count() const { return socket_.lost_count(); }
  std::string problem() const { return socket_.problem(); }

 private:
  JournalSocket socket_;
};

/// spdlog's own sinks will not do: stdout's waits for its reader, systemd's sends text without fields.
template <typename Output>
class OutputSink final : public spdlog::sinks::sink {
 public:
  explicit OutputSink(const LogSinkOptions& options) : output(options) {}

  void log(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    output.put(*event, std::string_view(line.data(), line.size()));
  }
  void flush() override { output.flush(); }
  void set_pattern(const std::string& pattern) override {
    set_formatter(std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::utc, "\n"));
  }
  void set_formatter(std::unique_ptr<spdlog::formatter> formatter) override {
    formatter_ = std::move(formatter);
  }

  Output output;
  const Event* event = nullptr;  ///< of the message that is being logged: spdlog carries text only

 private:
  std::unique_ptr<spdlog::formatter> formatter_;
};

template <typename Output>
class SpdlogSink final : public LogSink {
 public:
  explicit SpdlogSink(const LogSinkOptions& options)
      : sink_(std::make_shared<OutputSink<Output>>(options)), logger_("c7_inference", sink_) {
    logger_.set_level(spdlog::level::trace);  // the pipeline has filtered
    logger_.set_pattern("%v");
    // The default handler prints to stderr, which a library does not do.
    logger_.set_error_handler([this](const std::string& text) {
      ++failed_;
      failure_ = text;
    });
  }

  std::string_view name() const noexcept override { return Output::kName; }
  void write(const Event& event, std::string_view record) noexcept override {
    try {
      failure_.clear();
      sink_->event = &event;
      logger_.log(spdlog_level(event.level), spdlog::string_view_t(record.data(), record.size()));
    } catch (...) {
      ++failed_;  // out of memory in the error handler
    }
  }
  void flush() noexcept override {
    try {
      sink_->flush();
    } catch (...) {
      ++failed_;
    }
  }
  std::uint64_t written_count() const noexcept override { return sink_->output.written_count(); }
  std::uint64_t lost_count() const noexcept override { return failed_ + sink_->output.lost_count(); }
  std::string last_problem() const override { return failure_.empty() ? sink_->output.problem() : failure_; }

 private:
  std::shared_ptr<OutputSink<Output>> sink_;
  spdlog::logger logger_;
  std::uint64_t failed_ = 0;
  std::string failure_;
};

}  // namespace

std::shared_ptr<LogSink> make_log_sink(LogTarget target, const LogSinkOptions& options) {
  if (target == LogTarget::kJournald) return std::make_shared<SpdlogSink<JournaldOutput>>(options);
  return std::make_shared<SpdlogSink<StdoutOutput>>(options);
}

}  // namespace skua
