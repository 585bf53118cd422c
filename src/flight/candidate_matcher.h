// One frame's keypoints against those of several tiles, on the LightGlue runtime that C2.5 and C3 share.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "skua/lightglue.h"

namespace skua::flight {

/// Memory for the pairs of one frame. After construction nothing is allocated. One thread.
class CandidateMatcher {
 public:
  CandidateMatcher(std::shared_ptr<LightGlueRuntime> lightglue, std::size_t most_pairs);

  /// Matches `frame` with every one of `tiles` (at most most_pairs). A pair that failed is dropped: it has a
  /// status and no matches. The call itself fails (lane_busy) only when somebody else is matching.
  Status run(const KeypointSet& frame, std::span<const KeypointSet> tiles,
             const InferOptions& options) noexcept;

  /// Of the last run(): good when a pair has an answer (or there was none to match), otherwise the first
  /// pair's error. A lost device is an error even beside answers: from here on it answers nobody. Without a
  /// text.
  Status verdict() const noexcept;

  std::size_t size() const noexcept { return size_; }
  const Status& status(std::size_t pair) const noexcept { return status_[pair]; }
  const CorrespondenceSet& matches(std::size_t pair) const noexcept { return out_[pair]; }
  std::int64_t last_inference_ns() const noexcept { return lightglue_->last_inference_ns(); }
  const std::shared_ptr<LightGlueRuntime>& lightglue() const noexcept { return lightglue_; }

 private:
  std::shared_ptr<LightGlueRuntime> lightglue_;
  std::vector<KeypointSet> frames_;  ///< the same set, once per pair
  std::vector<CorrespondenceSet> out_;
  std::vector<Status> status_;
  std::size_t size_ = 0;
};

}  // namespace skua::flight
