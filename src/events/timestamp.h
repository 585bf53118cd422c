// Wall-clock time as text. Stateless.
#pragma once

#include <cstdint>
#include <string>

namespace skua {

/// ISO 8601 in UTC with microseconds, e.g. "2026-03-01T12:00:00.000001Z", from microseconds since 1970. Times
/// outside the years 0 to 9999 are clamped to that range, so that the text always has 27 characters.
std::string iso8601_utc(std::int64_t utc_us);

}  // namespace skua
