// Writes lines to a file descriptor that others may share, without ever waiting long and without tearing a
// line.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace skua {

/// For one thread. The descriptor that was given keeps its flags: O_NONBLOCK would change it for every
/// process that shares it. A pipe or terminal is opened once more instead (/proc/self/fd), for a file
/// description of our own that does not block; a socket is sent to without waiting. So no write waits,
/// whatever poll promised: a terminal in its default mode is writable to poll as soon as one byte has room.
/// Each write is of at most PIPE_BUF bytes, which a pipe takes whole or not at all (pipe(7)). Where the
/// second opening is refused (no /proc, a terminal of another user), the write can wait; so it can on a
/// regular file whose disk hangs.
class LineWriter {
 public:
  /// Opens or duplicates `fd`, so that nothing opened later under its number can receive our lines.
  LineWriter(int fd, std::chrono::milliseconds patience);
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;
  ~LineWriter();

  /// `line` ends in a newline. A line that was begun is finished before the next is begun; a line that cannot
  /// be begun is lost. Waits at most `patience`. Allocates only when a line stays unfinished.
  void write(std::string_view line);
  /// Goes on with an unfinished line; does not wait. Notices a reader that has caught up.
  void flush();

  /// Lines that went out whole. Every line is written or lost, but for one whose beginning is out.
  std::uint64_t written_count() const noexcept { return written_; }
  std::uint64_t lost_count() const noexcept { return lost_; }
  const std::string& problem() const noexcept { return problem_; }

 private:
  using Time = std::chrono::steady_clock::time_point;

  bool is_writable(Time deadline) const;
  long put(std::string_view bytes, Time deadline) const;
  bool write_some(std::string_view& rest, Time deadline);
  bool finish_begun(Time deadline);

  int fd_ = -1;
  bool is_socket_ = false;
  const std::chrono::milliseconds patience_;
  std::string begun_;  ///< what is missing of a line whose beginning is out
  std::string problem_;
  std::uint64_t lost_ = 0;
  std::uint64_t written_ = 0;
  bool is_stalled_ = false;
  bool is_full_in_spite_of_poll_ = false;  ///< so only a write that succeeds tells that there is room again
  bool is_broken_ =
      false;  ///< the last write was refused for good (EPIPE, EBADF): the begun line died with it
};

}  // namespace skua
