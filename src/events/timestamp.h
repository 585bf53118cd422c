// Wall-clock time as text. Stateless.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace skua {

/// ISO 8601 in UTC with microseconds, e.g. "2026-03-01T12:00:00.000001Z", from microseconds since 1970. Times
/// outside the years 0 to 9999 are clamped to that range, so that the text always has 27 characters.
std::string iso8601_utc(std::int64_t utc_us);

/// The inverse: exactly such a text of a time that exists, else nothing.
std::optional<std::int64_t> parse_iso8601_utc(std::string_view text);

}  // namespace skua
