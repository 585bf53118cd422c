// A matcher's lanes and threads, and the ways of running a batch on them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "inference/lightglue_lane.h"
#include "inference/lightglue_workers.h"

namespace skua::lightglue {

/// One caller at a time; LightGlueRuntime sees to that.
class Matcher {
 public:
  /// Errors are those of LightGlueRuntime::create.
  static Result<std::unique_ptr<Matcher>> create(InferenceRuntime& runtime, const EngineHandle& engine,
                                                 const std::vector<Lane>& lanes);

  const Contract& contract() const noexcept { return contract_; }
  /// Whether this engine and these lanes know that way at all.
  bool knows(BatchMode mode) const noexcept;
  /// Whether these pairs can be run that way: kBatched wants every set that fits the engine to have as many
  /// keypoints as its neighbours.
  bool can(BatchMode mode, const PairSpans& pairs) const noexcept;

  Status match(const KeypointSet& first, const KeypointSet& second, CorrespondenceSet& out,
               const InferOptions& options) noexcept;
  /// Requires can(mode, pairs). Sets every status.
  void match_all(BatchMode mode, const PairSpans& pairs, const InferOptions& options) noexcept;
  /// Of the last call: spent in runs by the lane that spent most.
  std::int64_t inference_ns() const noexcept;

 private:
  explicit Matcher(const Contract& contract) noexcept : contract_(contract) {}
  void begin_call() noexcept;
  void match_batched(const PairSpans& pairs, const InferOptions& options) noexcept;

  Contract contract_;
  std::vector<MatchLane> lanes_;
  std::vector<std::uint32_t> chosen_;        ///< pairs of one inference; room for max_batch
  std::unique_ptr<SharingThreads> threads_;  // last: they use the rest
};

}  // namespace skua::lightglue
