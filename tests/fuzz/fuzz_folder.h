// A folder that a target writes its input to, for what is read from files alone: in memory where the machine
// has /dev/shm. One for the life of the process.
#pragma once

#include <unistd.h>

#include "temp_folder.h"

namespace skua::fuzz {

inline const test::TempFolder& input_folder() {
  static const test::TempFolder folder(access("/dev/shm", W_OK) == 0
                                           ? std::filesystem::path("/dev/shm")
                                           : std::filesystem::temp_directory_path());
  return folder;
}

}  // namespace skua::fuzz
