#include "events/line_writer.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <system_error>

#include "core/standard_streams.h"

namespace skua {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::string_view kStalled = "the reader stands still";

bool is_dead(int error_number) { return error_number == EPIPE || error_number == EBADF; }

/// Whether a second opening leads to the same thing, and matters. Opening /dev/ptmx makes another terminal.
bool can_be_reopened(int fd, const struct stat& status) {
  constexpr unsigned kPtmxMajor = 5, kPtmxMinor = 2;
  if (S_ISFIFO(status.st_mode)) return true;
  return S_ISCHR(status.st_mode) && ::isatty(fd) == 1 && status.st_rdev != ::makedev(kPtmxMajor, kPtmxMinor);
}

/// A file description of our own that does not block; -1: it cannot be had, or does not matter.
int reopen(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !can_be_reopened(fd, status)) return -1;
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  return above_standard_streams(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

bool is_socket(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

}  // namespace

LineWriter::LineWriter(int fd, milliseconds patience)
    : fd_(reopen(fd)), is_socket_(is_socket(fd)), patience_(patience) {
  if (fd_ < 0) fd_ = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

LineWriter::~LineWriter() {
  if (fd_ >= 0) ::close(fd_);
}

bool LineWriter::is_writable(Time deadline) const {
  if (fd_ < 0) return true;  // poll would ignore it; write says what is wrong
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
    pollfd wanted{fd_, POLLOUT, 0};
    const int found = ::poll(&wanted, 1, static_cast<int>(std::max(left, milliseconds{0}).count()));
    if (found > 0) return true;  // errors too: write names them
    if (found == 0 || errno != EINTR) return false;
  }
}

/// As write(2), after there is room for at least a byte. A terminal can refuse although poll saw room: it is
/// asked again until the deadline, at intervals, as poll would return at once.
long LineWriter::put(std::string_view bytes, Time deadline) const {
  constexpr int kBetweenTries_ms = 1;
  for (;;) {
    const ssize_t written = is_socket_ ? ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL)
                                       : ::write(fd_, bytes.data(), bytes.size());
    if (written >= 0 || errno != EAGAIN || steady_clock::now() >= deadline) return written;
    ::poll(nullptr, 0, kBetweenTries_ms);
  }
}

/// False: the other end takes no more now (problem_ is kStalled) or refused (problem_ is the system's text).
bool LineWriter::write_some(std::string_view& rest, Time deadline) {
  while (!rest.empty()) {
    const bool has_room = is_writable(deadline);
    const long written = has_room ? put(rest.substr(0, PIPE_BUF), deadline) : -1;
    const int error_number = has_room ? errno : EAGAIN;
    if (written > 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (written == 0 || error_number != EINTR) {
      is_stalled_ = error_number == EAGAIN;
      is_full_in_spite_of_poll_ = is_stalled_ && has_room;
      is_broken_ = is_dead(error_number);
      problem_ = is_stalled_ ? std::string(kStalled) : std::system_category().message(error_number);
      return false;
    }
  }
  is_stalled_ = is_broken_ = is_full_in_spite_of_poll_ = false;
  problem_.clear();
  return true;
}

bool LineWriter::finish_begun(Time deadline) {
  std::string_view rest = begun_;
  const bool is_finished = write_some(rest, deadline);
  begun_.erase(0, begun_.size() - rest.size());
  if (is_finished) ++written_;
  if (is_finished || !is_broken_) return is_finished;
  begun_.clear();  // whoever reads next has not seen its beginning
  ++lost_;
  return true;
}

void LineWriter::write(std::string_view line) {
  const Time deadline = steady_clock::now() + (is_stalled_ ? milliseconds{0} : patience_);
  if (!begun_.empty() && !finish_begun(deadline)) {
    ++lost_;
    return;
  }
  std::string_view rest = line;
  if (write_some(rest, deadline)) {
    ++written_;
  } else if (rest.size() == line.size() || is_broken_) {
    ++lost_;
  } else {
    begun_ = rest;
  }
}

void LineWriter::flush() {
  const Time now = steady_clock::now();
  if (!begun_.empty()) {
    finish_begun(now);
  } else if (is_stalled_ && !is_full_in_spite_of_poll_ && is_writable(now)) {
    is_stalled_ = false;
    problem_.clear();
  }
}

}  // namespace skua
