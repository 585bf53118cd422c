#include "cli/console.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <ostream>

#include "core/json_strict.h"
#include "events/escape.h"
#include "events/log_record.h"

namespace skua {

Console::Console(std::ostream& out, std::ostream& err, bool is_err_terminal)
    : out_(out),
      err_(err),
      is_err_terminal_(is_err_terminal),
      report_(std::make_unique<Json>(Json::object())) {}

Console::~Console() = default;

void Console::enable_log(Level minimum) { log_minimum_ = minimum; }

void Console::enable_recorder(std::unique_ptr<EventPipeline> recorder) { recorder_ = std::move(recorder); }

void Console::close_recorder() {
  constexpr std::chrono::seconds kLongest{10};
  if (!recorder_) return;
  const bool is_drained = recorder_->drain(kLongest);
  const PipelineCounts counts = recorder_->counts();
  std::uint64_t lost = counts.dropped;
  for (const std::uint64_t one : counts.recorder_lost) lost += one;
  recorder_.reset();
  if (!is_drained) warn("the flight recorder's disk stands still; its last records may be missing");
  if (lost > 0) warn("the flight recorder lost " + std::to_string(lost) + " records");
}

void Console::line(std::string_view text) {
  if (is_json_) return;
  const std::lock_guard lock(mutex_);
  clear_progress();
  out_ << printable_text(text) << '\n' << std::flush;
}

void Console::print_report() {
  const std::lock_guard lock(mutex_);
  clear_progress();
  const bool is_told = is_streaming_ && report_->empty();
  if (is_json_ && !is_told) out_ << json_line(*report_) << '\n' << std::flush;
}

void Console::stream(std::string_view json) {
  const std::lock_guard lock(mutex_);
  is_streaming_ = true;
  out_ << json << '\n' << std::flush;
}

void Console::redraw(const std::vector<std::string>& lines) {
  if (is_json_) return;
  const std::lock_guard lock(mutex_);
  clear_progress();
  if (!width_) {
    for (const std::string& line : lines) out_ << line << '\n';
  } else {
    // ECMA-48: cursor up, then erase to the end of each line. A line that wrapped would take two rows.
    if (drawn_lines_ > 0) out_ << "\x1b[" << drawn_lines_ << "A";
    const std::size_t width = width_();
    for (const std::string& line : lines)
      out_ << (width > 0 ? cut_to_width(line, width) : line) << "\x1b[K\n";
    drawn_lines_ = lines.size();
  }
  out_ << std::flush;
}

void Console::clear_progress() {
  if (has_progress_) err_ << "\r\x1b[2K" << std::flush;
  has_progress_ = false;
}

void Console::progress(std::string_view text) {
  constexpr std::size_t kWidth = 78;
  if (!is_err_terminal_) return;
  const std::lock_guard lock(mutex_);
  err_ << "\r\x1b[2K" << printable_text(text.substr(0, kWidth)) << std::flush;
  has_progress_ = true;
}

void Console::message(std::string_view prefix, std::string_view text) {
  clear_progress();
  err_ << prefix << printable_text(text) << '\n' << std::flush;
}

void Console::warn(std::string_view text) {
  const std::lock_guard lock(mutex_);
  message("skua: warning: ", text);
}

void Console::error(std::string_view text) {
  const std::lock_guard lock(mutex_);
  if (std::find(told_.begin(), told_.end(), text) != told_.end()) return;
  told_.emplace_back(text);
  message("skua: error: ", text);
}

// A command lives shorter than a queue would be worth, and its lines must stand in order with its messages:
// so it writes where it is.
void Console::log(const Event& event) {
  const std::string record = encode_log_record(event, system_clock().utc_us());
  const std::lock_guard lock(mutex_);
  clear_progress();
  err_ << record << '\n' << std::flush;
}

void Console::emit(const Event& event) noexcept {
  try {
    if (recorder_) recorder_->emit(event);
    if (log_minimum_ && event.level >= *log_minimum_) log(event);
    if (event.level == Level::kError) error(event.message);
    if (event.level == Level::kWarn) warn(event.message);
    if (event.kind == "c7.build_progress") progress(event.message);
  } catch (...) {
    // Out of memory while telling about something: the command's own error still ends the program.
  }
}

std::string cut_to_width(std::string_view line, std::size_t width) {
  constexpr std::string_view kMark = "...", kReset = "\x1b[0m";
  const std::size_t kept = width - std::min(width, kMark.size());
  std::size_t columns = 0, cut_at = line.size();
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\x1b') {  // up to the letter that ends it
      while (i + 1 < line.size() && line[i] != 'm') ++i;
      continue;
    }
    const bool is_continuation = (static_cast<unsigned char>(line[i]) & 0xC0U) == 0x80;
    if (is_continuation) continue;
    if (columns == kept) cut_at = i;
    ++columns;
  }
  if (columns <= width) return std::string(line);
  return std::string(line.substr(0, cut_at)) + std::string(kMark) + std::string(kReset);
}

std::string json_line(const Json& json) { return json.dump(-1, ' ', true, Json::error_handler_t::replace); }

Json error_json(const Error& error) {
  return {{"class", error_class_name(error.code)},
          {"reason", to_string(error.reason)},
          {"message", error.message.empty() ? std::string(sentence_of(error.reason)) : error.message},
          {"native_code", error.native_code},
          {"exit_status", exit_status_of(error)}};
}

std::string fixed(double value, int digits) {
  std::array<char, 64> text{};
  const int length = std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return {text.data(), std::min(text.size() - 1, static_cast<std::size_t>(std::max(length, 0)))};
}

}  // namespace skua
