// Signals to the test's own process. Every thread of it must have them blocked: SignalWatcher::start does so
// for the test's thread and all that come after.
#pragma once

#include <unistd.h>

#include <csignal>
#include <ctime>

namespace skua::flight::test {

/// To the process, as a supervisor sends it; raise() would send to the calling thread.
inline void send_signal(int signal) { static_cast<void>(::kill(::getpid(), signal)); }

/// Takes back what nobody has read: a watcher leaves its signal pending, and the next one would see it.
class PendingSignals {
 public:
  PendingSignals() = default;
  PendingSignals(const PendingSignals&) = delete;
  PendingSignals& operator=(const PendingSignals&) = delete;
  ~PendingSignals() {
    sigset_t both;
    sigemptyset(&both);
    sigaddset(&both, SIGTERM);
    sigaddset(&both, SIGINT);
    const timespec at_once{};
    while (::sigtimedwait(&both, nullptr, &at_once) > 0) continue;
  }
};

}  // namespace skua::flight::test
