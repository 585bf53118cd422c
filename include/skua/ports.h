// What Skua needs from its surroundings: time, and somebody to tell. Injected, so that tests need no sleep.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "skua/reason.h"

namespace skua {

/// Thread-safe. `monotonic_ns` never goes back; `utc_us` may jump: it is for log records, and for
/// expiry dates where the configuration trusts it.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Nanoseconds since some moment that stays the same until the machine is started again.
  virtual std::int64_t monotonic_ns() const noexcept = 0;
  virtual std::int64_t utc_us() const noexcept = 0;  ///< microseconds since 1970
};

/// The machine's clocks (CLOCK_MONOTONIC, CLOCK_REALTIME).
Clock& system_clock() noexcept;

/// How grave an event is, the gravest last.
enum class Level : std::uint8_t { kDebug, kInfo, kWarn, kError };
/// "DEBUG", "INFO", "WARN", "ERROR".
std::string_view to_string(Level level) noexcept;

/// One thing that happened. `kind` is a dotted tag, e.g. "c7.engine_refused"; `fields` keep their order.
/// Tensors and images cannot be a field, by type.
struct Event {
  using Value = std::variant<std::int64_t, double, bool, std::string>;
  /// A name and its value.
  struct Field {
    std::string key;
    Value value;
  };
  Level level = Level::kInfo;
  std::string_view kind;  ///< static storage
  std::string message;
  std::vector<Field> fields;
};

/// What one run tells: fixed size and no heap memory, so that the frame loop can post it. Trivially copyable.
struct FrameEvent {
  /// Which of the frame loop's events it is; to_event() gives each its name.
  enum class Kind : std::uint8_t { kInferenceFailed, kOutOfMemory, kTiming, kFrameDropped };
  Kind kind = Kind::kInferenceFailed;
  Reason reason = Reason::kNone;  ///< of a failure
  std::int32_t native_code = 0;   ///< the SDK's own status; 0: none
  std::int64_t took_ns = 0;       ///< of kTiming
  std::optional<std::uint64_t> frame;
  /// NUL-terminated; a model name has at most 64 characters. Of kFrameDropped: the stage of the frame loop.
  std::array<char, 65> backbone{};
};

/// The same as an Event, with the texts of the flight stack's logging table. Allocates: not in the frame
/// loop.
Event to_event(const FrameEvent& event);

/// Receives events. Implementations are thread-safe, never throw and never block their caller for long.
class EventSink {
 public:
  virtual ~EventSink() = default;
  /// Not from the frame loop: it may allocate.
  virtual void emit(const Event& event) noexcept = 0;
  /// From the frame loop. This default goes through emit() and allocates; a sink that is used in flight
  /// overrides it and does not (`EventPipeline`).
  virtual void post(const FrameEvent& event) noexcept;
};

/// Drops everything; for callers who do not listen.
EventSink& null_event_sink() noexcept;

}  // namespace skua
