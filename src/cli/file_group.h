// Files that appear together, in one folder or several: written and synced under hidden names first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>

#include "cache/staged_copy.h"
#include "core/filesystem.h"

namespace skua {

enum class FileRole : std::uint8_t {
  kContent,
  kVoucher,  ///< says that contents belong together (a digest, an origin): it comes after them
};

/// Under the locks of the folders, which must outlive it. Nothing hidden is left when it goes. Errors: the
/// file system's, as EngineBuildError that names the folder.
class FileGroup {
 public:
  /// `prefix` of the hidden names.
  explicit FileGroup(std::string_view prefix) : prefix_(prefix) {}
  Status add(Folder& folder, const std::string& name, std::span<const std::byte> bytes, FileRole role);
  Status add_copy(Folder& folder, const std::string& name, ReadFile& source);

  /// Old vouchers go first, and durably, so that none stands beside new contents; then everything is renamed,
  /// contents before vouchers, in the order in which it was added. On an error the files that replaced none
  /// go again. One that replaced another stays, and its voucher is gone.
  Status publish();

 private:
  struct File {
    File(Folder& where, std::string hidden, std::string final_name, FileRole its_role)
        : folder(&where), temporary(where, std::move(hidden)), name(std::move(final_name)), role(its_role) {}
    Folder* folder;
    TemporaryFile temporary;
    std::string name;
    FileRole role;
    bool is_ours = false;  ///< it is there, and nothing was before
  };
  Result<File*> stage(Folder& folder, const std::string& name, FileRole role);
  Status remove_old_vouchers();
  Status move_in(FileRole role);
  Status sync_folders();
  void take_back() noexcept;

  std::string prefix_;
  std::deque<File> files_;
};

}  // namespace skua
