// What the benchmark programs have in common: their options, how they end, and the file they leave.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "bench/bench_set.h"
#include "bench/report.h"

namespace skua::bench {

struct ProgramOptions {
  std::string set_dir, out;         ///< `out`: stem of the report, "<out>.json" and "<out>.md"
  std::vector<std::string> models;  ///< empty: all
  std::size_t rounds = 101;
  double budget_seconds = 0.0;  ///< 0: as long as the rounds take
};

/// Runs `body` and writes the report of its figures. Exit status: 0; 2 for options that are not understood; 1
/// for every error, which is told on stderr.
int run_program(int argc, const char* const* argv, const std::string& purpose,
                const std::function<void(CLI::App&)>& add_options,
                const std::function<Status(const ProgramOptions&, std::vector<Figure>&)>& body);

/// What is asked of a measured set: any size, and a signature by the key of --trust; without that option
/// unsigned sets are allowed, on the ground. Errors: the key cannot be used.
Result<GatePolicy> bench_policy();
/// For a child process, which is not given our options.
void trust_key(std::string public_key_file);
/// --trust as it was given, or empty.
const std::string& trusted_key_file() noexcept;

/// The rounds that were asked for, and no further ones after `share` of the budget.
ExperimentPlan plan_of(const ProgramOptions& options, double share = 1.0);

/// The set of `options`.
Result<BenchSet> open_bench_set(const ProgramOptions& options);

/// A network's name in a report, where those of two runtimes may stand side by side.
std::string shown_name(const EngineInfo& info);

/// Set by Ctrl-C. Whatever the body answers, a program that was cancelled leaves no report.
const std::atomic<bool>& cancel_requested() noexcept;
/// kCancelled once Ctrl-C was pressed: for loops that no ExperimentPlan runs.
Status check_not_cancelled();

/// The named models, or all of the set.
std::vector<std::string> chosen_models(const BenchSet& set, const ProgramOptions& options);

}  // namespace skua::bench
