#include "flight/supervisor.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <utility>

#include "core/text.h"

namespace skua::flight {
namespace {

constexpr std::int64_t kNsPerUs = 1000;
constexpr std::int64_t kBetweenStartingNs = 5'000'000'000;
constexpr std::int64_t kPerWatchdog = 3;  // systemd asks for at least two messages in its time

Error variable_error(std::string_view variable, std::string_view value, std::string_view expected) {
  return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                    std::string(variable) + " is " + quote(value) + "; expected " + std::string(expected) +
                        ", as systemd sets it; unset it to run without a supervisor");
}

/// Connects a datagram socket to `name`; -1 with errno when it cannot.
int connected(std::string_view name) noexcept {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(name.begin(), name.end(), address.sun_path);
  if (name.front() == '@') address.sun_path[0] = '\0';
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0) return fd;
  const int error = errno;
  ::close(fd);
  errno = error;
  return -1;
}

}  // namespace

Result<Supervisor> Supervisor::connect(std::string_view socket, std::string_view watchdog_usec) {
  Supervisor supervisor;
  if (socket.empty()) return supervisor;
  const bool is_name = socket.size() > 1 && (socket.front() == '/' || socket.front() == '@');
  if (!is_name || socket.size() >= sizeof(sockaddr_un::sun_path)) {
    return variable_error("NOTIFY_SOCKET", socket, "an absolute path or @name of less than 108 bytes");
  }
  supervisor.fd_ = connected(socket);
  if (supervisor.fd_ < 0) {
    return make_error(ErrorCode::kInvalidArgument, Reason::kIo,
                      "NOTIFY_SOCKET " + quote(socket) + ": " + std::strerror(errno) +
                          "; is the supervisor that set it still there?",
                      errno);
  }
  if (watchdog_usec.empty()) return supervisor;
  const auto usec = parse_int64(watchdog_usec);
  constexpr std::int64_t kMostUsec = 86'400'000'000;
  if (!usec || *usec <= 0 || *usec > kMostUsec)
    return variable_error("WATCHDOG_USEC", watchdog_usec, "microseconds, above 0 and at most a day");
  supervisor.period_ns_ = *usec * kNsPerUs / kPerWatchdog;
  return supervisor;
}

Supervisor::Supervisor(Supervisor&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), period_ns_(other.period_ns_), last_ns_(other.last_ns_) {}

Supervisor::~Supervisor() {
  if (fd_ >= 0) ::close(fd_);
}

void Supervisor::send(std::string_view message) noexcept {
  if (fd_ >= 0) static_cast<void>(::send(fd_, message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
}

void Supervisor::send_state(const char* state, std::string_view status) noexcept {
  std::array<char, 256> message{};
  const int length =
      std::snprintf(message.data(), message.size(), "%s\nSTATUS=%.*s", state,
                    static_cast<int>(std::min<std::size_t>(status.size(), 200)), status.data());
  send({message.data(), static_cast<std::size_t>(std::max(length, 0))});
}

void Supervisor::ready(std::string_view status) noexcept {
  last_ns_ = 0;  // the watchdog's time begins now
  send_state("READY=1", status);
}
void Supervisor::starting(std::int64_t now_ns) noexcept {
  if (last_ns_ != 0 && now_ns - last_ns_ < kBetweenStartingNs) return;
  last_ns_ = now_ns;
  send("EXTEND_TIMEOUT_USEC=30000000");
}

void Supervisor::stopping(std::string_view status) noexcept { send_state("STOPPING=1", status); }

void Supervisor::alive(std::int64_t now_ns) noexcept {
  if (period_ns_ == 0 || now_ns - last_ns_ < period_ns_) return;
  last_ns_ = now_ns;
  send("WATCHDOG=1");
}

}  // namespace skua::flight
