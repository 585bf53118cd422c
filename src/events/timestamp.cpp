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

}  // namespace skua
