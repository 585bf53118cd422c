#include "core/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace skua {
namespace {

Error bad_output(std::string_view option, const std::filesystem::path& file, Reason reason,
                 const std::string& found, int native_code = 0) {
  return make_error(ErrorCode::kInvalidArgument, reason,
                    std::string(option) + " " + file.string() +
                        ": expected a file that can be created or emptied, found " + found +
                        "; name one that can be written, and no link",
                    native_code);
}

/// The kernel's memory devices 3 and 7: they keep nothing, so there is nothing to lose.
bool is_null_or_full(const struct stat& status) noexcept {
  return S_ISCHR(status.st_mode) && (status.st_rdev == makedev(1, 3) || status.st_rdev == makedev(1, 7));
}

}  // namespace

Result<Descriptor> open_output(std::string_view option, const std::filesystem::path& file) {
  const auto system_problem = [&](int problem) {
    return bad_output(option, file, Reason::kIo, "'" + std::string(std::strerror(problem)) + "'", problem);
  };
  // Not O_TRUNC: what is there is looked at before it is lost.
  constexpr int kFlags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY;
  Descriptor opened(::open(file.c_str(), kFlags, 0644));
  if (!opened.is_open()) return system_problem(errno);
  struct stat status {};
  if (::fstat(opened.get(), &status) != 0) return system_problem(errno);
  if (is_null_or_full(status)) return opened;
  if (!S_ISREG(status.st_mode)) return bad_output(option, file, Reason::kNotRegularFile, "no regular file");
  if (status.st_nlink != 1) {
    return bad_output(option, file, Reason::kFileLinks,
                      "one of " + std::to_string(status.st_nlink) + " hard links to the same file");
  }
  if (::ftruncate(opened.get(), 0) != 0) return system_problem(errno);
  return opened;
}

}  // namespace skua
