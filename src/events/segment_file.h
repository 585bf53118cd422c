// The segment that is being written: the few calls of the operating system that core/filesystem.h does not
// have (one write per frame at the file's end, cutting a torn frame off again, whether the file still has a
// name). One thread at a time.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

#include "skua/result.h"

namespace skua {

/// The calls that tests replace, with the contracts of write(2), ftruncate(2) and fdatasync(2).
struct SegmentCalls {
  std::function<ssize_t(int, const void*, std::size_t)> write;
  std::function<int(int, off_t)> truncate;
  std::function<int(int)> sync;
};
SegmentCalls posix_segment_calls();

/// Move-only; closes its file when it goes, without syncing it.
class SegmentFile {
 public:
  /// Creates a file that must not exist (mode 0640, append only, links not followed). `calls` must outlive
  /// it. Errors: as posix_error; kExists.
  static Result<SegmentFile> create(const std::filesystem::path& file, const SegmentCalls& calls);
  SegmentFile(SegmentFile&& other) noexcept;
  SegmentFile& operator=(SegmentFile&&) = delete;
  ~SegmentFile();

  /// Puts the bytes at the end with one write(2) (a second one for the rest, should the kernel take only a
  /// part). On an error the file is cut back to what it held before; where even that fails, is_torn().
  Status append(std::string_view bytes);
  /// fdatasync. After an error the file must not be written to any more: what the kernel dropped cannot be
  /// told, and the next fdatasync may succeed without it (Rebello et al., "Can Applications Recover from
  /// fsync Failures?", USENIX ATC 2020).
  Status sync();
  /// Bytes of whole frames and the header.
  std::uint64_t size() const noexcept { return size_; }
  /// A piece of a frame is left at the end.
  bool is_torn() const noexcept { return is_torn_; }
  /// Whether the file has lost its name, so that nobody will ever read it.
  bool is_unlinked() const noexcept;

 private:
  SegmentFile(int fd, std::string path, const SegmentCalls& calls) noexcept
      : fd_(fd), path_(std::move(path)), calls_(calls) {}
  int put(std::string_view bytes);

  int fd_;
  std::string path_;
  const SegmentCalls& calls_;
  std::uint64_t size_ = 0;
  bool is_torn_ = false;
};

}  // namespace skua
