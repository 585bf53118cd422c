#include "inference/lightglue_timing.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "inference/lightglue_samples.h"
#include "skua/ports.h"

namespace skua::lightglue {
namespace {

constexpr std::array<BatchMode, 3> kModes = {BatchMode::kOneLane, BatchMode::kLanes, BatchMode::kBatched};
constexpr std::int64_t kOneLaneHandicap = 20;  // one part in so many
constexpr float kScoreTolerance = 1e-3F;
// libtorch compiles a graph anew at its second run on a shape; the first round may hold one run of it.
constexpr std::size_t kUntimedRounds = 2;
/// A take-off does not wait for a better median: no round is begun after this, once there is one.
constexpr std::int64_t kLongestContestNs = 2'000'000'000;

bool is_near(float one, float other) noexcept {
  return one == other || std::fabs(one - other) <= kScoreTolerance || (std::isnan(one) && std::isnan(other));
}

/// Samples, and the memory for the answers to them.
struct Batch {
  SamplePairs samples;
  std::vector<CorrespondenceSet> out;
  std::vector<Status> status;

  PairSpans spans() { return {samples.firsts(), samples.seconds(), out, status}; }
};

Result<Batch> make_batch(const Contract& contract, std::size_t pairs) {
  SKUA_ASSIGN_OR_RETURN(SamplePairs samples, SamplePairs::make(contract, pairs));
  Batch batch{std::move(samples), std::vector<CorrespondenceSet>(pairs), {}};
  batch.status.resize(pairs);
  return batch;
}

/// What the first failed pair said.
Status first_failure(const std::vector<Status>& status) {
  const auto failed = std::find_if(status.begin(), status.end(), [](const Status& one) { return !one.ok(); });
  return failed == status.end() ? Status() : *failed;
}

/// One mode in the contest.
struct Entrant {
  BatchMode mode;
  bool is_in = true;
  std::vector<std::int64_t> times_ns;
};

std::int64_t median_of(std::vector<std::int64_t> times) {
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return std::max<std::int64_t>(*middle, 1);  // 0 says that a mode is not possible
}

bool are_same_answers(const std::vector<CorrespondenceSet>& ones,
                      const std::vector<CorrespondenceSet>& others) noexcept {
  return std::equal(ones.begin(), ones.end(), others.begin(), others.end(), is_same_answer);
}

std::int64_t run_once(Matcher& matcher, BatchMode mode, Batch& batch) {
  const std::int64_t start_ns = system_clock().monotonic_ns();
  matcher.match_all(mode, batch.spans(), {});
  return system_clock().monotonic_ns() - start_ns;
}

/// Lets every mode run once; kOneLane comes first and its answers are what the others are held against.
Status run_round(Matcher& matcher, std::vector<Entrant>& entrants, Batch& batch, bool is_timed) {
  std::vector<CorrespondenceSet> expected;
  for (Entrant& entrant : entrants) {
    if (!entrant.is_in) continue;
    const std::int64_t took_ns = run_once(matcher, entrant.mode, batch);
    const Status failure = first_failure(batch.status);
    if (entrant.mode == BatchMode::kOneLane) {
      SKUA_RETURN_IF_ERROR(failure);
      expected = batch.out;
    }
    entrant.is_in = failure.ok() && are_same_answers(batch.out, expected);
    if (is_timed) entrant.times_ns.push_back(took_ns);
  }
  return {};
}

/// What a timing counts for. The lanes lose nothing where no core is free just now, and gain where one is.
std::int64_t weighed(const BatchTiming& timing) noexcept {
  const bool is_handicapped = timing.mode == BatchMode::kOneLane;
  return timing.median_ns + (is_handicapped ? timing.median_ns / kOneLaneHandicap : 0);
}

}  // namespace

BatchMode fastest_of(std::span<const BatchTiming> timings) noexcept {
  const BatchTiming* best = &timings.front();
  for (const BatchTiming& timing : timings) {
    if (timing.median_ns > 0 && weighed(timing) < weighed(*best)) best = &timing;
  }
  return best->mode;
}

bool is_same_answer(const CorrespondenceSet& one, const CorrespondenceSet& other) noexcept {
  return one.indices == other.indices &&
         std::equal(one.scores.begin(), one.scores.end(), other.scores.begin(), other.scores.end(), is_near);
}

ChosenModes untimed_modes(const Matcher& matcher) {
  const BatchMode mode = matcher.knows(BatchMode::kLanes) ? BatchMode::kLanes : BatchMode::kOneLane;
  return {mode, mode, {}};
}

Result<ChosenModes> time_modes(Matcher& matcher, std::size_t pairs, std::size_t rounds) {
  SKUA_ASSIGN_OR_RETURN(Batch batch, make_batch(matcher.contract(), pairs));
  std::vector<Entrant> entrants;
  for (const BatchMode mode : kModes) entrants.push_back({mode, matcher.knows(mode), {}});
  const std::int64_t start_ns = system_clock().monotonic_ns();
  for (std::size_t round = 0; round < kUntimedRounds + rounds; ++round) {
    const bool has_figure = round > kUntimedRounds;
    if (has_figure && system_clock().monotonic_ns() - start_ns > kLongestContestNs) break;
    SKUA_RETURN_IF_ERROR(run_round(matcher, entrants, batch, round >= kUntimedRounds));
  }
  ChosenModes chosen;
  for (const Entrant& entrant : entrants)
    chosen.timings.push_back({entrant.mode, entrant.is_in ? median_of(entrant.times_ns) : 0});
  const std::span<const BatchTiming> timings(chosen.timings);
  chosen.mode = fastest_of(timings);
  chosen.unbatched = fastest_of(timings.first(2));  // kBatched is the last
  return chosen;
}

}  // namespace skua::lightglue
