#include "bench/call_figures.h"

#include <algorithm>

namespace skua::bench {
namespace {

constexpr double kRoundNs = 4.0e6;  // per subject: long against a context switch, short against a disturbance
constexpr double kCpuClockFromNs = 1.0e6;
constexpr std::size_t kMostCalls = 2000;

/// How long a bound run takes about, to plan by.
Result<double> rough_time_ns(BenchedEngine& engine) {
  const Subject bound{std::string(kBoundRun), [&engine] { return engine.bound->run(); }, nullptr};
  ExperimentPlan plan;
  plan.rounds = 7;
  plan.warm_up_calls = 3;
  SKUA_ASSIGN_OR_RETURN(const auto times, run_interleaved({&bound, 1}, plan));
  return std::max(estimate_median(times.front().round_ns).median, 1.0);
}

ExperimentPlan experiment_for(double rough_ns, const RuntimeConfig& config, const EngineInfo& info) {
  ExperimentPlan plan;
  const auto calls = static_cast<std::size_t>(kRoundNs / rough_ns);
  plan.calls_per_round = std::clamp<std::size_t>(calls, 1, kMostCalls);
  plan.warm_up_calls = std::min<std::size_t>(plan.calls_per_round, 20);
  const bool is_one_thread = config.intra_op_threads == 1 && info.device == "cpu";
  if (rough_ns >= kCpuClockFromNs && is_one_thread) plan.time = TimeSource::kThreadCpu;
  return plan;
}

std::vector<Subject> chosen_subjects(InferenceRuntime& runtime, BenchedEngine& engine,
                                     const std::vector<std::string>& only) {
  std::vector<Subject> subjects = call_subjects(runtime, engine);
  const auto is_other = [&](const Subject& subject) {
    return !only.empty() && std::find(only.begin(), only.end(), subject.name) == only.end();
  };
  subjects.erase(std::remove_if(subjects.begin(), subjects.end(), is_other), subjects.end());
  return subjects;
}

bool is_narrow(const std::vector<SubjectTimes>& subjects, double half_width) {
  if (half_width <= 0.0 || subjects.size() < 2) return true;
  const Estimate ratio = compare(subjects.front(), subjects.back()).ratio;
  return ratio.is_bounded && (ratio.upper - ratio.lower) / 2.0 <= half_width;
}

}  // namespace

std::string raw_name(std::string_view variant) { return "raw " + std::string(variant); }

const SubjectTimes* CallTimes::find(std::string_view name) const noexcept {
  const auto found = std::find_if(subjects.begin(), subjects.end(),
                                  [&](const SubjectTimes& subject) { return subject.name == name; });
  return found != subjects.end() ? &*found : nullptr;
}

std::vector<Subject> call_subjects(InferenceRuntime& runtime, BenchedEngine& engine) {
  std::vector<Subject> subjects;
  subjects.push_back({std::string(kBoundRun), [&engine] { return engine.bound->run(); }, nullptr});
  subjects.push_back({std::string(kInfer),
                      [&runtime, &engine]() -> Status {
                        auto outputs = runtime.infer(engine.handle, engine.inputs);
                        if (!outputs.ok()) return std::move(outputs).error();
                        return {};
                      },
                      nullptr});
  if (engine.raw == nullptr) return subjects;
  const auto variants = engine.raw->variants();
  for (std::size_t i = 0; i < variants.size(); ++i) {
    subjects.push_back({raw_name(variants[i]), [&engine, i] { return engine.raw->run(i); }, nullptr});
  }
  return subjects;
}

Result<CallTimes> time_calls(BenchSet& set, BenchedEngine& engine, const CallPlan& plan) {
  SKUA_RETURN_IF_ERROR(check_same_results(engine));
  SKUA_ASSIGN_OR_RETURN(const double rough_ns, rough_time_ns(engine));
  const std::vector<Subject> subjects = chosen_subjects(set.runtime(), engine, plan.only);
  ExperimentPlan experiment = experiment_for(rough_ns, set.config(), engine.info);
  experiment.rounds = plan.rounds;
  experiment.cancel_requested = plan.cancel_requested;
  experiment.most_seconds = plan.budget_seconds;
  CallTimes times;
  times.time = experiment.time;
  times.calls_per_round = experiment.calls_per_round;
  const std::int64_t until_ns =
      system_clock().monotonic_ns() + static_cast<std::int64_t>(plan.most_seconds * 1e9);
  do {
    SKUA_ASSIGN_OR_RETURN(auto more, run_interleaved(subjects, experiment));
    times.rounds += more.front().round_ns.size();
    append_rounds(times.subjects, std::move(more));
    ++experiment.seed;
  } while (!is_narrow(times.subjects, plan.half_width) && system_clock().monotonic_ns() < until_ns);
  return times;
}

std::string conditions_text(const BenchSet& set, const EngineInfo& info, const CallTimes& times) {
  const int threads = set.config().intra_op_threads;
  return info.runtime_label + " " + info.sdk_version + ", device " + info.device + ", " + info.arithmetic +
         ", " + std::to_string(threads) + (threads == 1 ? " thread, " : " threads, ") +
         (times.time == TimeSource::kWall ? "wall clock, " : "thread CPU time, ") +
         std::to_string(times.rounds) + " rounds of " + std::to_string(times.calls_per_round);
}

}  // namespace skua::bench
