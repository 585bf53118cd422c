#include "bench/experiment.h"

#include <ctime>

#include <algorithm>
#include <numeric>
#include <random>
#include <utility>

namespace skua::bench {
namespace {

constexpr std::size_t kMostTimedCalls = 32'000'000;  // per subject: 256 MB of times

std::int64_t now_ns(clockid_t clock) noexcept {
  timespec now{};
  ::clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

Error of_subject(const Subject& subject, Error error) {
  const std::string what = error.message.empty() ? std::string(sentence_of(error.reason)) : error.message;
  error.message = "benchmark subject '" + subject.name + "': " + what;
  return error;
}

Status check_plan(std::span<const Subject> subjects, const ExperimentPlan& plan) {
  for (const Subject& subject : subjects) {
    if (subject.call) continue;
    return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                      "benchmark subject '" + subject.name + "' has no call; give it one");
  }
  const bool is_too_much = plan.calls_per_round > 0 && plan.rounds > kMostTimedCalls / plan.calls_per_round;
  if (is_too_much) {
    return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                      std::to_string(plan.rounds) + " rounds of " + std::to_string(plan.calls_per_round) +
                          " calls: every call's time is kept, at most " + std::to_string(kMostTimedCalls) +
                          "; ask for at most " + std::to_string(kMostTimedCalls / plan.calls_per_round) +
                          " rounds");
  }
  if (plan.rounds > 0 && plan.calls_per_round > 0) return {};
  return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                    "expected at least one round of at least one call, found " + std::to_string(plan.rounds) +
                        " rounds of " + std::to_string(plan.calls_per_round) + " calls; ask for more");
}

Status check_not_cancelled(const ExperimentPlan& plan) {
  if (plan.cancel_requested == nullptr || !plan.cancel_requested->load()) return {};
  return make_error(ErrorCode::kInference, Reason::kCancelled, "cancelled between two rounds");
}

/// Whether the time for further rounds is over.
class Deadline {
 public:
  explicit Deadline(double most_seconds)
      : until_ns_(now_ns(CLOCK_MONOTONIC) + static_cast<std::int64_t>(most_seconds * 1e9)),
        is_set_(most_seconds > 0.0) {}
  bool is_over(std::size_t rounds) const noexcept {
    return is_set_ && rounds >= kFewestRounds && now_ns(CLOCK_MONOTONIC) >= until_ns_;
  }

 private:
  std::int64_t until_ns_;
  bool is_set_;
};

/// Room for a turn, so that none is made between two of its calls. Doubled, and not taken for all rounds at
/// once: an experiment may be asked for more rounds than it will be let finish.
void make_room(std::vector<std::int64_t>& times, std::size_t calls) {
  if (times.capacity() - times.size() >= calls) return;
  times.reserve(std::max(times.size() + calls, 2 * times.capacity()));
}

/// The round's calls of one subject, appended to `times`. Nothing but the two clock readings stands between a
/// call and its neighbours.
Status time_turn(const Subject& subject, std::size_t calls, clockid_t clock,
                 std::vector<std::int64_t>& times) {
  make_room(times, calls);
  if (subject.before_round) {
    if (Status ready = subject.before_round(); !ready.ok())
      return of_subject(subject, std::move(ready).error());
  }
  for (std::size_t i = 0; i < calls; ++i) {
    const std::int64_t start_ns = now_ns(clock);
    Status status = subject.call();
    times.push_back(now_ns(clock) - start_ns);
    if (!status.ok()) return of_subject(subject, std::move(status).error());
  }
  return {};
}

double median_of_last(const std::vector<std::int64_t>& times, std::size_t count) {
  std::vector<double> last(times.end() - static_cast<std::ptrdiff_t>(count), times.end());
  return estimate_median(std::move(last)).median;
}

double bar_ns(const SubjectTimes& reference, double share, double floor_ns) {
  return std::max(share * estimate_median(reference.round_ns).median, floor_ns);
}

/// A draw of our own: the standard library's shuffle may differ between two of its releases.
void shuffle(std::vector<std::size_t>& order, std::mt19937_64& random) {
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random() % i]);
}

}  // namespace

Result<std::vector<SubjectTimes>> run_interleaved(std::span<const Subject> subjects,
                                                  const ExperimentPlan& plan) {
  SKUA_RETURN_IF_ERROR(check_plan(subjects, plan));
  const clockid_t clock = plan.time == TimeSource::kWall ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID;
  const Deadline deadline(plan.most_seconds);
  std::vector<SubjectTimes> times(subjects.size());
  std::vector<std::int64_t> dropped;
  for (std::size_t i = 0; i < subjects.size(); ++i) {
    times[i].name = subjects[i].name;
    SKUA_RETURN_IF_ERROR(check_not_cancelled(plan));
    if (plan.warm_up_calls > 0)
      SKUA_RETURN_IF_ERROR(time_turn(subjects[i], plan.warm_up_calls, clock, dropped));
  }
  std::vector<std::size_t> order(subjects.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::mt19937_64 random(plan.seed);
  for (std::size_t round = 0; round < plan.rounds && !deadline.is_over(round); ++round) {
    SKUA_RETURN_IF_ERROR(check_not_cancelled(plan));
    shuffle(order, random);
    for (const std::size_t i : order) {
      SKUA_RETURN_IF_ERROR(time_turn(subjects[i], plan.calls_per_round, clock, times[i].calls_ns));
      times[i].round_ns.push_back(median_of_last(times[i].calls_ns, plan.calls_per_round));
    }
  }
  return times;
}

void append_rounds(std::vector<SubjectTimes>& all, std::vector<SubjectTimes> more) {
  if (all.empty()) {
    all = std::move(more);
    return;
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i].round_ns.insert(all[i].round_ns.end(), more[i].round_ns.begin(), more[i].round_ns.end());
    all[i].calls_ns.insert(all[i].calls_ns.end(), more[i].calls_ns.begin(), more[i].calls_ns.end());
  }
}

Comparison compare(const SubjectTimes& subject, const SubjectTimes& reference) {
  return {subject.name, reference.name, estimate_ratio(subject.round_ns, reference.round_ns),
          estimate_difference(subject.round_ns, reference.round_ns)};
}

bool is_no_slower(const Comparison& comparison, const SubjectTimes& reference, double share,
                  double floor_ns) {
  return comparison.added_ns.is_bounded && comparison.added_ns.upper <= bar_ns(reference, share, floor_ns);
}

bool is_slower(const Comparison& comparison, const SubjectTimes& reference, double share, double floor_ns) {
  return comparison.added_ns.is_bounded && comparison.added_ns.lower > bar_ns(reference, share, floor_ns);
}

}  // namespace skua::bench
