// Linux's Landlock: this process gives up its right to write anywhere but in the places that it names. Raw
// system calls: the C library has none for it, and the headers of older systems know a part of it only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "skua/result.h"

namespace skua::builder {

/// The release of Landlock's interface that the running kernel speaks; 0 where it has none, or where it is
/// switched off or kept from us.
int landlock_abi() noexcept;

struct LandlockRules {
  std::filesystem::path folder;   ///< files may be made, written, cut and removed below it, and nowhere else
  bool may_make_folders = false;  ///< below it
  std::vector<std::filesystem::path>
      devices;  ///< may be written to and controlled; what is missing is skipped
};

/// Holds the calling thread, and all that it starts from now on, to `rules`: no way back, not by exec either.
/// Reading stays free. No link, pipe, socket or device can be made anywhere. From interface 4 on no TCP port
/// is bound or connected to, from 5 on no other device controlled, from 6 on no process outside signalled and
/// no abstract socket of one reached. Requires PR_SET_NO_NEW_PRIVS, an `abi` of at least 1, and that no other
/// thread runs yet. EngineBuildError (builder_confinement): the system refuses.
Status restrict_writing(const LandlockRules& rules, int abi);

}  // namespace skua::builder
