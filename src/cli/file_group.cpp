#include "cli/file_group.h"

#include <new>
#include <utility>

namespace skua {
namespace {

Status of_folder(const Folder& folder, const Status& done) {
  if (done.ok()) return done;
  return as_build_error(done.error(), "cannot write to " + folder.path().string());
}

Result<bool> is_there(Folder& folder, const std::string& name) {
  const auto info = folder.info(name);
  if (info.ok()) return true;
  return info.error().reason == Reason::kNotFound ? Result(false) : Result<bool>(info.error());
}

}  // namespace

Result<FileGroup::File*> FileGroup::stage(Folder& folder, const std::string& name, FileRole role) {
  SKUA_ASSIGN_OR_RETURN(std::string hidden, random_name(prefix_));
  return &files_.emplace_back(folder, std::move(hidden), name, role);
}

Status FileGroup::add(Folder& folder, const std::string& name, std::span<const std::byte> bytes,
                      FileRole role) {
  SKUA_ASSIGN_OR_RETURN(const File* const file, stage(folder, name, role));
  return of_folder(folder, write_new(folder, file->temporary.name(), bytes));
}

Status FileGroup::add_copy(Folder& folder, const std::string& name, ReadFile& source) {
  SKUA_ASSIGN_OR_RETURN(const File* const file, stage(folder, name, FileRole::kContent));
  const auto copied = copy_new(source, folder, file->temporary.name());
  return of_folder(folder, copied.ok() ? Status() : Status(copied.error()));
}

Status FileGroup::remove_old_vouchers() {
  for (const File& file : files_) {
    if (file.role != FileRole::kVoucher) continue;
    const Status gone = file.folder->remove(file.name);
    if (!gone.ok() && gone.error().reason == Reason::kNotFound) continue;
    SKUA_RETURN_IF_ERROR(of_folder(*file.folder, gone));
    SKUA_RETURN_IF_ERROR(of_folder(*file.folder, file.folder->sync()));
  }
  return {};
}

Status FileGroup::move_in(FileRole role) {
  for (File& file : files_) {
    if (file.role != role) continue;
    const auto replaces = is_there(*file.folder, file.name);
    if (!replaces.ok()) return of_folder(*file.folder, Status(replaces.error()));
    SKUA_RETURN_IF_ERROR(of_folder(*file.folder, file.folder->rename(file.temporary.name(), file.name)));
    file.temporary.release();
    file.is_ours = !*replaces;
  }
  return {};
}

Status FileGroup::sync_folders() {
  for (const File& file : files_) SKUA_RETURN_IF_ERROR(of_folder(*file.folder, file.folder->sync()));
  return {};
}

void FileGroup::take_back() noexcept {
  // The error that brought us here is the one to report.
  try {
    for (const File& file : files_) {
      if (file.is_ours) static_cast<void>(file.folder->remove(file.name));
    }
    static_cast<void>(sync_folders());
  } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): as above
  }
}

Status FileGroup::publish() {
  SKUA_RETURN_IF_ERROR(remove_old_vouchers());
  Status done = move_in(FileRole::kContent);
  if (done.ok()) done = sync_folders();  // what vouchers stand for is on the disk before them
  if (done.ok()) done = move_in(FileRole::kVoucher);
  if (done.ok()) done = sync_folders();
  if (!done.ok()) take_back();
  return done;
}

}  // namespace skua
