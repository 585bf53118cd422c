// What Skua needs from its surroundings: time, and somebody to tell. Injected, so that tests need no sleep.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace skua {

/// Thread-safe. `monotonic_ns` never goes back; `utc_us` may jump and is for log records only.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::int64_t monotonic_ns() const noexcept = 0;
  virtual std::int64_t utc_us() const noexcept = 0;  ///< microseconds since 1970
};

/// The machine's clocks (CLOCK_MONOTONIC, CLOCK_REALTIME).
Clock& system_clock() noexcept;

enum class Level : std::uint8_t { kDebug, kInfo, kWarn, kError };
std::string_view to_string(Level level) noexcept;

/// One thing that happened. `kind` is a dotted tag, e.g. "c7.engine_refused"; `fields` keep their order.
/// Tensors and images cannot be a field, by type.
struct Event {
  using Value = std::variant<std::int64_t, double, bool, std::string>;
  struct Field {
    std::string key;
    Value value;
  };
  Level level = Level::kInfo;
  std::string_view kind;  ///< static storage
  std::string message;
  std::vector<Field> fields;
};

/// Receives events. Implementations are thread-safe, never throw and never block their caller for long.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void emit(const Event& event) noexcept = 0;
};

/// Drops everything; for callers who do not listen.
EventSink& null_event_sink() noexcept;

}  // namespace skua
