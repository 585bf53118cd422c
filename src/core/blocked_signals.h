// Signals stay with the program: threads that Skua starts must not run its handlers.
#pragma once

#include <csignal>

namespace skua {

/// While it lives, the calling thread has all signals blocked but those that a fault of its own raises
/// (blocked, those would end the process without its handler). A thread that is started meanwhile inherits
/// that for good.
class BlockedSignals {
 public:
  BlockedSignals() noexcept;
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;
  ~BlockedSignals();

 private:
  sigset_t before_;
};

}  // namespace skua
