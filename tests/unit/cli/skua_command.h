// `skua` with a command line, in this process.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "cli/commands.h"

namespace skua::test {

struct CommandOutcome {
  int status = -1;
  std::string out, err;
};

/// `arguments` without the program's name.
inline CommandOutcome skua_command(std::vector<std::string> arguments, bool is_terminal = false) {
  arguments.insert(arguments.begin(), "skua");
  std::vector<const char*> argv;
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  std::ostringstream out, err;
  Console console(out, err, is_terminal);
  Session session{console, nullptr};
  const int status = run_skua(static_cast<int>(argv.size()), argv.data(), session);
  return {status, out.str(), err.str()};
}

}  // namespace skua::test
