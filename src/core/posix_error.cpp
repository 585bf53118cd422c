#include "core/posix_error.h"

#include <cerrno>
#include <string>
#include <system_error>

#include "core/text.h"

namespace skua {
namespace {

constexpr std::size_t kLongestPath = 4096;  // an operator needs all of it

std::string_view remedy_of(int error_number) noexcept {
  switch (error_number) {
    case ENOENT:
      return "check the path";
    case EACCES:
    case EPERM:
      return "check owner and mode of it and of the folders above";
    case EROFS:
      return "the file system is mounted read-only";
    case ENOSPC:
    case EDQUOT:
      return "free space there, or use another folder";
    case EFBIG:
      return "the file system or a limit of this process allows no file of this size";
    case ELOOP:
      return "links are not followed here: give the real file";
    case ENOTDIR:
      return "a folder is expected there";
    case EISDIR:
      return "a file is expected there, not a folder";
    case EMFILE:
    case ENFILE:
      return "too many files are open: raise the limit";
    case ENOMEM:
      return "end other programs, or raise this one's limit of memory";
    default:
      return {};
  }
}

}  // namespace

Reason reason_of_errno(int error_number) noexcept {
  switch (error_number) {
    case ENOENT:
      return Reason::kNotFound;
    case EEXIST:
    case ENOTEMPTY:
      return Reason::kExists;
    case EACCES:
    case EPERM:
    case EROFS:
      return Reason::kPermissionDenied;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return Reason::kDiskFull;
    case ELOOP:
    case EISDIR:
    case ENXIO:
      return Reason::kNotRegularFile;  // link, folder, socket
    case ENOMEM:
      return Reason::kOutOfMemory;
    default:
      return Reason::kIo;
  }
}

Error posix_error(std::string_view operation, std::string_view path, int error_number) {
  std::string message(operation);
  message += " " + quote(path, kLongestPath) + ": " + std::generic_category().message(error_number);
  if (const auto remedy = remedy_of(error_number); !remedy.empty()) message.append("; ").append(remedy);
  const Reason reason = reason_of_errno(error_number);
  const ErrorCode code = reason == Reason::kOutOfMemory ? ErrorCode::kOutOfMemory : ErrorCode::kIo;
  return make_error(code, reason, std::move(message), error_number);
}

}  // namespace skua
