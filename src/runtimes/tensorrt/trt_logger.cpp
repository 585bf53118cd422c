#include "runtimes/tensorrt/trt_logger.h"

#include <algorithm>
#include <cstddef>
#include <mutex>
#include <new>
#include <utility>

#include "runtimes/tensorrt/trt_errors.h"

namespace skua::tensorrt {
namespace {

constexpr std::size_t kMaxLines = 8;
// The wording is TensorRT's and may change; the host facts in the engine's record are the check that counts.
constexpr std::string_view kForeignDevice = "different models of devices";

thread_local LogCapture* active_capture = nullptr;
thread_local int quiet_depth = 0;

std::size_t index_of(Severity severity) noexcept {
  const auto index = static_cast<std::size_t>(severity);
  return std::min(index, std::size_t{4});
}

}  // namespace

void ProcessLogger::log(Severity severity, const char* text) noexcept {
  counts_[index_of(severity)].fetch_add(1, std::memory_order_relaxed);
  if (quiet_depth > 0 || text == nullptr) return;
  try {
    const std::string_view line(text);
    if (active_capture != nullptr) active_capture->add(severity, line);
    const std::shared_lock lock(mutex_);
    for (LogListener* listener : listeners_) listener->on_log(severity, line);
  } catch (...) {  // without memory the line is lost, not the process
  }
}

void ProcessLogger::add(LogListener& listener) {
  const std::unique_lock lock(mutex_);
  listeners_.push_back(&listener);
}

void ProcessLogger::remove(LogListener& listener) noexcept {
  const std::unique_lock lock(mutex_);
  listeners_.erase(std::remove(listeners_.begin(), listeners_.end(), &listener), listeners_.end());
}

std::uint64_t ProcessLogger::count(Severity severity) const noexcept {
  return counts_[index_of(severity)].load(std::memory_order_relaxed);
}

ProcessLogger& process_logger() noexcept {
  alignas(ProcessLogger) static std::array<std::byte, sizeof(ProcessLogger)> place;
  static ProcessLogger* const logger = new (place.data()) ProcessLogger;
  return *logger;
}

LogCapture::LogCapture() noexcept : outer_(std::exchange(active_capture, this)) {}
LogCapture::~LogCapture() { active_capture = outer_; }

void LogCapture::add(Severity severity, std::string_view line) {
  if (line.find(kForeignDevice) != std::string_view::npos) has_foreign_device_warning_ = true;
  if (severity > Severity::kERROR) return;
  if (lines_.size() == kMaxLines) lines_.erase(lines_.begin());
  lines_.push_back(one_line(line));
}

std::string LogCapture::text() const {
  std::string joined;
  for (const std::string& line : lines_) joined += (joined.empty() ? "" : "; ") + line;
  return joined;
}

QuietLog::QuietLog() noexcept { ++quiet_depth; }
QuietLog::~QuietLog() { --quiet_depth; }

}  // namespace skua::tensorrt
