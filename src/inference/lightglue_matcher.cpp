#include "inference/lightglue_matcher.h"

#include <algorithm>
#include <string>
#include <utility>

namespace skua::lightglue {
namespace {

/// Larger batches than this are run in several inferences; it bounds what is reserved.
constexpr std::int64_t kLargestBatch = 1024;

Error argument_error(Reason reason, std::string message) {
  return make_error(ErrorCode::kInvalidArgument, reason, std::move(message));
}

/// A lane that were there twice would refuse half of the pairs.
Status check_lanes(const std::vector<Lane>& lanes) {
  if (lanes.empty()) {
    return argument_error(Reason::kInvalidArgument,
                          "LightGlueRuntime: expected at least one lane, found none; declare one in the "
                          "configuration and give it");
  }
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      if (lanes[i].consumer() != lanes[k].consumer()) continue;
      return argument_error(Reason::kInvalidArgument, "LightGlueRuntime: lane '" +
                                                          std::string(lanes[i].consumer()) +
                                                          "' was given twice; give each lane once");
    }
  }
  return {};
}

/// One pair an item, each on the lane of whoever takes it.
class LaneWork final : public SharedWork {
 public:
  LaneWork(std::vector<MatchLane>& lanes, const PairSpans& pairs, const InferOptions& options) noexcept
      : lanes_(lanes), pairs_(pairs), options_(options) {}
  void run(std::size_t worker, std::size_t item) noexcept override {
    pairs_.status[item] =
        lanes_[worker].match(pairs_.firsts[item], pairs_.seconds[item], pairs_.out[item], options_);
  }

 private:
  std::vector<MatchLane>& lanes_;
  const PairSpans& pairs_;
  const InferOptions& options_;
};

/// Whether all sets of one side have as many keypoints.
bool are_alike(std::span<const KeypointSet> sets) noexcept {
  return std::all_of(sets.begin(), sets.end(), [&](const KeypointSet& set) {
    return set.keypoints.shape == sets.front().keypoints.shape;
  });
}

}  // namespace

Result<std::unique_ptr<Matcher>> Matcher::create(InferenceRuntime& runtime, const EngineHandle& engine,
                                                 const std::vector<Lane>& lanes) {
  SKUA_ASSIGN_OR_RETURN(const EngineInfo info, runtime.info(engine));
  SKUA_RETURN_IF_ERROR(check_lanes(lanes));
  SKUA_ASSIGN_OR_RETURN(const Contract contract, read_contract(info));
  std::unique_ptr<Matcher> matcher(new Matcher(contract));
  for (const Lane& lane : lanes) {
    SKUA_ASSIGN_OR_RETURN(MatchLane bound, MatchLane::bind(runtime, engine, lane, contract));
    matcher->lanes_.push_back(std::move(bound));
  }
  matcher->contract_.max_batch = std::min(contract.max_batch, kLargestBatch);
  matcher->chosen_.reserve(static_cast<std::size_t>(matcher->contract_.max_batch));
  SKUA_ASSIGN_OR_RETURN(matcher->threads_, SharingThreads::start(lanes.size() - 1));
  return matcher;
}

bool Matcher::knows(BatchMode mode) const noexcept {
  switch (mode) {
    case BatchMode::kOneLane:
      return true;
    case BatchMode::kLanes:
      return lanes_.size() > 1;
    case BatchMode::kBatched:
      return contract_.max_batch > 1;
  }
  return false;
}

bool Matcher::can(BatchMode mode, const PairSpans& pairs) const noexcept {
  if (!knows(mode)) return false;
  return mode != BatchMode::kBatched || (are_alike(pairs.firsts) && are_alike(pairs.seconds));
}

void Matcher::begin_call() noexcept {
  for (MatchLane& lane : lanes_) lane.begin_call();
}

Status Matcher::match(const KeypointSet& first, const KeypointSet& second, CorrespondenceSet& out,
                      const InferOptions& options) noexcept {
  begin_call();
  return lanes_.front().match(first, second, out, options);
}

void Matcher::match_all(BatchMode mode, const PairSpans& pairs, const InferOptions& options) noexcept {
  begin_call();
  if (mode == BatchMode::kBatched) return match_batched(pairs, options);
  LaneWork work(lanes_, pairs, options);
  if (mode == BatchMode::kLanes) return threads_->run(work, pairs.firsts.size());
  for (std::size_t item = 0; item < pairs.firsts.size(); ++item) work.run(0, item);
}

void Matcher::match_batched(const PairSpans& pairs, const InferOptions& options) noexcept {
  const auto run_chosen = [&] {
    if (!chosen_.empty()) lanes_.front().match_together(pairs, chosen_, options);
    chosen_.clear();
  };
  chosen_.clear();
  for (std::size_t pair = 0; pair < pairs.firsts.size(); ++pair) {
    pairs.out[pair].indices.clear();
    pairs.out[pair].scores.clear();
    pairs.status[pair] = check_pair(contract_, pairs.firsts[pair], pairs.seconds[pair]);
    if (!pairs.status[pair].ok()) continue;
    chosen_.push_back(static_cast<std::uint32_t>(pair));
    if (chosen_.size() == static_cast<std::size_t>(contract_.max_batch)) run_chosen();
  }
  run_chosen();
}

std::int64_t Matcher::inference_ns() const noexcept {
  std::int64_t longest = 0;
  for (const MatchLane& lane : lanes_) longest = std::max(longest, lane.inference_ns());
  return longest;
}

}  // namespace skua::lightglue
