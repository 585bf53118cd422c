// What a benchmark leaves: one JSON document and one Markdown table, both with the machine and the software
// that the figures were taken on. A figure without these is not a figure.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "bench/experiment.h"
#include "core/json_strict.h"  // a report holds JSON by value

namespace skua::bench {

/// How a figure stands to the bar that was asked of it.
enum class Verdict { kReached, kNotReached, kNoBar };

/// One of the two that a figure compares, with all its times.
struct Side {
  std::string name;
  Percentiles times;
};
struct Sides {
  Side subject, reference;
};
Sides sides_of(const SubjectTimes& subject, const SubjectTimes& reference);
/// Of times that no experiment took.
Side side_of(std::string name, const std::vector<double>& times_ns);

/// One line of the table. `value` is the figure with its bounds where it has them.
struct Figure {
  std::string group;  ///< "call", "load", "verify", "growth", ...
  std::string name;   ///< what was measured, of which network
  std::string unit;   ///< "ratio", "us", "MiB", "count", "exponent"
  Estimate value;
  std::string asked;  ///< the bar in words, "" when there is none
  Verdict verdict = Verdict::kNoBar;
  std::string note;  ///< device, arithmetic, threads, percentiles: what this line needs to be read rightly
  std::optional<Sides> sides = std::nullopt;  ///< of a comparison of times
};

struct Report {  // NOLINT(bugprone-exception-escape): the JSON type's move checks itself
  Json machine;  ///< from describe_machine
  std::vector<Figure> figures;
};

/// CPU model, cores usable, memory, kernel, huge pages, load average, compiler and build type, Skua's build
/// id, and what `extra` adds (SDK versions, threads, commit).
Json describe_machine(const Json& extra);

/// At least three significant digits, or "-" for what is no number.
std::string number_text(double value);

Json to_json(const Report& report);
/// Reads back what to_json wrote; for joining the reports of several programs. InvalidArgumentError naming
/// the field.
Result<Report> report_from_json(const Json& json);
std::string to_markdown(const Report& report);
/// Writes <stem>.json and <stem>.md, each by temporary file and rename.
Status write_report(const Report& report, const std::filesystem::path& stem);

}  // namespace skua::bench
