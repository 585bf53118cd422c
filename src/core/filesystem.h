// The FileSystem port: every file Skua trusts or publishes goes through it, so that faults can be injected
// between any two operations. Names are single path components relative to an open folder; links are never
// followed. Errors: ErrorCode::kIo with a Reason (not_found, exists, permission_denied, disk_full, io_error)
// and errno; callers re-class them. Thread-safety: an object belongs to one thread at a time, but for the
// reading functions of a folder (open_read, open_folder, info, list), which several threads may call at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "skua/result.h"

namespace skua {

enum class FileKind : std::uint8_t { kRegular, kFolder, kLink, kOther };

struct FileInfo {
  FileKind kind = FileKind::kOther;
  std::uint64_t size = 0;
  std::uint32_t owner = 0;  ///< uid
  std::uint32_t mode = 0;   ///< permission bits
  std::uint64_t links = 0;
  // Which file this is, and when it was last changed: the same five values (with `size`) mean the same bytes,
  // with the exceptions that docs/formats/digest-cache.md names.
  std::uint64_t device = 0, inode = 0;
  std::int64_t modified_ns = 0;  ///< mtime, since 1970; anybody may set it
  std::int64_t changed_ns = 0;   ///< ctime: of content or attributes, by the kernel's clock
};

class ReadFile {
 public:
  virtual ~ReadFile() = default;
  /// Of the open descriptor, not of the name.
  virtual Result<FileInfo> info() const = 0;
  /// Fills `into` from the current position; fewer bytes mean end of file, 0 means there are none left.
  virtual Result<std::size_t> read(std::span<std::byte> into) = 0;
};

class WriteFile {
 public:
  virtual ~WriteFile() = default;
  virtual Status write(std::span<const std::byte> bytes) = 0;
  /// Takes room for `size_bytes` on the disk (posix_fallocate), so that a full disk shows before long work
  /// and not after it. The file's length stays what was written. A file system that cannot do it is no error.
  virtual Status reserve(std::uint64_t size_bytes) = 0;
  /// fsync. An error is final: the file must be thrown away, never synced again.
  virtual Status sync() = 0;
};

class Folder {
 public:
  virtual ~Folder() = default;
  virtual const std::filesystem::path& path() const noexcept = 0;  ///< for messages
  /// Opens for reading without following a link and without blocking on a FIFO. Does not demand a regular
  /// file: look at info().
  virtual Result<std::unique_ptr<ReadFile>> open_read(std::string_view name) = 0;
  /// Creates a file that must not exist, mode 0644.
  virtual Result<std::unique_ptr<WriteFile>> create(std::string_view name) = 0;
  /// The same for a secret: mode 0600 from its first moment.
  virtual Result<std::unique_ptr<WriteFile>> create_private(std::string_view name) = 0;
  virtual Result<std::unique_ptr<Folder>> open_folder(std::string_view name) = 0;
  virtual Status make_folder(std::string_view name) = 0;  ///< mode 0755; `exists` when it does
  virtual Result<FileInfo> info(std::string_view name) = 0;
  virtual Result<FileInfo> info() const = 0;  ///< of this folder itself, by its open descriptor
  virtual Status rename(std::string_view from,
                        std::string_view to) = 0;  ///< replaces a file, never a full folder
  /// Moves a file of this folder into `folder`, a folder in it, as `to`. Both folders need a sync then.
  virtual Status move_into(std::string_view from, std::string_view folder, std::string_view to) = 0;
  virtual Status remove(std::string_view name) = 0;     ///< a file or an empty folder
  virtual Result<std::vector<std::string>> list() = 0;  ///< sorted, without . and ..
  virtual Status sync() = 0;
  /// fsync of a file that is there, whoever wrote it. It says nothing about the file's entry in this folder.
  virtual Status sync_file(std::string_view name) = 0;
  /// Takes the folder's exclusive advisory lock without waiting; kFolderBusy when another process has it.
  /// Released when this object goes.
  virtual Status lock() = 0;
  /// Takes the shared lock: any number of readers, and no writer, may hold it. For keeping a set that is
  /// being read from the collector.
  virtual Status lock_shared() = 0;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual Result<std::unique_ptr<Folder>> open_folder(const std::filesystem::path& path) = 0;
};

/// The operating system's files.
FileSystem& posix_file_system() noexcept;

/// Removes a folder's entry and all below it, without following links; a missing entry is fine. Nothing may
/// be writing there: a tree that is too deep, or whose folders may not be entered, is made removable by its
/// path.
Status remove_tree(Folder& parent, std::string_view name);
/// Puts on the disk all that is in `folder` and below, and the folder itself, whoever wrote it; links and
/// other things that are neither file nor folder are left out.
Status sync_tree(Folder& folder);
/// Reads a whole regular file of at most `limit` bytes; kTooLarge beyond.
Result<std::string> read_text(Folder& folder, std::string_view name, std::size_t limit);

}  // namespace skua
