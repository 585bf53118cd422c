#include "bench/control.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

namespace skua::bench {
namespace {

constexpr double kShortestNs = 1.0e6;
constexpr std::size_t kBase = 0, kSame = 1, kInjected = 2;

/// Steps that the compiler can neither skip nor shorten, and that touch no memory.
void spin(std::uint64_t steps) noexcept {
  std::uint64_t state = 88172645463325252U;
  for (std::uint64_t i = 0; i < steps; ++i) {
    state ^= state << 13U;
    state ^= state >> 7U;
    state ^= state << 17U;
    asm volatile("" : "+r"(state));
  }
}

Result<double> thread_time_ns(const std::function<Status()>& call) {
  const Subject subject{"control", call, nullptr};
  ExperimentPlan plan;
  plan.rounds = 21;
  plan.warm_up_calls = 2;
  plan.time = TimeSource::kThreadCpu;
  SKUA_ASSIGN_OR_RETURN(const auto times, run_interleaved({&subject, 1}, plan));
  return std::max(estimate_median(times.front().round_ns).median, 1.0);
}

std::function<Status()> repeated(const std::function<Status()>& call, std::size_t times) {
  return [call, times]() -> Status {
    for (std::size_t i = 0; i < times; ++i) SKUA_RETURN_IF_ERROR(call());
    return {};
  };
}

Result<double> ns_per_step() {
  constexpr std::uint64_t kSteps = 200000;
  SKUA_ASSIGN_OR_RETURN(const double ns, thread_time_ns([]() -> Status {
                          spin(kSteps);
                          return {};
                        }));
  return ns / static_cast<double>(kSteps);
}

void judge(const std::vector<SubjectTimes>& times, ControlOutcome& outcome) {
  const SubjectTimes& base = times[kBase];
  const Comparison same = compare(times[kSame], base);
  const Comparison injected = compare(times[kInjected], base);
  outcome.same = same.ratio;
  outcome.injected = injected.ratio;
  outcome.is_same_passed = is_no_slower(same, base);
  outcome.is_injected_caught = is_slower(injected, base);
}

bool is_known_within(const Estimate& ratio, double half_width) noexcept {
  return ratio.is_bounded && (ratio.upper - ratio.lower) / 2.0 <= half_width;
}

}  // namespace

Result<ControlOutcome> run_control(const std::function<Status()>& call, const ControlPlan& plan) {
  SKUA_ASSIGN_OR_RETURN(const double once_ns, thread_time_ns(call));
  const auto repeats = static_cast<std::size_t>(std::ceil(std::max(kShortestNs / once_ns, 1.0)));
  const std::function<Status()> base = repeats == 1 ? call : repeated(call, repeats);
  SKUA_ASSIGN_OR_RETURN(const double base_ns, thread_time_ns(base));
  SKUA_ASSIGN_OR_RETURN(const double step_ns, ns_per_step());
  const auto steps = static_cast<std::uint64_t>(plan.injected_share * base_ns / step_ns);
  const auto slowed = [&base, steps]() -> Status {
    SKUA_RETURN_IF_ERROR(base());
    spin(steps);
    return {};
  };
  const std::array<Subject, 3> subjects = {Subject{"control", base, nullptr},
                                           Subject{"control again", base, nullptr},
                                           Subject{"control, injected", slowed, nullptr}};
  ExperimentPlan experiment;
  experiment.rounds = plan.rounds;
  experiment.time = plan.time;
  experiment.cancel_requested = plan.cancel_requested;
  const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(plan.most_seconds);
  std::vector<SubjectTimes> times;
  ControlOutcome outcome;
  do {
    SKUA_ASSIGN_OR_RETURN(auto more, run_interleaved(subjects, experiment));
    append_rounds(times, std::move(more));
    ++experiment.seed;
    judge(times, outcome);
  } while ((!is_known_within(outcome.same, plan.half_width) ||
            !is_known_within(outcome.injected, plan.half_width)) &&
           std::chrono::steady_clock::now() < until);
  outcome.rounds = times.front().round_ns.size();
  return outcome;
}

std::string complaint_of(const ControlOutcome& outcome) {
  if (outcome.holds()) return "";
  const std::string what = !outcome.is_injected_caught ? "an injected cost was not told from none"
                                                       : "a call was not shown to be as fast as itself";
  return what + " (ratio " + std::to_string(outcome.injected.median) + " with it, " +
         std::to_string(outcome.same.median) + " without, after " + std::to_string(outcome.rounds) +
         " rounds); no figure of this run can be trusted: quieten the machine and run again";
}

}  // namespace skua::bench
