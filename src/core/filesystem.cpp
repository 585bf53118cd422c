#include "core/filesystem.h"

#include <algorithm>

#include "core/flatten_tree.h"
#include "core/text.h"

namespace skua {
namespace {

constexpr int kDeepestTree = 32;  // ours are three deep; every level holds one descriptor

Error too_deep(const std::string& path) {
  return make_error(ErrorCode::kIo, Reason::kIo,
                    "folder " + quote(path, 4096) + " lies more than " + std::to_string(kDeepestTree) +
                        " levels deep; remove it by hand");
}

/// Ours can be removed as they are. A build process may have left one that cannot: too deep for descriptors,
/// or with folders that may not be entered. `is_strange` is set for these.
Status remove_below(Folder& parent, std::string_view name, int depth, bool& is_strange) {
  const auto info = parent.info(name);
  if (!info.ok()) {
    if (info.error().reason == Reason::kNotFound) return {};
    return info.error();
  }
  if (info->kind != FileKind::kFolder) return parent.remove(name);
  if (depth >= kDeepestTree) {
    is_strange = true;
    return too_deep((parent.path() / name).string());
  }
  constexpr std::uint32_t kOwnerMayAll = 0700;
  is_strange = is_strange || (info->mode & kOwnerMayAll) != kOwnerMayAll;
  SKUA_ASSIGN_OR_RETURN(const auto folder, parent.open_folder(name));
  SKUA_ASSIGN_OR_RETURN(const auto names, folder->list());
  for (const std::string& child : names) {
    SKUA_RETURN_IF_ERROR(remove_below(*folder, child, depth + 1, is_strange));
  }
  return parent.remove(name);
}

Status sync_below(Folder& folder, int depth) {
  if (depth >= kDeepestTree) return too_deep(folder.path().string());
  SKUA_ASSIGN_OR_RETURN(const auto names, folder.list());
  for (const std::string& name : names) {
    SKUA_ASSIGN_OR_RETURN(const FileInfo info, folder.info(name));
    if (info.kind == FileKind::kRegular) SKUA_RETURN_IF_ERROR(folder.sync_file(name));
    if (info.kind != FileKind::kFolder) continue;
    SKUA_ASSIGN_OR_RETURN(const auto below, folder.open_folder(name));
    SKUA_RETURN_IF_ERROR(sync_below(*below, depth + 1));
  }
  return folder.sync();
}

Error too_large(const std::string& path, std::size_t limit) {
  return make_error(
      ErrorCode::kIo, Reason::kTooLarge,
      "file " + quote(path, 4096) + " is larger than its limit of " + std::to_string(limit) + " bytes");
}

}  // namespace

Status remove_tree(Folder& parent, std::string_view name) {
  bool is_strange = false;
  const Status removed = remove_below(parent, name, 0, is_strange);
  if (removed.ok() || !is_strange) return removed;
  if (!flatten_tree(parent.path() / name)) return removed;
  return remove_below(parent, name, 0, is_strange);
}

Status sync_tree(Folder& folder) { return sync_below(folder, 0); }

Result<std::string> read_text(Folder& folder, std::string_view name, std::size_t limit) {
  SKUA_ASSIGN_OR_RETURN(const auto file, folder.open_read(name));
  SKUA_ASSIGN_OR_RETURN(const FileInfo info, file->info());
  const std::string path = (folder.path() / name).string();
  if (info.kind != FileKind::kRegular) {
    return make_error(ErrorCode::kIo, Reason::kNotRegularFile,
                      quote(path, 4096) + " is a folder or a device; expected a regular file");
  }
  if (info.size > limit) return too_large(path, limit);
  // One byte more than it should have: a file that grows while it is read must not slip past the limit.
  std::string text(std::min<std::size_t>(static_cast<std::size_t>(info.size) + 1, limit + 1), '\0');
  SKUA_ASSIGN_OR_RETURN(const std::size_t got, file->read(std::as_writable_bytes(std::span(text))));
  if (got > limit) return too_large(path, limit);
  if (got != info.size) {
    return make_error(ErrorCode::kIo, Reason::kFileSizeMismatch,
                      "file " + quote(path, 4096) + " changed its size while it was read; try again");
  }
  text.resize(got);
  return text;
}

}  // namespace skua
