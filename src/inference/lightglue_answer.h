// Reading a matcher's outputs.
#pragma once

#include <cstddef>
#include <cstdint>

#include "inference/lightglue_contract.h"

namespace skua::lightglue {

/// What was run: pairs in the inference, keypoints of the first and of the second set.
struct RunSizes {
  std::int64_t batch = 1, first = 0, second = 0;
};

struct MatcherOutputs {
  TensorView matches, scores;
};

/// Puts the matches of the pair at `position` into `out`, which has room for them. InferenceError
/// (execution_failed), with `out` empty, when the outputs do not have the shapes of the contract or name a
/// keypoint that is in neither set: no caller is handed an index out of range. Does not allocate.
Status read_answer(OutputForm form, const MatcherOutputs& outputs, const RunSizes& sizes,
                   std::size_t position, CorrespondenceSet& out) noexcept;

}  // namespace skua::lightglue
