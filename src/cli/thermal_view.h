// How readings look on a terminal. Pure: text in, text out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "telemetry/monitor.h"

namespace skua {

/// A head line with source, state and age, then one line a field: name, value with unit, and the file or call
/// that it came from. `now_ns` is of the monotonic clock. With `is_coloured` values carry ANSI colour
/// sequences: red while throttled, yellow for what is offline or stale, dim for what this machine lacks.
/// Names that come from the machine are made harmless (printable_text).
std::vector<std::string> thermal_lines(const ThermalReport& report, const ThermalSource& source,
                                       std::int64_t now_ns, bool is_coloured);

}  // namespace skua
