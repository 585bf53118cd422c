// What a network that has taken the build process over might try, one act a row. Each answers 0 when it was
// done, else errno. They run in a child of the test, in folders and on processes of the test's own.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <ostream>
#include <vector>

namespace skua::test {

/// What an act may be aimed at.
struct Targets {
  std::filesystem::path staging;  ///< with the file "own"
  std::filesystem::path outside;  ///< beside it, with the file "engine"
  pid_t victim = -1;              ///< a process that sleeps
  int terminal = -1;              ///< controlling terminal of this child; -1: none
  int port = 0;                   ///< TCP, somebody listens
  int output = -1;                ///< for a program that takes this child's place: it writes "done"
};

struct Act {
  const char* name;
  int (*run)(const Targets&);
  bool is_processes = false;  ///< refused only to builds that start no programs
};

/// By name, for the messages of parameterised tests.
inline void PrintTo(const Act& act, std::ostream* out) { *out << act.name; }

const std::vector<Act>& hostile_acts();

/// What a build needs, and what must go on working.
const std::vector<Act>& harmless_acts();

}  // namespace skua::test
