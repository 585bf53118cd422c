#include "bench/control.h"

#include <ctime>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

namespace skua::bench {
namespace {

constexpr double kShortestNs = 1.0e6;
constexpr std::size_t kBase = 0, kSame = 1, kInjected = 2;

std::int64_t now_ns(TimeSource time) noexcept {
  timespec now{};
  ::clock_gettime(time == TimeSource::kWall ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &now);
  return std::int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

/// `call`, and then nothing for `share` of the time that it has just taken, by the clock that the control is
/// timed with. A cost that was measured beforehand would not do: how long call and busy loop take depends on
/// who else is on the core, and 2 % became anything from 1.3 to 3.8.
Status slowed(const std::function<Status()>& call, double share, TimeSource time) {
  if (share <= 0.0) return call();  // reading the clocks costs a few tenths of a per cent
  const std::int64_t start_ns = now_ns(time);
  SKUA_RETURN_IF_ERROR(call());
  const std::int64_t end_ns = now_ns(time);
  const auto until_ns = end_ns + static_cast<std::int64_t>(share * static_cast<double>(end_ns - start_ns));
  while (now_ns(time) < until_ns) {
  }
  return {};
}

Result<double> time_of(const std::function<Status()>& call, TimeSource time) {
  const Subject subject{"control", call, nullptr};
  ExperimentPlan plan;
  plan.rounds = 21;
  plan.warm_up_calls = 2;
  plan.time = time;
  SKUA_ASSIGN_OR_RETURN(const auto times, run_interleaved({&subject, 1}, plan));
  return std::max(estimate_median(times.front().round_ns).median, 1.0);
}

std::function<Status()> repeated(const std::function<Status()>& call, std::size_t times) {
  return [call, times]() -> Status {
    for (std::size_t i = 0; i < times; ++i) SKUA_RETURN_IF_ERROR(call());
    return {};
  };
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
  SKUA_ASSIGN_OR_RETURN(const double once_ns, time_of(call, plan.time));
  const auto repeats = static_cast<std::size_t>(std::ceil(std::max(kShortestNs / once_ns, 1.0)));
  const std::function<Status()> base = repeats == 1 ? call : repeated(call, repeats);
  const auto injected = [&base, &plan] { return slowed(base, plan.injected_share, plan.time); };
  const std::array<Subject, 3> subjects = {Subject{"control", base, nullptr},
                                           Subject{"control again", base, nullptr},
                                           Subject{"control, injected", injected, nullptr}};
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
