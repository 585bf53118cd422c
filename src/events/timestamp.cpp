#include "events/timestamp.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

namespace skua {
namespace {

constexpr std::int64_t kMicrosecondsPerSecond = 1'000'000;
constexpr std::int64_t kYear0 = -62167219200;      // 0000-01-01T00:00:00Z
constexpr std::int64_t kEndOf9999 = 253402300799;  // 9999-12-31T23:59:59Z

}  // namespace

std::string iso8601_utc(std::int64_t utc_us) {
  std::int64_t seconds = utc_us / kMicrosecondsPerSecond;
  std::int64_t fraction_us = utc_us % kMicrosecondsPerSecond;
  if (fraction_us < 0) {
    fraction_us += kMicrosecondsPerSecond;
    --seconds;
  }
  const std::time_t clamped = std::clamp(seconds, kYear0, kEndOf9999);
  std::tm parts{};
  if (::gmtime_r(&clamped, &parts) == nullptr) return "1970-01-01T00:00:00.000000Z";
  std::array<char, 96> text{};
  const int length = std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ",
                                   parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                                   parts.tm_min, parts.tm_sec, static_cast<int>(fraction_us));
  return {text.data(), static_cast<std::size_t>(std::max(length, 0))};
}

std::optional<std::int64_t> parse_iso8601_utc(std::string_view text) {
  constexpr std::string_view kForm = "0000-00-00T00:00:00.000000Z";
  if (text.size() != kForm.size()) return std::nullopt;
  const auto number = [&](std::size_t at, std::size_t count) {
    int value = 0;
    for (const char digit : text.substr(at, count)) value = value * 10 + (digit - '0');
    return value;
  };
  std::tm parts{};
  parts.tm_year = number(0, 4) - 1900;
  parts.tm_mon = number(5, 2) - 1;
  parts.tm_mday = number(8, 2);
  parts.tm_hour = number(11, 2);
  parts.tm_min = number(14, 2);
  parts.tm_sec = number(17, 2);
  const std::int64_t utc_us = std::int64_t{::timegm(&parts)} * kMicrosecondsPerSecond + number(20, 6);
  // Whatever is no digit, no separator or no time of the calendar is printed differently.
  if (iso8601_utc(utc_us) != text) return std::nullopt;
  return utc_us;
}

}  // namespace skua
