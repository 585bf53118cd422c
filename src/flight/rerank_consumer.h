// C2.5 as far as skua-flight needs it: which of the places that look alike have the frame's keypoints.
#pragma once

#include <memory>
#include <span>

#include "flight/candidate_matcher.h"
#include "skua/airborne_bootstrap.h"

namespace skua::flight {

inline constexpr std::string_view kRerankSlug = "c2_5_rerank";

/// Orders candidates by how many keypoints match. One thread.
class RerankConsumer final : public Consumer {
 public:
  static Result<std::unique_ptr<RerankConsumer>> create(const Injected& injected,
                                                        std::size_t most_candidates);

  std::string_view slug() const noexcept override { return kRerankSlug; }
  const InferenceRuntime* inference() const noexcept override { return matcher_.lightglue()->source().get(); }

  /// Writes into `order` the indices of the `order.size()` best of `tiles`, best first, and returns how many
  /// it wrote. Candidates whose inference failed are dropped; errors: CandidateMatcher::run and verdict.
  Result<std::size_t> best(const KeypointSet& frame, std::span<const KeypointSet> tiles,
                           std::span<std::size_t> order, const InferOptions& options) noexcept;
  std::int64_t last_inference_ns() const noexcept { return matcher_.last_inference_ns(); }

 private:
  RerankConsumer(std::shared_ptr<LightGlueRuntime> lightglue, std::size_t most_candidates)
      : matcher_(std::move(lightglue), most_candidates) {}
  CandidateMatcher matcher_;
};

}  // namespace skua::flight
