// Writes lines to a file descriptor that others may share, without ever waiting long and without tearing a
// line.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace skua {

/// For one thread. The descriptor keeps its flags: O_NONBLOCK would change it for every process that shares
/// it. Instead each write is of at most PIPE_BUF bytes and follows a poll that saw room for them (pipe(7):
/// such a write is atomic, and a writable pipe has PIPE_BUF bytes free). Where another process fills the same
/// pipe between the two, the write can wait; a full file system or a terminal stopped by Ctrl-S is seen by
/// the poll.
class LineWriter {
 public:
  /// Duplicates `fd`, so that nothing opened later under its number can receive our lines.
  LineWriter(int fd, std::chrono::milliseconds patience);
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;
  ~LineWriter();

  /// `line` ends in a newline. A line that was begun is finished before the next is begun; a line that cannot
  /// be begun is lost. Waits at most `patience`. Allocates only when a line stays unfinished.
  void write(std::string_view line);
  /// Goes on with an unfinished line; does not wait. Notices a reader that has caught up.
  void flush();

  std::uint64_t lost_count() const noexcept { return lost_; }
  const std::string& problem() const noexcept { return problem_; }

 private:
  using Time = std::chrono::steady_clock::time_point;

  bool is_writable(Time deadline);
  bool write_some(std::string_view& rest, Time deadline);
  bool finish_begun(Time deadline);

  const int fd_;
  const std::chrono::milliseconds patience_;
  std::string begun_;  ///< what is missing of a line whose beginning is out
  std::string problem_;
  std::uint64_t lost_ = 0;
  bool is_stalled_ = false;
  bool is_broken_ =
      false;  ///< the last write was refused for good (EPIPE, EBADF): the begun line died with it
};

}  // namespace skua
