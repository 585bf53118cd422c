#include "flight/candidate_matcher.h"

#include <algorithm>

namespace skua::flight {

CandidateMatcher::CandidateMatcher(std::shared_ptr<LightGlueRuntime> lightglue, std::size_t most_pairs)
    : lightglue_(std::move(lightglue)), frames_(most_pairs), out_(most_pairs), status_(most_pairs) {
  for (CorrespondenceSet& matches : out_) {
    matches.indices.reserve(lightglue_->max_matches());
    matches.scores.reserve(lightglue_->max_matches());
  }
}

Status CandidateMatcher::run(const KeypointSet& frame, std::span<const KeypointSet> tiles,
                             const InferOptions& options) noexcept {
  size_ = std::min(tiles.size(), frames_.size());
  std::fill_n(frames_.begin(), size_, frame);
  return lightglue_->match_batch({frames_.data(), size_}, tiles.first(size_), {out_.data(), size_},
                                 {status_.data(), size_}, options);
}

}  // namespace skua::flight
