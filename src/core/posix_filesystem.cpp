// The FileSystem port over POSIX *at calls: names are resolved relative to an open descriptor, so that nobody
// can swap a folder between two steps.
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "core/descriptor.h"
#include "core/filesystem.h"
#include "core/posix_error.h"
#include "core/standard_streams.h"
#include "core/text.h"

namespace skua {
namespace {

constexpr int kOpenFlags = O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
constexpr mode_t kFileMode = 0644;
constexpr mode_t kPrivateMode = 0600;
constexpr mode_t kFolderMode = 0755;

template <typename Call>
auto retry(Call call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

/// What `call` opens, never under the number of a standard stream.
template <typename Call>
Descriptor opened(Call call) {
  return Descriptor(above_standard_streams(retry(call)));
}

FileKind kind_of(mode_t mode) noexcept {
  if (S_ISREG(mode)) return FileKind::kRegular;
  if (S_ISDIR(mode)) return FileKind::kFolder;
  if (S_ISLNK(mode)) return FileKind::kLink;
  return FileKind::kOther;
}

std::int64_t ns_of(const struct timespec& time) noexcept {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

FileInfo info_of(const struct stat& status) noexcept {
  return FileInfo{.kind = kind_of(status.st_mode),
                  .size = static_cast<std::uint64_t>(status.st_size),
                  .owner = status.st_uid,
                  .mode = status.st_mode & 07777U,
                  .links = status.st_nlink,
                  .device = status.st_dev,
                  .inode = status.st_ino,
                  .modified_ns = ns_of(status.st_mtim),
                  .changed_ns = ns_of(status.st_ctim)};
}

class PosixReadFile final : public ReadFile {
 public:
  PosixReadFile(Descriptor fd, std::string path) noexcept : fd_(std::move(fd)), path_(std::move(path)) {}

  Result<FileInfo> info() const override {
    struct stat status {};
    if (fstat(fd_.get(), &status) != 0) return posix_error("looking at", path_, errno);
    return info_of(status);
  }

  Result<std::size_t> read(std::span<std::byte> into) override {
    std::size_t filled = 0;
    while (filled < into.size()) {
      const auto rest = into.subspan(filled);
      const ssize_t got = retry([&] { return ::read(fd_.get(), rest.data(), rest.size()); });
      if (got < 0) return posix_error("reading", path_, errno);
      if (got == 0) break;
      filled += static_cast<std::size_t>(got);
    }
    return filled;
  }

 private:
  Descriptor fd_;
  std::string path_;
};

/// A new file, which exists only if its descriptor is there.
int create_at(int folder, const char* name, mode_t mode) noexcept {
  const int fd = retry([&] { return openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | kOpenFlags, mode); });
  const int file = above_standard_streams(fd);
  if (fd < 0 || file >= 0) return file;
  const int error_number = errno;
  unlinkat(folder, name, 0);
  errno = error_number;
  return -1;
}

class PosixWriteFile final : public WriteFile {
 public:
  /// Makes the file last, when there is nothing left that needs memory: a file that nobody knows of would
  /// stay.
  PosixWriteFile(int folder, const std::string& name, mode_t mode, std::string path) noexcept
      : fd_(create_at(folder, name.c_str(), mode)), path_(std::move(path)) {}

  /// Else errno tells why.
  bool is_open() const noexcept { return fd_.is_open(); }

  Status write(std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const ssize_t put = retry([&] { return ::write(fd_.get(), bytes.data(), bytes.size()); });
      if (put < 0) return posix_error("writing", path_, errno);
      if (put == 0) return posix_error("writing", path_, EIO);  // would loop for ever
      bytes = bytes.subspan(static_cast<std::size_t>(put));
    }
    return {};
  }

  Status reserve(std::uint64_t size_bytes) override {
    if (size_bytes == 0) return {};
    const auto length = static_cast<off_t>(size_bytes);
    if (retry([&] { return fallocate(fd_.get(), FALLOC_FL_KEEP_SIZE, 0, length); }) == 0) return {};
    if (errno == EOPNOTSUPP || errno == ENOSYS) return {};
    return posix_error("taking room for " + std::to_string(size_bytes) + " bytes of", path_, errno);
  }

  Status sync() override {
    if (retry([&] { return fsync(fd_.get()); }) != 0) return posix_error("syncing", path_, errno);
    return {};
  }

 private:
  Descriptor fd_;
  std::string path_;
};

Status check_name(std::string_view name) {
  const bool is_component = !name.empty() && name != "." && name != ".." &&
                            name.find('/') == std::string_view::npos &&
                            name.find('\0') == std::string_view::npos;
  if (is_component) return {};
  return make_error(
      ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
      "file name " + quote(name) + " is not allowed here; expected one name without '/', '.' or '..'");
}

class PosixFolder final : public Folder {
 public:
  PosixFolder(Descriptor fd, std::filesystem::path path) noexcept
      : fd_(std::move(fd)), path_(std::move(path)) {}

  const std::filesystem::path& path() const noexcept override { return path_; }
  Result<std::unique_ptr<ReadFile>> open_read(std::string_view name) override;
  Result<std::unique_ptr<WriteFile>> create(std::string_view name) override {
    return create_with(name, kFileMode);
  }
  Result<std::unique_ptr<WriteFile>> create_private(std::string_view name) override {
    return create_with(name, kPrivateMode);
  }
  Result<std::unique_ptr<Folder>> open_folder(std::string_view name) override;
  Status make_folder(std::string_view name) override;
  Result<FileInfo> info(std::string_view name) override;
  Result<FileInfo> info() const override;
  Status rename(std::string_view from, std::string_view to) override;
  Status move_into(std::string_view from, std::string_view folder, std::string_view to) override;
  Status remove(std::string_view name) override;
  Result<std::vector<std::string>> list() override;
  Status sync() override;
  Status sync_file(std::string_view name) override;
  Status lock() override { return lock_for(LOCK_EX); }
  Status lock_shared() override { return lock_for(LOCK_SH); }

 private:
  Result<std::unique_ptr<WriteFile>> create_with(std::string_view name, mode_t mode);
  Status lock_for(int operation);
  Error error(std::string_view operation, std::string_view name, int error_number) const {
    return posix_error(operation, (path_ / name).string(), error_number);
  }
  Descriptor fd_;
  std::filesystem::path path_;
};

// O_DIRECTORY answers ENOTDIR for a link, too, but "is a link" is what the operator must know.
Result<std::unique_ptr<Folder>> open_folder_at(int parent, const std::string& name,
                                               const std::filesystem::path& path) {
  Descriptor fd = opened([&] { return openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | kOpenFlags); });
  if (fd.is_open()) return std::unique_ptr<Folder>(std::make_unique<PosixFolder>(std::move(fd), path));
  const int error_number = errno;
  struct stat status {};  // of no kind, where it cannot be had
  if (error_number == ENOTDIR) static_cast<void>(fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW));
  return posix_error("opening folder", path.string(), S_ISLNK(status.st_mode) ? ELOOP : error_number);
}

Result<std::unique_ptr<ReadFile>> PosixFolder::open_read(std::string_view name) {
  SKUA_RETURN_IF_ERROR(check_name(name));
  Descriptor fd = opened([&] { return openat(fd_.get(), std::string(name).c_str(), O_RDONLY | kOpenFlags); });
  if (!fd.is_open()) return error("opening", name, errno);
  return std::unique_ptr<ReadFile>(std::make_unique<PosixReadFile>(std::move(fd), (path_ / name).string()));
}

Result<std::unique_ptr<WriteFile>> PosixFolder::create_with(std::string_view name, mode_t mode) {
  SKUA_RETURN_IF_ERROR(check_name(name));
  auto file = std::make_unique<PosixWriteFile>(fd_.get(), std::string(name), mode, (path_ / name).string());
  if (!file->is_open()) return error("creating", name, errno);
  return std::unique_ptr<WriteFile>(std::move(file));
}

Result<std::unique_ptr<Folder>> PosixFolder::open_folder(std::string_view name) {
  SKUA_RETURN_IF_ERROR(check_name(name));
  return open_folder_at(fd_.get(), std::string(name), path_ / name);
}

Status PosixFolder::make_folder(std::string_view name) {
  SKUA_RETURN_IF_ERROR(check_name(name));
  if (mkdirat(fd_.get(), std::string(name).c_str(), kFolderMode) != 0)
    return error("making folder", name, errno);
  return {};
}

Result<FileInfo> PosixFolder::info(std::string_view name) {
  SKUA_RETURN_IF_ERROR(check_name(name));
  struct stat status {};
  if (fstatat(fd_.get(), std::string(name).c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    return error("looking at", name, errno);
  }
  return info_of(status);
}

Result<FileInfo> PosixFolder::info() const {
  struct stat status {};
  if (fstat(fd_.get(), &status) != 0) return posix_error("looking at folder", path_.string(), errno);
  return info_of(status);
}

Status PosixFolder::rename(std::string_view from, std::string_view to) {
  SKUA_RETURN_IF_ERROR(check_name(from));
  SKUA_RETURN_IF_ERROR(check_name(to));
  if (renameat(fd_.get(), std::string(from).c_str(), fd_.get(), std::string(to).c_str()) == 0) return {};
  const int error_number = errno;
  return error("renaming to " + quote(to) + " the file", from, error_number);
}

Status PosixFolder::move_into(std::string_view from, std::string_view folder, std::string_view to) {
  SKUA_RETURN_IF_ERROR(check_name(from));
  SKUA_RETURN_IF_ERROR(check_name(folder));
  SKUA_RETURN_IF_ERROR(check_name(to));
  const Descriptor into = opened(
      [&] { return openat(fd_.get(), std::string(folder).c_str(), O_RDONLY | O_DIRECTORY | kOpenFlags); });
  if (!into.is_open()) return error("opening folder", folder, errno);
  if (renameat(fd_.get(), std::string(from).c_str(), into.get(), std::string(to).c_str()) == 0) return {};
  const int error_number = errno;
  return error("moving into " + quote(folder) + " the file", from, error_number);
}

Status PosixFolder::remove(std::string_view name) {
  SKUA_ASSIGN_OR_RETURN(const FileInfo found, info(name));
  const int flags = found.kind == FileKind::kFolder ? AT_REMOVEDIR : 0;
  if (unlinkat(fd_.get(), std::string(name).c_str(), flags) != 0) return error("removing", name, errno);
  return {};
}

Result<std::vector<std::string>> PosixFolder::list() {
  // A descriptor of its own: reading a folder moves the position that all copies of a descriptor share.
  Descriptor fd = opened([&] { return openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | kOpenFlags); });
  if (!fd.is_open()) return posix_error("listing", path_.string(), errno);
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(fdopendir(fd.get()), closedir);
  if (!stream) return posix_error("listing", path_.string(), errno);
  fd.release();  // the stream owns it now
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = readdir(stream.get());
    if (entry == nullptr) break;
    const std::string_view name(entry->d_name);
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return posix_error("listing", path_.string(), errno);
  std::sort(names.begin(), names.end());
  return names;
}

Status PosixFolder::sync() {
  if (retry([&] { return fsync(fd_.get()); }) != 0)
    return posix_error("syncing folder", path_.string(), errno);
  return {};
}

Status PosixFolder::sync_file(std::string_view name) {
  SKUA_RETURN_IF_ERROR(check_name(name));
  const Descriptor fd =
      opened([&] { return openat(fd_.get(), std::string(name).c_str(), O_RDONLY | kOpenFlags); });
  if (!fd.is_open()) return error("opening", name, errno);
  if (retry([&] { return fsync(fd.get()); }) != 0) return error("syncing", name, errno);
  return {};
}

Status PosixFolder::lock_for(int operation) {
  if (retry([&] { return flock(fd_.get(), operation | LOCK_NB); }) == 0) return {};
  if (errno != EWOULDBLOCK) return posix_error("locking folder", path_.string(), errno);
  return make_error(ErrorCode::kIo, Reason::kFolderBusy,
                    "folder " + quote(path_.string(), 4096) +
                        " is locked by another program that writes to it; wait until that one has ended",
                    EWOULDBLOCK);
}

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<Folder>> open_folder(const std::filesystem::path& path) override {
    // "sets/" names the folder itself; without this the kernel would follow a link in the last component.
    const std::filesystem::path bare =
        path.has_filename() || path == path.root_path() ? path : path.parent_path();
    if (bare.empty() || bare.native().find('\0') != std::string::npos) {
      return posix_error("opening folder", path.string(), ENOENT);
    }
    return open_folder_at(AT_FDCWD, bare.string(), path);
  }
};

/// Never destroyed: a thread that was left behind may still be writing at the very end.
union Lasting {
  constexpr Lasting() noexcept : files() {}
  ~Lasting() {}  // NOLINT(modernize-use-equals-default): a union with this member has no other
  Lasting(const Lasting&) = delete;
  Lasting& operator=(const Lasting&) = delete;
  PosixFileSystem files;
};
constinit Lasting lasting;

}  // namespace

FileSystem& posix_file_system() noexcept { return lasting.files; }

}  // namespace skua
