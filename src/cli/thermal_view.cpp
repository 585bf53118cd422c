#include "cli/thermal_view.h"

#include <cmath>

#include "cli/console.h"
#include "events/escape.h"

namespace skua {
namespace {

constexpr std::size_t kLabelWidth = 22;
constexpr std::size_t kValueWidth = 14;
constexpr std::string_view kRed = "\x1b[1;31m", kGreen = "\x1b[32m", kYellow = "\x1b[33m", kDim = "\x1b[2m",
                           kReset = "\x1b[0m";

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

std::string coloured(const std::string& text, std::string_view colour, bool is_coloured) {
  if (!is_coloured || colour.empty()) return text;
  return std::string(colour) + text + std::string(kReset);
}

bool is_yes_or_no(ThermalField field) {
  return field == ThermalField::kThrottle || field == ThermalField::kLimitReached;
}

std::string number_text(const ThermalFieldInfo& info, double value) {
  if (is_yes_or_no(info.field)) return value != 0.0 ? "yes" : "no";
  if (info.unit.empty()) return fixed(value, 0);
  return fixed(value, info.unit == "C" ? 1 : 0) + " " + std::string(info.unit);
}

std::string value_text(const ThermalFieldInfo& info, const FieldReading& field) {
  switch (field.status) {
    case FieldStatus::kValue:
      return number_text(info, field.value);
    case FieldStatus::kStale:
      return number_text(info, field.value) + " (stale)";
    case FieldStatus::kOffline:
      return "offline";
    case FieldStatus::kUnsupported:
      break;
  }
  return "-";
}

std::string_view colour_of(const ThermalFieldInfo& info, const FieldReading& field) {
  if (field.status == FieldStatus::kUnsupported) return kDim;
  if (field.status != FieldStatus::kValue) return kYellow;
  if (!is_yes_or_no(info.field)) return {};
  return field.value != 0.0 ? kRed : kGreen;
}

std::string_view colour_of(ThermalStatus status) {
  if (status == ThermalStatus::kThrottled) return kRed;
  return status == ThermalStatus::kNormal ? kGreen : kYellow;
}

std::string causes_text(const ThermalReading& reading, const ThermalSource& source) {
  std::string text;
  for (const std::string_view cause : causes_of(reading, source)) text += " " + std::string(cause);
  return text.empty() ? "" : "  now:" + text;
}

std::string origin_text(const ThermalFieldInfo& info, const ThermalReading& reading,
                        const ThermalSource& source) {
  const FieldReading& field = reading[info.field];
  std::string text(source.origin(info.field));
  if (field.status == FieldStatus::kUnsupported) text = "this source has none";
  if (field.status == FieldStatus::kOffline && !field.problem.empty())
    text += ": " + std::string(field.problem);
  if (info.field == ThermalField::kThrottle) text += causes_text(reading, source);
  return printable_text(text);
}

std::string age_text(std::int64_t age_ns) {
  constexpr std::int64_t kNsPerMs = 1'000'000;
  constexpr std::int64_t kMsPerSecond = 1'000;
  const std::int64_t ms = age_ns / kNsPerMs;
  if (ms < 10 * kMsPerSecond) return std::to_string(ms) + " ms ago";
  return std::to_string(ms / kMsPerSecond) + " s ago";
}

}  // namespace

std::vector<std::string> thermal_lines(const ThermalReport& report, const ThermalSource& source,
                                       std::int64_t now_ns, bool is_coloured) {
  const std::string age = report.status == ThermalStatus::kUnknown
                              ? "no reading yet"
                              : "measured " + age_text(now_ns - report.measured_at_ns);
  std::vector<std::string> lines;
  lines.push_back("thermal  " +
                  coloured(std::string(to_string(report.status)), colour_of(report.status), is_coloured) +
                  "  (source " + std::string(source.name()) + ", " + age + ")");
  for (const ThermalFieldInfo& info : thermal_field_table()) {
    const FieldReading& field = report.reading[info.field];
    lines.push_back(
        "  " + padded(std::string(info.label), kLabelWidth) +
        coloured(padded(value_text(info, field), kValueWidth), colour_of(info, field), is_coloured) + " " +
        origin_text(info, report.reading, source));
  }
  return lines;
}

}  // namespace skua
