// How docs/reference/events.md calls what the table of event kinds says.
#pragma once

#include <string_view>

#include "events/event_kinds.h"

namespace skua::test {

inline std::string_view name_of(ValueType type) {
  switch (type) {
    case ValueType::kInteger:
      return "integer";
    case ValueType::kReal:
      return "real";
    case ValueType::kFlag:
      return "flag";
    case ValueType::kText:
      break;
  }
  return "text";
}

inline std::string_view name_of(Recorded recorded) {
  switch (recorded) {
    case Recorded::kAlways:
      return "always";
    case Recorded::kDecodeOnly:
      return "decoded only";
    case Recorded::kByLevel:
      break;
  }
  return "by level";
}

}  // namespace skua::test
