#include "events/segment_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "core/posix_error.h"
#include "core/standard_streams.h"

namespace skua {
namespace {

template <typename Call>
auto retry(Call call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

}  // namespace

SegmentCalls posix_segment_calls() { return {::write, ::ftruncate, ::fdatasync}; }

Result<SegmentFile> SegmentFile::create(const std::filesystem::path& file, const SegmentCalls& calls) {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY;
  constexpr mode_t kMode = 0640;
  // Under 1 or 2 it would take in what the program prints.
  const int fd = above_standard_streams(retry([&] { return ::open(file.c_str(), kFlags, kMode); }));
  if (fd < 0) return posix_error("creating", file.string(), errno);
  return SegmentFile(fd, file.string(), calls);
}

SegmentFile::SegmentFile(SegmentFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      path_(std::move(other.path_)),
      calls_(other.calls_),
      size_(other.size_),
      is_torn_(other.is_torn_) {}

SegmentFile::~SegmentFile() {
  if (fd_ >= 0) ::close(fd_);
}

/// 0, or errno. The kernel takes a part of a write where the disk or a limit ends; the second call asks why.
int SegmentFile::put(std::string_view bytes) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    const ssize_t taken = retry([&] { return calls_.write(fd_, bytes.data(), bytes.size()); });
    if (taken < 0) return errno;
    bytes.remove_prefix(static_cast<std::size_t>(taken));
    if (bytes.empty()) return 0;
  }
  return ENOSPC;
}

Status SegmentFile::append(std::string_view bytes) {
  const int error_number = put(bytes);
  if (error_number == 0) {
    size_ += bytes.size();
    return {};
  }
  is_torn_ = retry([&] { return calls_.truncate(fd_, static_cast<off_t>(size_)); }) != 0;
  return posix_error("writing", path_, error_number);
}

Status SegmentFile::sync() {
  if (retry([&] { return calls_.sync(fd_); }) == 0) return {};
  return posix_error("syncing", path_, errno);
}

bool SegmentFile::is_unlinked() const noexcept {
  struct stat status {};
  return ::fstat(fd_, &status) == 0 && status.st_nlink == 0;
}

}  // namespace skua
