// Runs several subjects side by side: in every round each subject once, in an order drawn anew, so that
// whatever the machine does besides is spread over all of them. Ground only; allocates and logs freely
// outside the timed calls, and nothing inside them.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/statistics.h"
#include "skua/result.h"

namespace skua::bench {

/// The fewest rounds that have bounds (statistics.h).
inline constexpr std::size_t kFewestRounds = 6;

/// One way to do the work. `call` is timed; `before_round`, which may be empty, is not. Both run on the
/// calling thread and must do the same work each time.
struct Subject {
  std::string name;
  std::function<Status()> call;
  std::function<Status()> before_round;
};

enum class TimeSource {
  kWall,       ///< CLOCK_MONOTONIC: what a caller waits
  kThreadCpu,  ///< CLOCK_THREAD_CPUTIME_ID: for one-thread work on a machine that others use, too
};

struct ExperimentPlan {
  std::size_t rounds = 31;
  std::size_t calls_per_round = 1;  ///< timed one by one; a round's figure of a subject is their median
  std::size_t warm_up_calls = 1;    ///< per subject, before the first round
  /// When above 0: once that is over and there are kFewestRounds, no further round begins. A clock that ends
  /// it knows no result, so it favours nobody.
  double most_seconds = 0.0;
  TimeSource time = TimeSource::kWall;
  std::uint64_t seed = 1;  ///< of the order within the rounds
  const std::atomic<bool>* cancel_requested = nullptr;
};

struct SubjectTimes {
  std::string name;
  std::vector<double> round_ns;        ///< one median per round
  std::vector<std::int64_t> calls_ns;  ///< every timed call
};

/// Times in the order of `subjects`. The first failing call ends it with that call's error, its subject
/// named; cancellation is kCancelled. Every timed call costs eight bytes: InvalidArgumentError for a plan of
/// more than 32 million per subject.
Result<std::vector<SubjectTimes>> run_interleaved(std::span<const Subject> subjects,
                                                  const ExperimentPlan& plan);

/// More rounds of the same subjects, put behind those of `all` (which may be empty).
void append_rounds(std::vector<SubjectTimes>& all, std::vector<SubjectTimes> more);

/// A subject held against a reference of the same experiment.
struct Comparison {
  std::string subject, reference;
  Estimate ratio;     ///< subject / reference
  Estimate added_ns;  ///< subject - reference
};
Comparison compare(const SubjectTimes& subject, const SubjectTimes& reference);

/// The bar that "no slower" means: the upper bound of the added time is at most max(share of the reference's
/// median, floor_ns). Times without bounds (fewer than six rounds) show nothing: false.
bool is_no_slower(const Comparison& comparison, const SubjectTimes& reference, double share = 0.01,
                  double floor_ns = 2000.0);
/// The other side of the same bar: even the lower bound of the added time lies beyond it. What is neither is
/// not known well enough.
bool is_slower(const Comparison& comparison, const SubjectTimes& reference, double share = 0.01,
               double floor_ns = 2000.0);

}  // namespace skua::bench
