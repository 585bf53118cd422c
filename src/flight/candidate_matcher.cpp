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

Status CandidateMatcher::verdict() const noexcept {
  const Error* first = nullptr;
  bool has_answer = size_ == 0;
  for (std::size_t pair = 0; pair < size_; ++pair) {
    const Status& status = status_[pair];
    has_answer = has_answer || status.ok();
    if (status.ok()) continue;
    if (first == nullptr || status.error().reason == Reason::kDeviceLost) first = &status.error();
    if (first->reason == Reason::kDeviceLost) break;
  }
  if (first == nullptr || (has_answer && first->reason != Reason::kDeviceLost)) return {};
  return Error{first->code, first->reason, first->native_code, {}};
}

}  // namespace skua::flight
