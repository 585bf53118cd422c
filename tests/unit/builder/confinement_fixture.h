// A place with everything that hostile acts want to get at, and children to act in.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>

#include "acts.h"
#include "builder/confinement.h"
#include "child_process.h"
#include "temp_folder.h"

namespace skua::test {

inline constexpr std::uint64_t kRoom = 64U << 20U;

class ConfinementPlace {
 public:
  ConfinementPlace() {
    root_.write("staging/own", "mine");
    root_.write("cache/engine", "engine");
    listen();
    master_ = ::posix_openpt(O_RDWR | O_NOCTTY);
    if (master_ >= 0 && (::grantpt(master_) != 0 || ::unlockpt(master_) != 0))
      throw std::runtime_error("pty");
    victim_ = ::fork();
    if (victim_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::alarm(120);
      for (;;) ::pause();
    }
  }
  ConfinementPlace(const ConfinementPlace&) = delete;
  ConfinementPlace& operator=(const ConfinementPlace&) = delete;
  ~ConfinementPlace() {
    ::kill(victim_, SIGKILL);
    ::waitpid(victim_, nullptr, 0);
    ::close(listener_);
    if (master_ >= 0) ::close(master_);
  }

  std::filesystem::path staging() const { return root_.path() / "staging"; }
  const TempFolder& root() const { return root_; }
  builder::Confinement confinement() const {
    builder::Confinement all;
    all.staging = staging();
    all.memory_bytes = kRoom;
    all.cpu_seconds = 30;
    return all;
  }

  /// In a child with a terminal of its own: `before`, which may confine it, then the act. "done", or what
  /// errno was, or why it did not come to the act.
  std::string outcome(const Act& act, const std::function<std::string()>& before = {}) const {
    return rest_of(start_child([&](int output) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::alarm(60);
      const Targets to{staging(), root_.path() / "cache", victim_, take_terminal(), port_, output};
      std::string text = before ? before() : "";
      if (text.empty()) {
        const int number = act.run(to);
        text = number == 0 ? "done" : std::strerror(number);
      }
      if (::write(output, text.data(), text.size()) < 0) ::_exit(1);
    }));
  }

  /// For `outcome`.
  std::function<std::string()> confined(const builder::Confinement& confinement,
                                        const builder::Means& means) const {
    return [confinement, means]() -> std::string {
      const auto had = builder::confine(confinement, means);
      return had.ok() ? "" : had.error().describe();
    };
  }
  std::function<std::string()> confined() const {
    return confined(confinement(), builder::means_of_this_system());
  }

 private:
  void listen() {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    const bool is_up = ::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                       ::listen(listener_, 8) == 0 &&
                       ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0;
    if (!is_up) throw std::runtime_error("no socket to listen on");
    port_ = ntohs(address.sin_port);
  }
  /// The terminal becomes this child's, as an operator's is: the worst case.
  int take_terminal() const {
    if (master_ < 0) return -1;
    char name[64] = {};
    if (::ptsname_r(master_, name, sizeof name) != 0 || ::setsid() < 0) return -1;
    const int slave = ::open(name, O_RDWR | O_NOCTTY);
    if (slave >= 0 && ::ioctl(slave, TIOCSCTTY, 0) != 0) return -1;
    return slave;
  }

  TempFolder root_;
  int listener_ = -1, port_ = 0, master_ = -1;
  pid_t victim_ = -1;
};

}  // namespace skua::test
