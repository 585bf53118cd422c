// The one logger of the process. TensorRT keeps the first logger it is given for whatever has no object of
// its own, so there is a single one, and it fans out: to the captures of the calling thread, which complete
// an error's text, and to listeners, which make events of it.
//
// A severity says little: TensorRT sends harmless lines as internal errors. Nothing here decides by severity
// alone.
#pragma once

#include <NvInferRuntime.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

namespace skua::tensorrt {

using Severity = nvinfer1::ILogger::Severity;

/// Called by whatever thread TensorRT logs from, several at once. Never from inside of a run.
class LogListener {
 public:
  virtual ~LogListener() = default;
  virtual void on_log(Severity severity, std::string_view text) noexcept = 0;
};

class ProcessLogger final : public nvinfer1::ILogger {
 public:
  void log(Severity severity, const char* text) noexcept override;
  /// `listener` is told from now on, and not any more after `remove` has returned.
  void add(LogListener& listener);
  void remove(LogListener& listener) noexcept;
  /// Lines of this severity since the start, those inside of runs included.
  std::uint64_t count(Severity severity) const noexcept;

 private:
  friend ProcessLogger& process_logger() noexcept;
  ProcessLogger() noexcept = default;
  std::shared_mutex mutex_;
  std::vector<LogListener*> listeners_;
  std::array<std::atomic<std::uint64_t>, 5> counts_{};
};

/// Never destroyed: TensorRT may log until the process ends.
ProcessLogger& process_logger() noexcept;

/// Keeps a listener registered while it lives.
class LogSubscription {
 public:
  explicit LogSubscription(LogListener& listener) : listener_(listener) { process_logger().add(listener); }
  ~LogSubscription() { process_logger().remove(listener_); }
  LogSubscription(const LogSubscription&) = delete;
  LogSubscription& operator=(const LogSubscription&) = delete;

 private:
  LogListener& listener_;
};

/// Collects what is logged on this thread while the object lives: the last lines of kERROR and worse, and
/// whether TensorRT warned of a plan made on another model of device. Captures nest; the inner one gets the
/// lines.
class LogCapture {
 public:
  LogCapture() noexcept;
  ~LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;

  /// At most the last eight, joined, on one line.
  std::string text() const;
  bool has_foreign_device_warning() const noexcept { return has_foreign_device_warning_; }
  void add(Severity severity, std::string_view line);

 private:
  std::vector<std::string> lines_;
  bool has_foreign_device_warning_ = false;
  LogCapture* outer_;
};

/// On this thread, while the object lives, a line is counted and goes nowhere else: inside of a run nothing
/// may be stored and nobody waited for.
class QuietLog {
 public:
  QuietLog() noexcept;
  ~QuietLog();
  QuietLog(const QuietLog&) = delete;
  QuietLog& operator=(const QuietLog&) = delete;
};

}  // namespace skua::tensorrt
