// How a child of fork ends.
#pragma once

#include <unistd.h>

#include <cstdlib>

// libgcov's, where branches are counted (scripts/coverage.sh), and else nobody's.
extern "C" void __gcov_dump() __attribute__((weak));

namespace skua::test {

/// At once, as a child should that shares its parent's buffers. Where branches are counted, by way of what
/// runs at an orderly end, which writes the counts of every library.
[[noreturn]] inline void leave_child(int status) {
  if (__gcov_dump != nullptr) std::exit(status);
  _exit(status);
}

}  // namespace skua::test
