#include "events/line_writer.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <system_error>

namespace skua {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::string_view kStalled = "the reader stands still";

bool is_dead(int error_number) { return error_number == EPIPE || error_number == EBADF; }

}  // namespace

LineWriter::LineWriter(int fd, milliseconds patience)
    : fd_(::fcntl(fd, F_DUPFD_CLOEXEC, 3)), patience_(patience) {}

LineWriter::~LineWriter() {
  if (fd_ >= 0) ::close(fd_);
}

bool LineWriter::is_writable(Time deadline) {
  if (fd_ < 0) return true;  // poll would ignore it; write says what is wrong
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
    pollfd wanted{fd_, POLLOUT, 0};
    const int found = ::poll(&wanted, 1, static_cast<int>(std::max(left, milliseconds{0}).count()));
    if (found > 0) return true;  // errors too: write names them
    if (found == 0 || errno != EINTR) return false;
  }
}

/// False: the other end takes no more now (problem_ is kStalled) or refused (problem_ is the system's text).
bool LineWriter::write_some(std::string_view& rest, Time deadline) {
  while (!rest.empty()) {
    const bool has_room = is_writable(deadline);
    const ssize_t written =
        has_room ? ::write(fd_, rest.data(), std::min<std::size_t>(rest.size(), PIPE_BUF)) : -1;
    const int error_number = has_room ? errno : EAGAIN;
    if (written > 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (written == 0 || error_number != EINTR) {
      is_stalled_ = error_number == EAGAIN;
      is_broken_ = is_dead(error_number);
      problem_ = is_stalled_ ? std::string(kStalled) : std::system_category().message(error_number);
      return false;
    }
  }
  is_stalled_ = is_broken_ = false;
  problem_.clear();
  return true;
}

bool LineWriter::finish_begun(Time deadline) {
  std::string_view rest = begun_;
  const bool is_finished = write_some(rest, deadline);
  begun_.erase(0, begun_.size() - rest.size());
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
  if (write_some(rest, deadline)) return;
  if (rest.size() == line.size() || is_broken_) {
    ++lost_;
  } else {
    begun_ = rest;
  }
}

void LineWriter::flush() {
  const Time now = steady_clock::now();
  if (!begun_.empty()) {
    finish_begun(now);
  } else if (is_stalled_ && is_writable(now)) {
    is_stalled_ = false;
    problem_.clear();
  }
}

}  // namespace skua
