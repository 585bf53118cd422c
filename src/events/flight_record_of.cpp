#include <algorithm>
#include <utility>

#include "events/escape.h"
#include "events/event_kinds.h"
#include "events/log_record.h"

namespace skua {
namespace {

using Value = FlightRecord::Value;

/// At most kLogTextLimit bytes, so that the record's encoder never cuts it again; what was cut, between two
/// UTF-8 characters, ends in "...".
std::string bounded(std::string_view text) {
  constexpr std::string_view kMark = "...";
  constexpr int kLongestCharacter = 4;
  if (text.size() <= kLogTextLimit) return std::string(text);
  std::size_t length = kLogTextLimit - kMark.size();
  for (int i = 1; i < kLongestCharacter && (static_cast<unsigned char>(text[length]) & 0xC0U) == 0x80U; ++i) {
    --length;
  }
  return std::string(text.substr(0, length)).append(kMark);
}

template <typename T>
Value value_as(const Event::Value& value) {
  const auto* const held = std::get_if<T>(&value);
  return held != nullptr ? Value(*held) : Value();
}

Value value_of(const Event& event, const PayloadKey& wanted) {
  const auto found = std::find_if(event.fields.begin(), event.fields.end(),
                                  [&](const Event::Field& field) { return field.key == wanted.key; });
  if (found == event.fields.end()) return {};
  switch (wanted.type) {
    case ValueType::kInteger:
      return value_as<std::int64_t>(found->value);
    case ValueType::kReal:
      return value_as<double>(found->value);
    case ValueType::kFlag:
      return value_as<bool>(found->value);
    case ValueType::kText:
      break;
  }
  const auto* const text = std::get_if<std::string>(&found->value);
  return text != nullptr ? Value(bounded(*text)) : Value();
}

FlightRecord own_record(const Event& event, const EventKind& kind) {
  FlightRecord record;
  record.kind = kind.name;
  for (const PayloadKey& key : kind.keys) record.payload.emplace_back(key.key, value_of(event, key));
  return record;
}

FlightRecord log_record(const Event& event) {
  FlightRecord record;
  record.kind = "log";
  const auto add = [&record](const char* key, Value value) {
    record.payload.emplace_back(key, std::move(value));
  };
  Value frame;
  if (const auto id = frame_id_of(event)) frame = *id;
  add("level", std::string(to_string(event.level)));
  add("log_kind", bounded(event.kind));
  add("frame_id", std::move(frame));
  add("msg", bounded(event.message));
  add("kv", kv_json(event, kLogTextLimit));
  add("exc", exc_json(event, kLogTextLimit));
  return record;
}

}  // namespace

std::optional<FlightRecord> flight_record_of(const Event& event, std::int64_t utc_us,
                                             std::int64_t monotonic_ns) {
  if (!is_recorded(event.kind, event.level)) return std::nullopt;
  const EventKind* const kind = find_event_kind(event.kind);
  const bool is_own = kind != nullptr && kind->recorded == Recorded::kAlways;
  FlightRecord record = is_own ? own_record(event, *kind) : log_record(event);
  record.utc_us = utc_us;
  record.monotonic_ns = monotonic_ns;
  return record;
}

bool is_recorded(std::string_view kind, Level level) noexcept {
  const EventKind* const found = find_event_kind(kind);
  const Recorded recorded = found != nullptr ? found->recorded : Recorded::kByLevel;
  if (recorded == Recorded::kByLevel) return level >= Level::kWarn;
  return recorded == Recorded::kAlways;
}

}  // namespace skua
