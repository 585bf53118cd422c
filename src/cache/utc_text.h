// Dates in records and manifests: ISO 8601 UTC to the second, "2026-03-01T12:00:00Z".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace skua {

/// Of microseconds since 1970 (Clock::utc_us); years 1970 to 9999, anything else is held to those ends.
std::string utc_text(std::int64_t utc_us);
/// Whether `text` has exactly that form and names a day of the calendar.
bool is_utc_text(std::string_view text) noexcept;
/// Seconds since 1970 of such a text, negative before; nothing for any other text. No locale, no leap second.
std::optional<std::int64_t> utc_seconds(std::string_view text) noexcept;

}  // namespace skua
