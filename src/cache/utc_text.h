// Dates in records and manifests: ISO 8601 UTC to the second, "2026-03-01T12:00:00Z".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace skua {

/// Of microseconds since 1970 (Clock::utc_us); years 1970 to 9999, anything else is held to those ends.
std::string utc_text(std::int64_t utc_us);
/// Whether `text` has exactly that form and names a day of the calendar.
bool is_utc_text(std::string_view text) noexcept;

}  // namespace skua
