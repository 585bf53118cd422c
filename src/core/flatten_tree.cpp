#include "core/flatten_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace skua {
namespace {

constexpr mode_t kOwnerMayAll = 0700;
constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

using Stream = std::unique_ptr<DIR, int (*)(DIR*)>;

bool is_folder(int parent, const char* name) {
  struct stat status {};
  return ::fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode);
}

/// Opens a folder for listing that its owner may not even enter yet.
Stream open_any(int parent, const char* name) {
  Stream none(nullptr, ::closedir);
  if (!is_folder(parent, name) || ::fchmodat(parent, name, kOwnerMayAll, 0) != 0) return none;
  const int fd = ::openat(parent, name, kFolderFlags);
  if (fd < 0) return none;
  Stream stream(::fdopendir(fd), ::closedir);
  if (!stream) ::close(fd);
  return stream;
}

std::vector<std::string> folders_in(DIR* stream) {
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(stream)) {
    const std::string name(entry->d_name);
    if (name != "." && name != ".." && is_folder(::dirfd(stream), entry->d_name)) names.push_back(name);
  }
  return names;
}

/// A name that is free in `root`, for a folder that moves there.
std::string free_name(int root, unsigned& next) {
  for (;;) {
    std::string name = "moved-" + std::to_string(next++);
    if (::faccessat(root, name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) != 0) return name;
  }
}

/// Moves what is deeper up beside its parent, one level after the other. A folder must be writable to get
/// another parent.
bool flatten(const std::filesystem::path& folder) {
  const Stream root = open_any(AT_FDCWD, folder.c_str());
  if (!root) return false;
  const int root_fd = ::dirfd(root.get());
  const std::vector<std::string> top = folders_in(root.get());
  std::deque<std::string> to_visit(top.begin(), top.end());
  for (unsigned next = 0; !to_visit.empty(); to_visit.pop_front()) {
    const Stream visited = open_any(root_fd, to_visit.front().c_str());
    if (!visited) return false;
    const int fd = ::dirfd(visited.get());
    for (const std::string& name : folders_in(visited.get())) {
      to_visit.push_back(free_name(root_fd, next));
      if (::fchmodat(fd, name.c_str(), kOwnerMayAll, 0) != 0) return false;
      if (::renameat(fd, name.c_str(), root_fd, to_visit.back().c_str()) != 0) return false;
    }
  }
  return true;
}

}  // namespace

bool flatten_tree(const std::filesystem::path& folder) noexcept {
  try {
    return flatten(folder);
  } catch (const std::exception&) {  // no memory for the names
    return false;
  }
}

}  // namespace skua
