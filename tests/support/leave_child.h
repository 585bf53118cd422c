// How a child of fork ends.
#pragma once

#include <unistd.h>

#include <cstdlib>

namespace skua::test {

/// At once, as a child should that shares its parent's buffers. Where branches are counted, by way of what
/// runs at an orderly end, which writes the counts of every library.
[[noreturn]] inline void leave_child(int status) {
#ifdef SKUA_COUNTS_BRANCHES
  std::exit(status);
#else
  _exit(status);
#endif
}

}  // namespace skua::test
