// Holds an event against the table of kinds: what src/events/event_kinds.h says of its fields.
#pragma once

#include <algorithm>
#include <string>
#include <variant>
#include <vector>

#include "events/event_kinds.h"
#include "skua/ports.h"

namespace skua::test {

inline bool has_type(const Event::Value& value, ValueType type) {
  switch (type) {
    case ValueType::kInteger:
      return std::holds_alternative<std::int64_t>(value);
    case ValueType::kReal:
      return std::holds_alternative<double>(value);
    case ValueType::kFlag:
      return std::holds_alternative<bool>(value);
    case ValueType::kText:
      break;
  }
  return std::holds_alternative<std::string>(value);
}

/// Keys of the event's row that it lacks or has with another type; its kind, where the table lacks that.
inline std::vector<std::string> missing_keys(const Event& event) {
  const EventKind* const kind = find_event_kind(event.kind);
  if (kind == nullptr) return {std::string(event.kind)};
  std::vector<std::string> missing;
  for (const PayloadKey& wanted : kind->keys) {
    const bool has_key =
        std::any_of(event.fields.begin(), event.fields.end(), [&](const Event::Field& field) {
          return field.key == wanted.key && has_type(field.value, wanted.type);
        });
    if (!has_key) missing.emplace_back(wanted.key);
  }
  return missing;
}

}  // namespace skua::test
