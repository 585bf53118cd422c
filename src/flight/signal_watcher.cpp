#include "flight/signal_watcher.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <ctime>
#include <memory>
#include <system_error>
#include <utility>

#include "skua/ports.h"

namespace skua::flight {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

void raise_flag(int event_fd) noexcept {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(event_fd, &one, sizeof(one)));  // a counter of 64 bits is never full
}

/// Whether `fd` is readable before `until_ns`. Another signal's handler (a profiler's) does not shorten it.
bool is_readable(int fd, std::int64_t until_ns) noexcept {
  constexpr std::int64_t kNsPerMs = 1'000'000;
  for (;;) {
    const std::int64_t left_ms = (until_ns - system_clock().monotonic_ns() + kNsPerMs - 1) / kNsPerMs;
    pollfd wanted{fd, POLLIN, 0};
    if (::poll(&wanted, 1, static_cast<int>(left_ms > 0 ? left_ms : 0)) == 1) return true;
    if (left_ms <= 0) return false;
  }
}

Error no_watcher(const char* what) {
  return make_error(ErrorCode::kInternal, Reason::kInternal,
                    std::string("cannot watch for signals: the system gives no ") + what +
                        "; end other programs, or raise the limit of open files and threads");
}

}  // namespace

Result<std::unique_ptr<SignalWatcher>> SignalWatcher::start(Options options) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  const int signals = ::signalfd(-1, &set, SFD_CLOEXEC);
  const int wake = ::eventfd(0, EFD_CLOEXEC);
  const int over = ::eventfd(0, EFD_CLOEXEC);
  std::unique_ptr<SignalWatcher> watcher(new SignalWatcher(std::move(options), signals, wake, over));
  if (signals < 0 || wake < 0 || over < 0) return no_watcher("descriptor");
  try {
    watcher->thread_ = std::thread([raw = watcher.get()] { raw->watch(); });
  } catch (const std::system_error&) {
    return no_watcher("thread");
  }
  return watcher;
}

SignalWatcher::SignalWatcher(Options options, int signals, int wake, int over) noexcept
    : options_(std::move(options)), signals_(signals), wake_(wake), over_(over) {}

SignalWatcher::~SignalWatcher() {
  ended();
  for (const int fd : {signals_, wake_, over_}) {
    if (fd >= 0) ::close(fd);
  }
}

void SignalWatcher::ended() noexcept {
  if (!thread_.joinable()) return;
  raise_flag(over_);
  thread_.join();
}

bool SignalWatcher::sleep_until(std::int64_t until_ns) const noexcept {
  for (;;) {
    const std::int64_t left = until_ns - system_clock().monotonic_ns();
    if (is_requested()) return false;
    if (left <= 0) return true;
    const timespec timeout{static_cast<time_t>(left / kNsPerSecond), static_cast<long>(left % kNsPerSecond)};
    pollfd wanted{wake_, POLLIN, 0};
    static_cast<void>(::ppoll(&wanted, 1, &timeout, nullptr));
  }
}

void SignalWatcher::watch() noexcept {
  ::pthread_setname_np(::pthread_self(), "skua-signals");
  pollfd wanted[] = {{signals_, POLLIN, 0}, {over_, POLLIN, 0}};
  while (::poll(wanted, 2, -1) < 0) {
  }
  if ((wanted[1].revents & POLLIN) != 0) return;
  const std::int64_t until_ns = system_clock().monotonic_ns() +
                                std::chrono::duration_cast<std::chrono::nanoseconds>(options_.grace).count();
  is_requested_.store(true, std::memory_order_release);
  raise_flag(wake_);
  if (is_readable(over_, until_ns)) return;
  // What the program is inside of cannot be interrupted. The rest is said from here, then everything ends.
  options_.last_words();
  ::_exit(options_.exit_status);
}

}  // namespace skua::flight
