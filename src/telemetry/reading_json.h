// One reading as one line of JSON, as `skua thermal --watch --json` prints it and source "replay" reads it:
// docs/formats/thermal-reading.md.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "telemetry/source.h"

namespace skua {

inline constexpr std::size_t kMaxReadingLine = 65536;  ///< bytes, without the line end

struct RecordedReading {
  std::string source;
  std::int64_t measured_at_ns = 0;  ///< CLOCK_MONOTONIC of the machine that recorded
  ThermalReading reading;           ///< bit i of throttle_causes: causes[i]
  std::array<std::string, kThermalFieldCount> origins;
  std::vector<std::string> causes;  ///< at most 32
};

/// The line, without a line end; ASCII. Bytes of origins and causes that are no UTF-8 are replaced.
/// Allocates.
std::string encode_reading(const ThermalSource& source, const ThermalReading& reading,
                           std::int64_t measured_at_ns);

/// Strict: kMalformed for a key that is missing, unknown or doubled, a wrong type, a value out of its range,
/// a line that is too long. Allocates.
Result<RecordedReading> decode_reading(std::string_view line);

}  // namespace skua
