// The one table of event kinds: which exist, at which level, whether the flight recorder keeps them and with
// which payload keys. docs/reference/events.md says what each means; a test holds the two together.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "skua/flight_recorder.h"
#include "skua/ports.h"

namespace skua {

enum class ValueType : std::uint8_t { kInteger, kReal, kFlag, kText };

struct PayloadKey {
  std::string_view key;
  ValueType type = ValueType::kText;
};

/// What the flight recorder does with an event of a kind.
enum class Recorded : std::uint8_t {
  kByLevel,    ///< WARN and ERROR as a record of kind "log", the rest not
  kAlways,     ///< as a record of its own kind, whatever its level
  kDecodeOnly  ///< never written; a recorder file that holds one is still read
};

struct EventKind {
  std::string_view name;  ///< "c7.engine_refused"
  Level level = Level::kInfo;
  Recorded recorded = Recorded::kByLevel;
  std::span<const PayloadKey>
      keys;  ///< of its flight record; for kByLevel the usual fields of its log record
};

/// Every kind, sorted by name; "log" and "overrun", which exist in the recorder only, among them.
std::span<const EventKind> event_kinds() noexcept;
/// nullptr: no such kind.
const EventKind* find_event_kind(std::string_view name) noexcept;

/// Whether the recorder keeps an event of this kind and level. Does not allocate.
bool is_recorded(std::string_view kind, Level level) noexcept;

/// The flight record of an event: its own kind with exactly the table's keys (a field that the event lacks,
/// or has with another type, is null; a field that the table lacks is dropped), or kind "log" for a WARN or
/// ERROR of another kind. nullopt: the recorder does not keep it. An event of a kind that is not in the table
/// counts as kByLevel. Texts keep 2048 bytes, with a "..." at the end of one that was cut; `kv` and `exc` of
/// a "log" record stay JSON, without the fields that would pass that. Allocates.
std::optional<FlightRecord> flight_record_of(const Event& event, std::int64_t utc_us,
                                             std::int64_t monotonic_ns);

}  // namespace skua
