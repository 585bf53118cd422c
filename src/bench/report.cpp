#include "bench/report.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cmath>
#include <cstdio>

#include "cache/publish.h"
#include "core/filesystem.h"
#include "core/host_files.h"
#include "core/json_strict.h"
#include "core/parallel.h"
#include "core/text.h"
#include "inference/module_loader.h"

namespace skua::bench {
namespace {

constexpr std::size_t kHostFileLimit = std::size_t{1} << 20U;
#ifdef NDEBUG
constexpr std::string_view kAssertions = "off";
#else
constexpr std::string_view kAssertions = "on";
#endif
#ifdef __OPTIMIZE__
constexpr std::string_view kOptimiser = "on";
#else
constexpr std::string_view kOptimiser = "off";
#endif

/// The value of the first line "key : value" (the key ends at a colon, a space or a tab); empty when none is
/// there.
std::string value_of(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || trimmed(line.substr(0, colon)) != key) continue;
    return std::string(trimmed(line.substr(colon + 1)));
  }
  return {};
}

std::string kernel_text() {
  utsname name{};
  if (::uname(&name) != 0) return {};
  return std::string(name.sysname) + " " + name.release + " " + name.machine;
}

std::string host_line(const std::filesystem::path& file) {
  return std::string(trimmed(read_host_file(file, kHostFileLimit)));
}

std::string cpu_model() {
  const std::string text = read_host_file("/proc/cpuinfo", kHostFileLimit);
  // "model name" on x86; ARM kernels print a part number instead.
  const std::string model = value_of(text, "model name");
  return model.empty() ? value_of(text, "CPU part") : model;
}

std::string_view verdict_text(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::kReached:
      return "reached";
    case Verdict::kNotReached:
      return "not reached";
    case Verdict::kNoBar:
      break;
  }
  return "";
}

/// Text for one cell: a bar or a line's end would break the table.
std::string cell(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    if (c == '|') safe += '\\';
    safe += c == '\n' || c == '\r' ? ' ' : c;
  }
  return safe;
}

std::string bounds_text(const Estimate& value) {
  if (value.count <= 1) return "";
  const std::string range = number_text(value.lower) + " to " + number_text(value.upper);
  return value.is_bounded ? range : range + " (range of " + std::to_string(value.count) + ")";
}

std::string row_of(const Figure& figure) {
  std::string row;
  for (const std::string& text :
       {figure.name, number_text(figure.value.median) + " " + figure.unit, bounds_text(figure.value),
        figure.asked, std::string(verdict_text(figure.verdict)), figure.note}) {
    row += "| " + cell(text) + " ";
  }
  return row + "|\n";
}

Json side_json(const Side& side) {
  return {{"name", side.name},           {"count", side.times.count},   {"p50_us", side.times.p50_us},
          {"p95_us", side.times.p95_us}, {"p99_us", side.times.p99_us}, {"max_us", side.times.max_us}};
}

Json sides_json(const std::optional<Sides>& sides) {
  if (!sides) return nullptr;
  return {{"subject", side_json(sides->subject)}, {"reference", side_json(sides->reference)}};
}

Json figure_json(const Figure& figure) {
  return {{"group", figure.group},
          {"name", figure.name},
          {"unit", figure.unit},
          {"value", figure.value.median},
          {"lower", figure.value.lower},
          {"upper", figure.value.upper},
          {"is_bounded", figure.value.is_bounded},
          {"count", figure.value.count},
          {"asked", figure.asked},
          {"verdict", figure.verdict == Verdict::kNoBar ? Json(nullptr) : Json(verdict_text(figure.verdict))},
          {"note", figure.note},
          {"sides", sides_json(figure.sides)}};
}

Side side_from(ObjectReader& both, std::string_view key) {
  ObjectReader reader(both.object(key), both.path_of(key));
  Side side;
  side.name = reader.text("name");
  side.times.count = static_cast<std::size_t>(reader.unsigned_integer("count"));
  side.times.p50_us = reader.number("p50_us");
  side.times.p95_us = reader.number("p95_us");
  side.times.p99_us = reader.number("p99_us");
  side.times.max_us = reader.number("max_us");
  if (const Status whole = reader.finish(); !whole.ok()) both.fail(whole.error());
  return side;
}

std::optional<Sides> sides_from(ObjectReader& figure) {
  const Json* const found = figure.optional("sides");
  if (found == nullptr) return std::nullopt;
  ObjectReader reader(*found, figure.path_of("sides"));
  Sides sides;
  sides.subject = side_from(reader, "subject");
  sides.reference = side_from(reader, "reference");
  if (const Status whole = reader.finish(); !whole.ok()) figure.fail(whole.error());
  return sides;
}

/// Figures without a number (a division by nothing) are null in JSON.
double number_of(ObjectReader& reader, std::string_view key) {
  return reader.optional(key) != nullptr ? reader.number(key) : std::nan("");
}

Verdict verdict_from(ObjectReader& reader) {
  if (reader.optional("verdict") == nullptr) return Verdict::kNoBar;
  const std::string text = reader.text("verdict");
  if (text == verdict_text(Verdict::kReached)) return Verdict::kReached;
  if (text != verdict_text(Verdict::kNotReached))
    reader.fail("verdict", "reached, not reached or null", text);
  return Verdict::kNotReached;
}

Result<Figure> figure_from_json(const Json& json, const std::string& path) {
  ObjectReader reader(json, path);
  Figure figure;
  figure.group = reader.text("group");
  figure.name = reader.text("name");
  figure.unit = reader.text("unit");
  figure.value = {number_of(reader, "value"), number_of(reader, "lower"), number_of(reader, "upper"),
                  static_cast<std::size_t>(reader.unsigned_integer("count")), reader.boolean("is_bounded")};
  figure.asked = reader.text("asked");
  figure.verdict = verdict_from(reader);
  figure.note = reader.text("note");
  figure.sides = sides_from(reader);
  SKUA_RETURN_IF_ERROR(reader.finish());
  return figure;
}

std::string machine_lines(const Json& machine) {
  std::string lines;
  for (const auto& [key, value] : machine.items()) {
    lines += "- " + key + ": " + cell(value.is_string() ? value.get<std::string>() : value.dump()) + "\n";
  }
  return lines;
}

Status publish_text(Folder& folder, const std::string& name, const std::string& text) {
  return publish_file(folder, name, std::as_bytes(std::span(text)));
}

}  // namespace

Sides sides_of(const SubjectTimes& subject, const SubjectTimes& reference) {
  Sides sides;  // member by member: g++ 11 leaks of a braced list whose later part throws
  sides.subject.name = subject.name;
  sides.subject.times = percentiles_of(subject.calls_ns);
  sides.reference.name = reference.name;
  sides.reference.times = percentiles_of(reference.calls_ns);
  return sides;
}

Side side_of(std::string name, const std::vector<double>& times_ns) {
  std::vector<std::int64_t> whole;
  for (const double time_ns : times_ns) whole.push_back(std::llround(time_ns));
  Side side;
  side.name = std::move(name);
  side.times = percentiles_of(std::move(whole));
  return side;
}

Json describe_machine(const Json& extra) {
  Json machine = {{"cpu", cpu_model()},
                  {"cores_usable", usable_cores()},
                  {"memory", value_of(read_host_file("/proc/meminfo", kHostFileLimit), "MemTotal")},
                  {"kernel", kernel_text()},
                  {"huge_pages", host_line("/sys/kernel/mm/transparent_hugepage/enabled")},
                  {"load_average", host_line("/proc/loadavg")},
                  {"compiler", "g++ " __VERSION__},
                  {"optimiser", kOptimiser},
                  {"assertions", kAssertions},
                  {"build_id", build_id()}};
  if (extra.is_object()) machine.update(extra);
  return machine;
}

std::string number_text(double value) {
  if (!std::isfinite(value)) return "-";
  const double size = std::fabs(value);
  const int digits = size >= 1000.0 ? 0 : size >= 100.0 ? 1 : size >= 10.0 ? 2 : 3;
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}

Json to_json(const Report& report) {
  Json figures = Json::array();
  for (const Figure& figure : report.figures) figures.push_back(figure_json(figure));
  return {{"schema_version", 1U}, {"machine", report.machine}, {"figures", std::move(figures)}};
}

Result<Report> report_from_json(const Json& json) {
  constexpr std::size_t kMostFigures = 10000;
  ObjectReader reader(json, "");
  Report report;
  if (reader.unsigned_integer("schema_version") != 1) reader.fail("schema_version", "1", "another one");
  report.machine = reader.object("machine");
  const auto figures = reader.array("figures", kMostFigures);
  for (std::size_t i = 0; i < figures.size(); ++i) {
    auto figure = figure_from_json(*figures[i], "figures[" + std::to_string(i) + "]");
    if (!figure.ok()) return std::move(figure).error();
    report.figures.push_back(*std::move(figure));
  }
  SKUA_RETURN_IF_ERROR(reader.finish());
  return report;
}

std::string to_markdown(const Report& report) {
  std::string text = machine_lines(report.machine);
  std::string group;
  for (const Figure& figure : report.figures) {
    if (figure.group != group) {
      group = figure.group;
      text += "\n## " + group +
              "\n\n| figure | median | 95 % bounds | asked | verdict | note |\n|---|---|---|---|---|---|\n";
    }
    text += row_of(figure);
  }
  return text;
}

Status write_report(const Report& report, const std::filesystem::path& stem) {
  const std::filesystem::path parent = stem.has_parent_path() ? stem.parent_path() : ".";
  SKUA_ASSIGN_OR_RETURN(const auto folder, posix_file_system().open_folder(parent));
  const std::string name = stem.filename().string();
  SKUA_RETURN_IF_ERROR(publish_text(*folder, name + ".json", to_json(report).dump(2) + "\n"));
  return publish_text(*folder, name + ".md", to_markdown(report));
}

}  // namespace skua::bench
