// A folder that looks like a machine's /sys (and more), made from a text file of tests/fixtures/thermal.
// The same files are read by sysfs_tree.py. One line each:
//   /path = text              a file with this text and a line end; "\0" at the end: a NUL instead of the
//   line end !include other.tree       the lines of another file of the folder, first !link /path -> target
//   a link; the folder it points to is made !fifo /path   !folder /path   !digits COUNT /path   !mode OCTAL
//   /path   !remove /path
// A later line replaces what an earlier one put at the same path; paths pass through links.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "temp_folder.h"

namespace skua::test {

/// Throws std::runtime_error naming file and line when a line is not understood.
class SysfsTree {
 public:
  /// `name`: e.g. "jetson_orin_nano_jp6" (without ".tree").
  explicit SysfsTree(std::string_view name);

  const std::filesystem::path& root() const noexcept { return folder_.path(); }
  /// "/sys/x" below the root.
  std::filesystem::path path(std::string_view sys_path) const;
  /// Writes into the file that is there, as a driver's value changes.
  void set(std::string_view sys_path, std::string_view text) const;
  /// Puts a new file in the place of the old one by rename.
  void replace(std::string_view sys_path, std::string_view text) const;
  void remove(std::string_view sys_path) const;
  /// One line of the format above.
  void apply(const std::string& line) const;

 private:
  void load(const std::string& name) const;
  TempFolder folder_;  ///< in memory where the machine has /dev/shm, as sysfs is: disks take their time
};

}  // namespace skua::test
