#include "skua/ports.h"

#include <ctime>

namespace skua {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

std::int64_t read_ns(clockid_t id) noexcept {
  timespec now{};
  clock_gettime(id, &now);  // cannot fail for these two clocks
  return static_cast<std::int64_t>(now.tv_sec) * kNsPerSecond + now.tv_nsec;
}

class SystemClock final : public Clock {
 public:
  std::int64_t monotonic_ns() const noexcept override { return read_ns(CLOCK_MONOTONIC); }
  std::int64_t utc_us() const noexcept override { return read_ns(CLOCK_REALTIME) / 1000; }
};

class NullEventSink final : public EventSink {
 public:
  void emit(const Event&) noexcept override {}
};

}  // namespace

Clock& system_clock() noexcept {
  static SystemClock clock;
  return clock;
}

std::string_view to_string(Level level) noexcept {
  switch (level) {
    case Level::kDebug:
      return "DEBUG";
    case Level::kInfo:
      return "INFO";
    case Level::kWarn:
      return "WARN";
    case Level::kError:
      return "ERROR";
  }
  return "ERROR";
}

EventSink& null_event_sink() noexcept {
  static NullEventSink sink;
  return sink;
}

}  // namespace skua
