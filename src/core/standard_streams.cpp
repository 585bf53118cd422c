#include "core/standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace skua {

int above_standard_streams(int fd) noexcept {
  if (fd < 0 || fd > STDERR_FILENO) return fd;
  const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  const int error_number = errno;
  ::close(fd);
  errno = error_number;
  return copy;
}

void fill_standard_streams() noexcept {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    // Those below are open by now, so that open() takes this one. It is inherited: a child without it would
    // have the same trouble.
    if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF && ::open("/dev/null", O_RDWR) < 0) return;
  }
}

}  // namespace skua
