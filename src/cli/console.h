// Where the ground tool's words go: results to stdout, messages and progress to stderr. The only place that
// prints.
#pragma once

#include <functional>
#include <iosfwd>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/exit_status.h"
#include "core/json_fwd.h"
#include "events/event_pipeline.h"
#include "skua/error.h"
#include "skua/ports.h"

namespace skua {

/// Also the event sink of everything that runs inside a command: warnings and errors become plain lines on
/// stderr, the progress of builds a status line on a terminal, and with enable_log every event a JSON line.
/// Thread-safe as a sink; the rest belongs to the command's thread.
class Console final : public EventSink {
 public:
  Console(std::ostream& out, std::ostream& err, bool is_err_terminal);
  ~Console() override;

  void enable_json() noexcept { is_json_ = true; }
  void enable_log(Level minimum);
  bool is_json() const noexcept { return is_json_; }
  /// Whether anybody wants events, beside the reader of the command's own words.
  bool is_listening() const noexcept { return log_minimum_.has_value() || recorder_ != nullptr; }
  /// Events go to `recorder` too, until close_recorder().
  void enable_recorder(std::unique_ptr<EventPipeline> recorder);
  /// Results may carry colours, and blocks may be drawn over: a reader is at a terminal. Not called: plain
  /// text.
  /// `width` gives the terminal's columns now; 0: not known.
  void enable_terminal(std::function<std::size_t()> width) { width_ = std::move(width); }
  bool is_coloured() const noexcept { return width_ != nullptr; }

  /// One line of the result for a reader; nothing under --json.
  void line(std::string_view text);
  /// The result for scripts; printed once, at the end, under --json.
  Json& report() noexcept { return *report_; }
  void print_report();
  /// Hands the recorder what is still on its way; tells what it lost. Once, at the end of a command.
  void close_recorder();

  /// One line of JSON now, as part or all of the result; without an error no report follows.
  void stream(std::string_view json);
  /// A block of lines; on a terminal it is drawn over the block before, each line cut to the width. The
  /// caller has made foreign text harmless (printable_text); colours of its own pass.
  void redraw(const std::vector<std::string>& lines);

  /// A status line, on a terminal only; the next message replaces it.
  void progress(std::string_view text);
  void warn(std::string_view text);
  /// Prints an error unless an event has told the same already.
  void error(std::string_view text);

  void emit(const Event& event) noexcept override;

 private:
  void message(std::string_view prefix, std::string_view text);  // requires mutex_
  void clear_progress();                                         // requires mutex_
  void log(const Event& event);

  std::ostream& out_;
  std::ostream& err_;
  const bool is_err_terminal_;
  bool is_json_ = false;
  std::function<std::size_t()> width_;  ///< of a terminal; empty: stdout is none
  bool is_streaming_ = false;
  bool has_progress_ = false;
  std::size_t drawn_lines_ = 0;
  std::mutex mutex_;
  std::vector<std::string> told_;
  std::optional<Level> log_minimum_;
  std::unique_ptr<EventPipeline> recorder_;
  std::unique_ptr<Json> report_;
};

/// `line` cut to `width` columns of a terminal, ending in "..." then; colour sequences (ECMA-48 SGR) take
/// no column, and colours are reset behind a cut. A character counts as one column.
std::string cut_to_width(std::string_view line, std::size_t width);
/// JSON text that is one line of ASCII whatever the values hold.
std::string json_line(const Json& json);
/// {"class", "reason", "message", "native_code", "exit_status"}
Json error_json(const Error& error);

/// `value` with `digits` after the point.
std::string fixed(double value, int digits);

}  // namespace skua
