// Asking the person at the terminal for a secret.
#pragma once

#include <string>
#include <string_view>

#include "skua/result.h"

namespace skua {

/// Shows `prompt` at the controlling terminal and reads one line there, unseen; stdin and stdout have no part
/// in it. Whatever ends the reading, Ctrl-C and being told to end included, the terminal is as before, and
/// only then does the signal act. InvalidArgumentError: there is no terminal, none was typed, cancelled.
Result<std::string> ask_unseen(std::string_view prompt);

}  // namespace skua
