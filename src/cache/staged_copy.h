// Writing files so that they appear whole or not at all: the steps that cache entries and flight sets share.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/filesystem.h"
#include "skua/sha256.h"

namespace skua {

inline constexpr std::string_view kStagingPrefix = ".staging-";
inline constexpr std::string_view kTemporaryPrefix = ".tmp-";

/// `prefix` and sixteen random hex digits.
Result<std::string> random_name(std::string_view prefix);

/// Whether `name` is what a killed writer leaves behind: one of the two prefixes and a random_name's digits,
/// and nothing more but a dash with what it stands for. A set may be signed where it lies, in a folder that
/// is not ours alone.
bool is_leftover(std::string_view name) noexcept;

/// Creates `name`, writes, fsyncs. On an error the file is removed again.
Status write_new(Folder& folder, std::string_view name, std::span<const std::byte> bytes);
/// The same for a secret: mode 0600.
Status write_new_private(Folder& folder, std::string_view name, std::span<const std::byte> bytes);

struct CopiedFile {
  std::uint64_t size_bytes = 0;
  Sha256 sha256;  ///< of the bytes that were written
};
/// Takes room for `source`, copies the rest of it into a new file, hashing what it writes, and fsyncs. On an
/// error the file is removed.
Result<CopiedFile> copy_new(ReadFile& source, Folder& folder, std::string_view name);

/// An error of the file system as EngineBuildError: what was being done, the cause, and the remedy for a full
/// disk. OutOfMemoryError stays one: other programs are to blame, not the model or the disk.
Error as_build_error(const Error& cause, const std::string& doing);
/// An error that has its text already, in the class that compiling and provisioning promise:
/// EngineBuildError, but for a caller's mistake, a missing runtime, an untrustworthy calibration, too little
/// memory and a defect of ours.
Error as_build_error(Error error);

/// Removes a temporary when it goes, unless it was released (because it was renamed).
class TemporaryFile {
 public:
  TemporaryFile(Folder& folder, std::string name) : folder_(&folder), name_(std::move(name)) {}
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile();
  const std::string& name() const noexcept { return name_; }
  void release() noexcept { folder_ = nullptr; }

 private:
  Folder* folder_;
  std::string name_;
};

}  // namespace skua
