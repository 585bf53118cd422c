#include "cache/staged_copy.h"

#include <unistd.h>

#include <array>
#include <cerrno>

#include "cache/safe_file.h"
#include "core/buffer.h"
#include "core/hash.h"

namespace skua {
namespace {

constexpr std::size_t kPieceBytes = 1U << 20U;
constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::size_t kRandomBytes = 8;

/// Runs `fill` on a new file, which `create` makes, and syncs it; whatever goes wrong, no file of that name
/// stays.
template <typename Create, typename Fill>
Status fill_new(Folder& folder, std::string_view name, Create create, Fill fill) {
  std::string text(name);  // before there is a file to answer for
  SKUA_ASSIGN_OR_RETURN(const std::unique_ptr<WriteFile> file, create());
  TemporaryFile temporary(folder, std::move(text));
  SKUA_RETURN_IF_ERROR(fill(*file));
  SKUA_RETURN_IF_ERROR(file->sync());
  temporary.release();
  return {};
}

}  // namespace

TemporaryFile::~TemporaryFile() {
  if (folder_ == nullptr) return;
  // The error that brought us here is the one to report; a leftover is removed by the next writer.
  try {
    static_cast<void>(folder_->remove(name_));
  } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): as above
  }
}

Result<std::string> random_name(std::string_view prefix) {
  std::array<unsigned char, kRandomBytes> random{};
  if (::getentropy(random.data(), random.size()) != 0) {
    return make_error(ErrorCode::kIo, Reason::kIo, "the system gives no random bytes; look at its kernel log",
                      errno);
  }
  std::string name(prefix);
  for (const unsigned char byte : random) {
    name += kHexDigits[byte >> 4U];
    name += kHexDigits[byte & 15U];
  }
  return name;
}

bool is_leftover(std::string_view name) noexcept {
  for (const std::string_view prefix : {kStagingPrefix, kTemporaryPrefix}) {
    if (!name.starts_with(prefix)) continue;
    const std::string_view digits = name.substr(prefix.size());
    const std::string_view random = digits.substr(0, 2 * kRandomBytes), rest = digits.substr(random.size());
    return random.size() == 2 * kRandomBytes &&
           random.find_first_not_of(kHexDigits) == std::string_view::npos &&
           (rest.empty() || rest.starts_with('-'));  // several files of one entry
  }
  return false;
}

Status write_new(Folder& folder, std::string_view name, std::span<const std::byte> bytes) {
  return fill_new(
      folder, name, [&] { return folder.create(name); }, [&](WriteFile& file) { return file.write(bytes); });
}

Status write_new_private(Folder& folder, std::string_view name, std::span<const std::byte> bytes) {
  return fill_new(
      folder, name, [&] { return folder.create_private(name); },
      [&](WriteFile& file) { return file.write(bytes); });
}

Result<CopiedFile> copy_new(ReadFile& source, Folder& folder, std::string_view name) {
  SKUA_ASSIGN_OR_RETURN(Buffer piece, Buffer::allocate(kPieceBytes));
  CopiedFile copied;
  Sha256Hasher hasher;
  SKUA_ASSIGN_OR_RETURN(const FileInfo info, source.info());
  const auto copy_into = [&](WriteFile& file) -> Status {
    // A full disk shows before the work, not at its end.
    SKUA_RETURN_IF_ERROR(file.reserve(info.size));
    while (true) {
      SKUA_ASSIGN_OR_RETURN(const std::size_t got, source.read(piece.bytes()));
      const std::span<const std::byte> bytes = piece.bytes().first(got);
      hasher.update(bytes);
      SKUA_RETURN_IF_ERROR(file.write(bytes));
      copied.size_bytes += got;
      if (got < piece.bytes().size()) return {};
    }
  };
  SKUA_RETURN_IF_ERROR(fill_new(
      folder, name, [&] { return folder.create(name); }, copy_into));
  copied.sha256 = hasher.finish();
  return copied;
}

Error as_build_error(const Error& cause, const std::string& doing) {
  const bool is_full = cause.reason == Reason::kDiskFull;
  return make_error(
      refusal_class(cause, ErrorCode::kEngineBuild), cause.reason,
      doing + ": " + cause.message +
          (is_full
               ? "; nothing half written is ever used: free space on that device and run the command again"
               : "; nothing half written is ever used: repair this and run the command again"),
      cause.native_code);
}

Error as_build_error(Error error) {
  const bool keeps_class = error.code == ErrorCode::kInvalidArgument ||
                           error.code == ErrorCode::kCalibrationCache ||
                           error.code == ErrorCode::kRuntimeNotAvailable ||
                           error.code == ErrorCode::kOutOfMemory || error.code == ErrorCode::kInternal;
  if (!keeps_class) error.code = ErrorCode::kEngineBuild;
  return error;
}

}  // namespace skua
