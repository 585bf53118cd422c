// From the start of a process to a flight set whose engines are all resident, warm and proven, against what
// no loader on this machine can be quicker than: each round is a fresh process of the airborne role.
#include <cstdio>
#include <filesystem>
#include <sstream>

#include "bench/statistics.h"
#include "core/parallel.h"
#include "load_process.h"
#include "load_sets.h"
#include "program.h"
#include "skua/runtime_factory.h"

namespace skua::bench {
namespace {

namespace fs = std::filesystem;

constexpr double kBar = 1.15;

double now_ns() { return static_cast<double>(system_clock().monotonic_ns()); }

/// One engine's steps, in ns; one value per round.
struct EngineSteps {
  std::string model;
  double mib = 0.0;
  std::vector<double> verify, deserialize, warm_up, golden, whole;
};

/// One value per round, in ns. `sum` is that over the engines divided by the cores, `largest` the slowest
/// one.
struct Rounds {
  std::string label;
  std::vector<double> start, load, hash, sum, largest, bound;
  std::vector<EngineSteps> engines;
};

/// What a child writes: the label, when it was ready, how long the load took, how long hashing takes, then
/// one line per engine.
void print(const InferenceRuntime& runtime, const EngineSet& set, double ready_ns, double hash_ns) {
  std::printf("%s %.0f %lld %.0f\n", std::string(runtime.current_runtime_label()).c_str(), ready_ns,
              static_cast<long long>(set.total_ns), hash_ns);
  for (const EngineLoadTimes& times : set.times) {
    std::printf("%s %llu %lld %lld %lld %lld\n", times.model.c_str(),
                static_cast<unsigned long long>(times.size_bytes), static_cast<long long>(times.verify_ns),
                static_cast<long long>(times.deserialize_ns), static_cast<long long>(times.warm_up_ns),
                static_cast<long long>(times.golden_ns));
  }
}

/// Hashing alone is measured afterwards, in the same process, by a thread for every core.
Status take_off_as_child(const fs::path& set_dir) {
  SKUA_ASSIGN_OR_RETURN(RuntimeEnvironment environment, bench_environment(set_dir));
  environment.role = Role::kAirborne;
  std::unique_ptr<InferenceRuntime> runtime;
  SKUA_ASSIGN_OR_RETURN(const EngineSet set, load_whole(set_dir, std::move(environment), runtime));
  const double ready_ns = now_ns();
  SKUA_RETURN_IF_ERROR(verify_into_memory(set_dir, usable_cores()));
  print(*runtime, set, ready_ns, now_ns() - ready_ns);
  return {};
}

Error not_understood(const std::string& text) {
  return make_error(ErrorCode::kInternal, Reason::kInternal,
                    "a take-off's figures are not understood: " + text);
}

/// Takes one round in; engines come in the same order every time.
Status take_in(const std::string& text, double started_ns, Rounds& rounds) {
  std::istringstream stream(text);
  double ready_ns = 0.0, load_ns = 0.0, hash_ns = 0.0;
  if (!(stream >> rounds.label >> ready_ns >> load_ns >> hash_ns)) return not_understood(text);
  double sum = 0.0, largest = 0.0, bytes = 0.0, verify = 0.0, deserialize = 0.0, warm_up = 0.0, golden = 0.0;
  std::string model;
  for (std::size_t i = 0; stream >> model >> bytes >> verify >> deserialize >> warm_up >> golden; ++i) {
    if (i == rounds.engines.size())
      rounds.engines.push_back({model, bytes / (1U << 20U), {}, {}, {}, {}, {}});
    EngineSteps& engine = rounds.engines[i];
    if (engine.model != model) return not_understood(text);
    const double whole = verify + deserialize + warm_up + golden;
    engine.verify.push_back(verify), engine.deserialize.push_back(deserialize);
    engine.warm_up.push_back(warm_up), engine.golden.push_back(golden), engine.whole.push_back(whole);
    sum += whole;
    largest = std::max(largest, whole);
  }
  if (rounds.engines.empty()) return not_understood(text);
  rounds.start.push_back(ready_ns - started_ns), rounds.load.push_back(load_ns);
  rounds.hash.push_back(hash_ns), rounds.largest.push_back(largest);
  rounds.sum.push_back(sum / static_cast<double>(usable_cores()));
  rounds.bound.push_back(std::max({rounds.hash.back(), rounds.sum.back(), largest}));
  return {};
}

Result<Rounds> measure(const fs::path& set_dir, const ProgramOptions& options) {
  const std::string self = fs::read_symlink("/proc/self/exe").string();
  Rounds rounds;
  const double until_ns = now_ns() + options.budget_seconds * 1e9;
  for (std::size_t i = 0; i < options.rounds; ++i) {
    SKUA_RETURN_IF_ERROR(check_not_cancelled());
    if (options.budget_seconds > 0.0 && i >= kFewestRounds && now_ns() > until_ns) break;
    const double started_ns = now_ns();
    SKUA_ASSIGN_OR_RETURN(const std::string text,
                          run_process({self, "--child", set_dir.string(), trusted_key_file()}));
    SKUA_RETURN_IF_ERROR(take_in(text, started_ns, rounds));
  }
  return rounds;
}

Estimate in_ms(const std::vector<double>& times_ns) { return scaled(estimate_median(times_ns), 1e-6); }

std::string ms_text(const std::vector<double>& times_ns) { return number_text(in_ms(times_ns).median); }

void engine_figures(const Rounds& rounds, std::vector<Figure>& figures) {
  for (const EngineSteps& engine : rounds.engines) {
    figures.push_back(
        figure_of("takeoff", rounds.label + ", " + engine.model + ": all steps", "ms", in_ms(engine.whole),
                  number_text(engine.mib) + " MiB; verify " + ms_text(engine.verify) + ", deserialize " +
                      ms_text(engine.deserialize) + ", warm-up " + ms_text(engine.warm_up) + ", golden run " +
                      ms_text(engine.golden) + "; beside another engine's"));
  }
}

void set_figures(const Rounds& rounds, std::vector<Figure>& figures) {
  const auto add = [&](const std::string& name, const std::vector<double>& times_ns,
                       const std::string& note) {
    figures.push_back(figure_of("takeoff", rounds.label + ": " + name, "ms", in_ms(times_ns), note));
  };
  const std::string cores = std::to_string(usable_cores());
  const std::string at_once =
      std::to_string(std::min<std::size_t>(usable_cores(), 4)) +
      " engines at once from reading to golden run, then the warm-ups, the longest first";
  const std::string terms = "max of the three lines below; ";
  figures.push_back(figure_of("takeoff", rounds.label + ": start of the process to all engines warm / bound",
                              "ratio", estimate_ratio(rounds.start, rounds.bound), kBar, terms + at_once));
  figures.back().sides = {side_of("start to all engines warm", rounds.start), side_of("bound", rounds.bound)};
  figures.push_back(figure_of("takeoff", rounds.label + ": load of the set / bound", "ratio",
                              estimate_ratio(rounds.load, rounds.bound), terms + at_once));
  figures.back().sides = {side_of("load of the set", rounds.load), side_of("bound", rounds.bound)};
  add("bound: hashing alone", rounds.hash,
      cores + " threads, into private memory, in the same process after");
  add("bound: sum over engines / cores", rounds.sum, cores + " cores; all four steps of each engine");
  add("bound: largest single engine", rounds.largest, "all four steps");
  add("start of the process to all engines warm", rounds.start, "whole process, page cache warm");
  add("load of the set", rounds.load, "set gate, small files, engines");
}

Status run(const ProgramOptions& options, std::vector<Figure>& figures) {
  const fs::path set_dir = fs::absolute(options.set_dir);
  SKUA_RETURN_IF_ERROR(verify_into_memory(set_dir, usable_cores()));  // warms the page cache
  SKUA_ASSIGN_OR_RETURN(const Rounds rounds, measure(set_dir, options));
  set_figures(rounds, figures);
  engine_figures(rounds, figures);
  return {};
}

}  // namespace
}  // namespace skua::bench

int main(int argc, char** argv) {
  // A child takes off once and leaves no report.
  if (argc == 4 && std::string(argv[1]) == "--child") {
    skua::bench::trust_key(argv[3]);
    const skua::Status done = skua::bench::take_off_as_child(argv[2]);
    if (!done.ok()) std::fprintf(stderr, "%s\n", done.error().describe().c_str());
    return done.ok() ? 0 : 1;
  }
  return skua::bench::run_program(
      argc, argv, "From the start of a process to all engines of a set warm", [](CLI::App&) {},
      skua::bench::run);
}
