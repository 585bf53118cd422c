// LightGlueRuntime: matching the keypoints of two images on one engine of the shared runtime. One instance
// serves C2.5 (10 pairs a frame) and C3 (3 pairs). It belongs to one thread at a time and refuses a second.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "skua/bound_inference.h"
#include "skua/inference_runtime.h"
#include "skua/tensor.h"

namespace skua {

/// Keypoints of one image; views that the caller keeps alive for the length of a call.
struct KeypointSet {
  TensorView keypoints;              ///< float32 [N,2], pixels (x, y), host memory
  TensorView descriptors;            ///< float32 or float16 [N,D], host memory
  std::optional<TensorView> scores;  ///< float32 [N]; not looked at by matching
  std::array<int, 2> image_size{};   ///< width, height in pixels; both above 0
};

/// Which keypoint of the first set belongs to which of the second. Keeps its memory from call to call.
struct CorrespondenceSet {
  std::vector<std::array<std::int64_t, 2>> indices;  ///< [M]: index into the first set, into the second
  std::vector<float> scores;                         ///< [M]
};

/// How `match_batch` runs its pairs.
enum class BatchMode : std::uint8_t {
  kOneLane,  ///< one pair after the other
  kLanes,    ///< several lanes at once, each taking the next pair when it is free
  kBatched,  ///< one inference over all pairs, where the engine's profile allows it
};
/// "one_lane", "lanes", "batched".
std::string_view to_string(BatchMode mode) noexcept;

/// What warm-up found for one mode; 0: not possible with this engine and these lanes, or with another answer
/// than kOneLane (other indices, or scores further away than 1e-3).
struct BatchTiming {
  BatchMode mode = BatchMode::kOneLane;
  std::int64_t median_ns = 0;  ///< of one batch of `pairs`
};

/// What a matcher runs on, and how its ways of running a batch are timed.
struct LightGlueOptions {
  /// Lanes to run on, at least one; made by the same runtime and used by nobody else. One thread of ours per
  /// lane but the first.
  std::vector<Lane> lanes;
  static constexpr std::size_t kMostWarmUpPairs = 1000;
  /// Pairs of a batch that is timed at creation, at most kMostWarmUpPairs, each with memory of its own; 0:
  /// not timed, kLanes where there are several.
  std::size_t warm_up_pairs = 10;
  /// Interleaved rounds over the possible modes; at least 1. Slow engines get fewer: none is begun after two
  /// seconds once each mode has a figure.
  int warm_up_rounds = 5;
};

/// Engine contract: inputs `kpts0`, `kpts1` float32 [B,N,2], normalised so that the image's centre is 0 and
/// half its longer side is 1; `desc0`, `desc1` [B,N,D] float32 or float16; outputs `matches` int64 and
/// `scores` float32, either [M,2] and [M] (data-dependent) or [B,N] and [B,N] (index into the second set, -1:
/// none). N is static or dynamic within the profile; sets are never padded or cut: a set that does not fit is
/// InvalidArgumentError (shape_mismatch).
class LightGlueRuntime {
 public:
  /// Checks the engine against the contract, binds every lane, and measures which way of running a batch is
  /// the fastest here. `runtime` is shared, never built here. InvalidArgumentError: null runtime, empty or
  /// foreign handle, no lane, options beyond their limits; EngineDeserializeError (contract_mismatch) naming
  /// the tensor, expected and found; a run that fails at warm-up: its own error with the engine's name. Cost:
  /// batches of `warm_up_pairs` in each possible mode, two and then `warm_up_rounds` times.
  static Result<std::unique_ptr<LightGlueRuntime>> create(std::shared_ptr<InferenceRuntime> runtime,
                                                          const EngineHandle& engine,
                                                          const LightGlueOptions& options);
  ~LightGlueRuntime();
  LightGlueRuntime(const LightGlueRuntime&) = delete;
  LightGlueRuntime& operator=(const LightGlueRuntime&) = delete;

  /// Matches one pair on the first lane. `out` is replaced; it keeps its memory, so that calls after the
  /// first do not allocate. On an error `out` is empty. InvalidArgumentError (shape_mismatch, dtype_mismatch,
  /// device_mismatch, invalid_argument), with a text, which allocates; InferenceError: those of
  /// BoundInference::run, without a text; execution_failed also for an answer that names a keypoint which is
  /// not in the sets; lane_busy for a call that comes while another is running, from whichever thread: it is
  /// refused, never queued, and leaves `out` as it was. A set of other keypoint counts than the one before
  /// gives the engine another shape, for which the SDK may allocate. NaN and infinity pass through. `lane`
  /// of the options is not looked at.
  Status match(const KeypointSet& a, const KeypointSet& b, CorrespondenceSet& out,
               const InferOptions& options = {}) noexcept;

  /// Matches as[i] with bs[i] for every i; `out[i]` and `status[i]` answer for that pair alone: one failed
  /// pair leaves the others standing (status[i] says why, out[i] is empty). The answers are those of `match`.
  /// Spans of equal length; InvalidArgumentError otherwise, and lane_busy as above; these leave `out` as it
  /// was. A set that several neighbouring pairs have in common (same memory) is normalised and copied once a
  /// lane. With kBatched a failed inference is that of all its pairs, and pairs whose sets differ in their
  /// counts are run the fastest other way.
  Status match_batch(std::span<const KeypointSet> as, std::span<const KeypointSet> bs,
                     std::span<CorrespondenceSet> out, std::span<Status> status,
                     const InferOptions& options = {}) noexcept;

  /// D: values per descriptor.
  std::size_t descriptor_dim() const noexcept;
  /// Their element type, as the engine has it.
  DType descriptor_dtype() const noexcept;
  /// N of an engine that takes exactly so many keypoints; 0: any number within the profile.
  std::size_t fixed_keypoint_count() const noexcept;
  /// The largest M; reserve so much in a CorrespondenceSet to have no allocation even in the first call.
  std::size_t max_matches() const noexcept;
  /// The way that was measured to be the fastest; kOneLane only where it was faster by 5 %.
  BatchMode batch_mode() const noexcept;
  /// What warm-up measured, a row a mode. As long as this object.
  std::span<const BatchTiming> batch_timings() const noexcept;
  /// Of the last match or match_batch: time inside the runtime's runs; with several lanes, of the lane that
  /// ran longest. What a call took beyond it is ours.
  std::int64_t last_inference_ns() const noexcept;
  /// The runtime it runs on: identity with `c7_inference` is what the airborne bootstrap promises.
  const std::shared_ptr<InferenceRuntime>& source() const noexcept;

 private:
  struct Impl;
  explicit LightGlueRuntime(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace skua
