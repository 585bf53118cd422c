// One lane of a matcher: writes keypoint sets into the bound inputs, runs, reads the answer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "inference/lightglue_answer.h"
#include "skua/bound_inference.h"

namespace skua::lightglue {

/// The pairs of one call. Spans of equal length, which the caller keeps until the call is over.
struct PairSpans {
  std::span<const KeypointSet> firsts, seconds;
  std::span<CorrespondenceSet> out;
  std::span<Status> status;
};

/// One thread at a time. Nothing here allocates after the first call with an `out`, but to say what is wrong
/// with a set.
class MatchLane {
 public:
  static Result<MatchLane> bind(InferenceRuntime& runtime, const EngineHandle& engine, const Lane& lane,
                                const Contract& contract);

  /// What lies in the inputs is no longer that of any set: a caller may have changed a set's memory.
  void begin_call() noexcept;
  /// Matches one pair; `out` holds the answer, or is empty on an error.
  Status match(const KeypointSet& first, const KeypointSet& second, CorrespondenceSet& out,
               const InferOptions& options) noexcept;
  /// Matches the pairs `chosen` in one inference and sets their status. Requires a per-keypoint engine, at
  /// most `max_batch` pairs, all of them checked and of the same counts.
  void match_together(const PairSpans& pairs, std::span<const std::uint32_t> chosen,
                      const InferOptions& options) noexcept;
  /// Spent in runs since begin_call().
  std::int64_t inference_ns() const noexcept { return inference_ns_; }

 private:
  /// The set whose values were written into a side's inputs last.
  struct Written {
    const void* keypoints = nullptr;
    const void* descriptors = nullptr;
    std::int64_t count = -1;  ///< below 0: none
    std::array<int, 2> image_size{};
  };

  MatchLane(BoundInference bound, const Contract& contract) noexcept;
  Status shape_input(std::size_t index, const char* name, const Shape& shape);
  Status shape_side(std::size_t side, std::int64_t batch, std::int64_t count);
  Status shape_inputs(const RunSizes& sizes) noexcept;
  bool holds(std::size_t side, const KeypointSet& set) const noexcept;
  void write_side(std::size_t side, std::size_t position, const KeypointSet& set) noexcept;
  void repeat_side(std::size_t side, std::size_t position) noexcept;
  Status run_together(const PairSpans& pairs, std::span<const std::uint32_t> chosen, const RunSizes& sizes,
                      const InferOptions& options) noexcept;
  Status run(const InferOptions& options) noexcept;
  Status read(std::size_t position, const RunSizes& sizes, CorrespondenceSet& out) const noexcept;

  BoundInference bound_;
  Contract contract_;
  std::array<Written, 2> written_{};
  std::int64_t inference_ns_ = 0;
};

/// Whether the spans are of equal length, of no more pairs than can be counted: InvalidArgumentError.
Status check_spans(const PairSpans& pairs) noexcept;

/// check_set of both; out of memory for the text, OutOfMemoryError.
Status check_pair(const Contract& contract, const KeypointSet& first, const KeypointSet& second) noexcept;

/// Makes room for `most` matches, once; OutOfMemoryError when there is none.
Status make_room(CorrespondenceSet& out, std::size_t most) noexcept;

}  // namespace skua::lightglue
