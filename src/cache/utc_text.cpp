#include "cache/utc_text.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

namespace skua {
namespace {

constexpr std::string_view kForm = "dddd-dd-ddTdd:dd:ddZ";
constexpr std::int64_t kLastSecond = 253402300799;  // 9999-12-31T23:59:59Z

bool has_form(std::string_view text) noexcept {
  if (text.size() != kForm.size()) return false;
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    const bool is_right = kForm[i] == 'd' ? (text[i] >= '0' && text[i] <= '9') : text[i] == kForm[i];
    if (!is_right) return false;
  }
  return true;
}

unsigned number_at(std::string_view text, std::size_t offset, std::size_t digits) noexcept {
  unsigned value = 0;
  for (std::size_t i = 0; i < digits; ++i) value = value * 10 + static_cast<unsigned>(text[offset + i] - '0');
  return value;
}

}  // namespace

std::string utc_text(std::int64_t utc_us) {
  namespace chrono = std::chrono;
  const std::int64_t second = std::clamp<std::int64_t>(utc_us / 1000000, 0, kLastSecond);
  const chrono::sys_seconds time{chrono::seconds(second)};
  const auto midnight = chrono::floor<chrono::days>(time);
  const chrono::year_month_day day(midnight);
  const std::int64_t rest = (time - midnight).count();
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(day.year()),
                static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()),
                static_cast<int>(rest / 3600), static_cast<int>(rest / 60 % 60), static_cast<int>(rest % 60));
  return text.data();
}

std::optional<std::int64_t> utc_seconds(std::string_view text) noexcept {
  namespace chrono = std::chrono;
  if (!has_form(text)) return std::nullopt;
  const chrono::year_month_day day(chrono::year(static_cast<int>(number_at(text, 0, 4))),
                                   chrono::month(number_at(text, 5, 2)), chrono::day(number_at(text, 8, 2)));
  const unsigned hour = number_at(text, 11, 2), minute = number_at(text, 14, 2);
  const unsigned second = number_at(text, 17, 2);
  if (!day.ok() || hour > 23 || minute > 59 || second > 59) return std::nullopt;
  const std::int64_t days = chrono::sys_days(day).time_since_epoch().count();
  return days * 86400 + std::int64_t{hour * 3600 + minute * 60 + second};
}

bool is_utc_text(std::string_view text) noexcept { return utc_seconds(text).has_value(); }

}  // namespace skua
