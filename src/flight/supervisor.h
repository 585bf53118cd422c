// Telling systemd how we are: sd_notify's protocol (sd_notify(3), systemd.service(5) WatchdogSec), one
// datagram a message. Without a supervisor every call does nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "skua/result.h"

namespace skua::flight {

/// One thread. Sending never blocks and never fails the caller: a supervisor that does not read loses
/// messages.
class Supervisor {
 public:
  /// What systemd set in the environment; empty texts: no supervisor, no watchdog.
  /// `socket`: $NOTIFY_SOCKET, a path or "@name" (abstract); `watchdog_usec`: $WATCHDOG_USEC. A value that
  /// cannot be used is InvalidArgumentError naming the variable.
  static Result<Supervisor> connect(std::string_view socket, std::string_view watchdog_usec);

  Supervisor(Supervisor&& other) noexcept;
  Supervisor& operator=(Supervisor&&) = delete;
  ~Supervisor();

  /// `status` is one line for `systemctl status`, cut at 200 bytes.
  void ready(std::string_view status) noexcept;
  /// Before ready(): the start still goes on, and has 30 s more from now. At most one message in five
  /// seconds.
  void starting(std::int64_t now_ns) noexcept;
  void stopping(std::string_view status) noexcept;
  /// For the frame loop: sends WATCHDOG=1 when a third of the watchdog's time has passed since the last.
  /// Allocates nothing.
  void alive(std::int64_t now_ns) noexcept;
  bool is_watched() const noexcept { return period_ns_ > 0; }

 private:
  Supervisor() = default;
  void send(std::string_view message) noexcept;
  void send_state(const char* state, std::string_view status) noexcept;

  int fd_ = -1;  ///< connected; -1: no supervisor
  std::int64_t period_ns_ = 0, last_ns_ = 0;
};

}  // namespace skua::flight
