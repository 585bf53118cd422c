// What naming a calibration data set costs: `skua inspect` on its folder beside sha256sum on the same files,
// both as whole processes, and the function alone.
#include <algorithm>

#include "calibration/data_set.h"
#include "core/parallel.h"
#include "load_process.h"
#include "load_sets.h"
#include "program.h"

namespace skua::bench {
namespace {

namespace fs = std::filesystem;

constexpr double kRatio = 0.5;  // at least twice as fast

struct DataSetProgramOptions {
  std::string skua, data_set, sha256sum = "/usr/bin/sha256sum";
};

constexpr const char* kInspect = "skua inspect";
constexpr const char* kTool = "sha256sum";

std::string function_name(std::size_t workers) {
  return "read_data_set, " + std::to_string(workers) + (workers == 1 ? " worker" : " workers");
}

Status run_quietly(const std::vector<std::string>& command) {
  SKUA_ASSIGN_OR_RETURN([[maybe_unused]] const std::string text, run_process(command));
  return {};
}

Result<calibration::DataSet> read_set(const fs::path& folder, std::size_t workers) {
  SKUA_ASSIGN_OR_RETURN(const auto open, posix_file_system().open_folder(folder));
  calibration::DataSetOptions options;
  options.workers = workers;
  return calibration::read_data_set(*open, options);
}

Subject function_subject(const fs::path& folder, std::size_t workers) {
  return {function_name(workers),
          [folder, workers]() -> Status {
            SKUA_ASSIGN_OR_RETURN([[maybe_unused]] const auto set, read_set(folder, workers));
            return {};
          },
          {}};
}

/// One process over all files, as xargs would start it, without xargs.
std::vector<std::string> tool_command(const DataSetProgramOptions& options, const calibration::DataSet& set) {
  std::vector<std::string> command = {options.sha256sum, "--"};
  for (const auto& file : set.samples) command.push_back((fs::path(options.data_set) / file.name).string());
  return command;
}

/// That both do the same work: every digest of the tool's is one of ours, in our order.
Status check_same(const std::vector<std::string>& command, const calibration::DataSet& set) {
  SKUA_ASSIGN_OR_RETURN(const std::string text, run_process(command));
  std::string expected;
  for (std::size_t i = 0; i < set.samples.size(); ++i) {
    expected += set.samples[i].sha256.hex() + "  " + command[i + 2] + "\n";
  }
  if (text == expected) return {};
  return make_error(ErrorCode::kInternal, Reason::kInternal,
                    "sha256sum and skua have different digests of the same files");
}

const SubjectTimes& times_of(const std::vector<SubjectTimes>& all, const std::string& name) {
  return *std::find_if(all.begin(), all.end(), [&](const SubjectTimes& times) { return times.name == name; });
}

void add_figures(const std::vector<SubjectTimes>& all, std::vector<Figure>& figures,
                 const std::string& note) {
  const SubjectTimes& tool = times_of(all, kTool);
  for (const SubjectTimes& times : all) {
    const auto ms = [](const Estimate& ns) { return scaled(ns, 1e-6); };
    figures.push_back(figure_of("data set", times.name, "ms", ms(estimate_median(times.round_ns)), note));
    figures.push_back(
        figure_of("data set", times.name + ", p90", "ms", ms(estimate_percentile(times.round_ns, 90)), note));
    if (times.name == kTool) continue;
    const std::string name = times.name + " / " + kTool;
    const Estimate ratio = compare(times, tool).ratio;
    figures.push_back(times.name == kInspect
                          ? figure_of("data set", name, "ratio", ratio, kRatio, "whole processes, " + note)
                          : figure_of("data set", name, "ratio", ratio, note));
    figures.back().sides = sides_of(times, tool);
  }
}

Status run(const ProgramOptions& program, const DataSetProgramOptions& options,
           std::vector<Figure>& figures) {
  const fs::path folder = fs::absolute(options.data_set);
  const std::size_t cores = usable_cores();
  SKUA_ASSIGN_OR_RETURN(const calibration::DataSet set, read_set(folder, cores));
  const std::vector<std::string> tool = tool_command(options, set);
  SKUA_RETURN_IF_ERROR(check_same(tool, set));
  std::vector<Subject> subjects = {{kTool, [&] { return run_quietly(tool); }, {}},
                                   {kInspect,
                                    [&] {
                                      return run_quietly({options.skua, "inspect", folder.string()});
                                    },
                                    {}},
                                   function_subject(folder, 1)};
  if (cores > 1) subjects.push_back(function_subject(folder, cores));
  const ExperimentPlan plan = plan_of(program);
  SKUA_ASSIGN_OR_RETURN(const std::vector<SubjectTimes> times, run_interleaved(subjects, plan));
  const std::string note = std::to_string(set.samples.size()) + " files, " +
                           std::to_string(set.size_bytes >> 20U) + " MiB, warm page cache, " +
                           std::to_string(cores) + " cores";
  add_figures(times, figures, note);
  return {};
}

}  // namespace
}  // namespace skua::bench

int main(int argc, char** argv) {
  skua::bench::DataSetProgramOptions options;
  return skua::bench::run_program(
      argc, argv, "What naming a calibration data set costs beside sha256sum",
      [&](CLI::App& app) {
        app.add_option("--skua", options.skua, "the ground tool to measure")->required();
        app.add_option("--data-set", options.data_set, "folder of samples")->required();
        app.add_option("--sha256sum", options.sha256sum, "the tool to measure beside it");
      },
      [&](const auto& program, auto& figures) { return skua::bench::run(program, options, figures); });
}
