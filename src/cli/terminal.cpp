#include "cli/terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "cli/arguments.h"
#include "core/blocked_signals.h"
#include "core/descriptor.h"

namespace skua {
namespace {

constexpr std::array kEndingSignals = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};

/// Readable when one of the ending signals waits. Nothing is read from it: the signal stays pending and acts
/// as soon as it is let through.
int open_pending_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : kEndingSignals) sigaddset(&set, signal);
  return ::signalfd(-1, &set, SFD_CLOEXEC);
}

/// While it lives, what is typed is not shown, and no signal can end the program with the terminal like that.
class Unseen {
 public:
  explicit Unseen(int tty) : tty_(tty), is_terminal_(::tcgetattr(tty, &before_) == 0) {
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    silent.c_lflag |= ICANON | ISIG;
    is_terminal_ = is_terminal_ && ::tcsetattr(tty, TCSAFLUSH, &silent) == 0;
  }
  Unseen(const Unseen&) = delete;
  Unseen& operator=(const Unseen&) = delete;
  ~Unseen() {
    // TCSANOW: also where the terminal takes no output any more.
    if (is_terminal_) ::tcsetattr(tty_, TCSANOW, &before_);
  }
  bool is_terminal() const noexcept { return is_terminal_; }

 private:
  const BlockedSignals signals_;  // goes last: the terminal is restored while signals still wait
  int tty_;
  termios before_{};
  bool is_terminal_;
};

void show(int tty, std::string_view text) {
  // A terminal that takes no prompt gives no answer either.
  static_cast<void>(!::write(tty, text.data(), text.size()));
}

Error no_passphrase(Reason reason, std::string_view found) {
  return invalid_argument(reason, "expected a passphrase typed at a terminal, found " + std::string(found) +
                                      "; give --passphrase-file FILE where nobody types");
}

Error cancelled() { return invalid_argument(Reason::kCancelled, "cancelled at the passphrase"); }

/// One line, in the terminal's own line editing.
Result<std::string> read_line(int tty, int signals) {
  std::array<char, 4096> line;  // the most that a terminal gives at once
  std::array<pollfd, 2> waited = {pollfd{tty, POLLIN, 0}, pollfd{signals, POLLIN, 0}};
  const int ready = ::poll(waited.data(), waited.size(), -1);
  if (ready < 0) return no_passphrase(Reason::kIo, "a terminal that cannot be read");
  if (waited[1].revents != 0) return cancelled();
  const ssize_t got = ::read(tty, line.data(), line.size());
  if (got < 0) return no_passphrase(Reason::kIo, "a terminal that cannot be read");
  std::string text(line.data(), static_cast<std::size_t>(got));
  if (text.ends_with('\n')) text.pop_back();
  if (text.empty()) return no_passphrase(Reason::kInvalidArgument, "none");
  return text;
}

}  // namespace

Result<std::string> ask_unseen(std::string_view prompt) {
  const Descriptor tty(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
  if (tty.get() < 0) return no_passphrase(Reason::kInvalidArgument, "no terminal");
  const Unseen unseen(tty.get());
  const Descriptor signals(open_pending_signals());
  if (!unseen.is_terminal() || signals.get() < 0)
    return no_passphrase(Reason::kIo, "a terminal that cannot be silenced");
  show(tty.get(), prompt);
  auto text = read_line(tty.get(), signals.get());
  show(tty.get(), "\n");
  return text;
}

}  // namespace skua
