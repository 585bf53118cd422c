// skua: the ground tool. docs/reference/cli.md describes its subcommands.
#include <sys/ioctl.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <iostream>

#include "cli/commands.h"
#include "core/process_memory.h"
#include "core/standard_streams.h"

namespace {

// What a signal handler may touch: a lock-free atomic, set once.
std::atomic<bool> cancel_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free);

extern "C" void request_cancel(int) { cancel_requested.store(true); }

std::size_t terminal_width() {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/// The first Ctrl-C asks the command to stop at a safe point; a second one ends the program at once, which is
/// safe as well, because nothing becomes visible before it is whole.
void install_handlers() {
  struct sigaction action {};
  action.sa_handler = request_cancel;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  // A reader that went away (`skua ... | head`) is an error of the stream, not the end of a publish.
  std::signal(SIGPIPE, SIG_IGN);
  // Whoever starts this program may ignore it, and that is inherited: nobody would know then how a build
  // ended.
  std::signal(SIGCHLD, SIG_DFL);
}

}  // namespace

int main(int argc, char** argv) {
  skua::fill_standard_streams();
  skua::keep_freed_memory();
  install_handlers();
  skua::Console console(std::cout, std::cerr, ::isatty(STDERR_FILENO) == 1);
  // https://no-color.org: any value but the empty one switches colours off.
  const char* no_color = std::getenv("NO_COLOR");
  const bool is_plain = no_color != nullptr && *no_color != '\0';
  if (!is_plain && ::isatty(STDOUT_FILENO) == 1) console.enable_terminal(terminal_width);
  skua::Session session{console, &cancel_requested};
  return skua::run_skua(argc, argv, session);
}
