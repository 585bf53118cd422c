#include "telemetry/sysfs_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "core/text.h"

namespace skua {
namespace {

// A 64-bit number has at most 20 characters; names of zones and devices are shorter than 64
// (THERMAL_NAME_LENGTH of the kernel is 20). A read that fills the buffer is neither.
using Buffer = std::array<char, 64>;

SensorProblem problem_of(int error_number) noexcept {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
    case ENODEV:  // kernfs: the device is gone, the file is still open
    case ENXIO:
    case ESTALE:
      return SensorProblem::kMissing;
    case EAGAIN:
    case ENODATA:
    case EBUSY:
      return SensorProblem::kBusy;
    case EACCES:
    case EPERM:
      return SensorProblem::kDenied;
    case ELOOP:  // O_NOFOLLOW met a link
    case EISDIR:
      return SensorProblem::kNotAFile;
    default:
      return SensorProblem::kReadFailed;
  }
}

// Opens a regular file into `fd`, or says what is wrong with it. O_NONBLOCK: a FIFO in the place of the file
// must not stop a poll.
SensorProblem open_regular(const char* path, int& fd) noexcept {
  fd = ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
  if (fd < 0) return problem_of(errno);
  struct stat status {};
  if (::fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) return SensorProblem::kNone;
  ::close(fd);
  fd = -1;
  return SensorProblem::kNotAFile;
}

ssize_t read_from_start(int fd, Buffer& buffer) noexcept {
  ssize_t got = -1;
  do {
    got = ::pread(fd, buffer.data(), buffer.size(), 0);
  } while (got < 0 && errno == EINTR);
  return got;
}

// Device-tree texts end with a NUL, the others with a line end.
std::string_view text_in(const Buffer& buffer, ssize_t got) noexcept {
  std::string_view text(buffer.data(), static_cast<std::size_t>(got));
  while (!text.empty() && text.back() == '\0') text.remove_suffix(1);
  return trimmed(text);
}

// The small text of a file in `buffer`; empty when there is none.
std::string_view read_text(const char* path, Buffer& buffer) noexcept {
  int fd = -1;
  if (open_regular(path, fd) != SensorProblem::kNone) return {};
  const ssize_t got = read_from_start(fd, buffer);
  ::close(fd);
  const bool is_whole = got > 0 && static_cast<std::size_t>(got) < buffer.size();
  return is_whole ? text_in(buffer, got) : std::string_view();
}

}  // namespace

std::string_view to_string(SensorProblem problem) noexcept {
  switch (problem) {
    case SensorProblem::kNone:
      return "";
    case SensorProblem::kMissing:
      return "is not there";
    case SensorProblem::kBusy:
      return "gives no value now (powered down or busy)";
    case SensorProblem::kDenied:
      return "may not be read (permission denied)";
    case SensorProblem::kNotAFile:
      return "is no regular file";
    case SensorProblem::kNotANumber:
      return "holds no whole number";
    case SensorProblem::kImplausible:
      return "holds a number that is not plausible";
    case SensorProblem::kReplaced:
      return "belongs to another device than at the start";
    case SensorProblem::kCallFailed:
      return "answered with an error";
    case SensorProblem::kRecorded:
      return "was offline when it was recorded";
    case SensorProblem::kEnded:
      return "is over: the recording has no further line";
    case SensorProblem::kReadFailed:
      break;
  }
  return "cannot be read";
}

std::string read_sensor_text(const std::filesystem::path& file) {
  Buffer buffer;
  return std::string(read_text(file.c_str(), buffer));
}

SysfsFile::SysfsFile(std::string path, SensorIdentity identity)
    : path_(std::move(path)), identity_(std::move(identity)) {}

SysfsFile::SysfsFile(SysfsFile&& other) noexcept
    : path_(std::move(other.path_)),
      identity_(std::move(other.identity_)),
      fd_(std::exchange(other.fd_, -1)) {}

SysfsFile& SysfsFile::operator=(SysfsFile&& other) noexcept {
  if (this == &other) return *this;
  close_file();
  path_ = std::move(other.path_);
  identity_ = std::move(other.identity_);
  fd_ = std::exchange(other.fd_, -1);
  return *this;
}

SysfsFile::~SysfsFile() { close_file(); }

void SysfsFile::close_file() noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

SensorProblem SysfsFile::open_file() noexcept {
  const SensorProblem problem = open_regular(path_.c_str(), fd_);
  if (problem != SensorProblem::kNone || identity_.file.empty()) return problem;
  // Asked after the open: a device that changes later takes the open file with it.
  Buffer buffer;
  if (read_text(identity_.file.c_str(), buffer) == identity_.text) return SensorProblem::kNone;
  close_file();
  return SensorProblem::kReplaced;
}

SensorValue SysfsFile::read_open_file() const noexcept {
  Buffer buffer;
  const ssize_t got = read_from_start(fd_, buffer);
  if (got < 0) return {problem_of(errno)};
  struct stat status {};
  // Removed, or replaced by rename: what was read may be arbitrarily old.
  if (::fstat(fd_, &status) != 0 || status.st_nlink == 0) return {SensorProblem::kMissing};
  if (static_cast<std::size_t>(got) == buffer.size()) return {SensorProblem::kNotANumber};
  const auto number = parse_int64(text_in(buffer, got));
  return number ? SensorValue{SensorProblem::kNone, *number} : SensorValue{SensorProblem::kNotANumber};
}

SensorValue SysfsFile::read() noexcept {
  if (fd_ >= 0) {
    const SensorValue value = read_open_file();
    if (value.problem != SensorProblem::kMissing) return value;
    close_file();
  }
  const SensorProblem problem = open_file();
  return problem == SensorProblem::kNone ? read_open_file() : SensorValue{problem};
}

}  // namespace skua
