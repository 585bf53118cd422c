// What a matcher's engine must look like for LightGlueRuntime, and where its tensors are.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "skua/engine_set.h"
#include "skua/lightglue.h"

namespace skua::lightglue {

/// How an engine says which keypoints belong together.
enum class OutputForm : std::uint8_t {
  kPerKeypoint,  ///< `matches` and `scores` [B,N]: for each keypoint of the first set one of the second, or
                 ///< -1
  kPairs,        ///< `matches` [M,2], `scores` [M]; the data decide M, and B is 1
};

struct CountRange {
  std::int64_t min = 0, opt = 0, max = 0;
  friend bool operator==(const CountRange&, const CountRange&) = default;
};

inline constexpr std::array<const char*, 2> kKeypointNames = {"kpts0", "kpts1"};
inline constexpr std::array<const char*, 2> kDescriptorNames = {"desc0", "desc1"};

/// An engine that keeps the contract of LightGlueRuntime. Index 0 and 1: first and second set.
struct Contract {
  std::array<std::size_t, 2> keypoint_inputs{}, descriptor_inputs{};  ///< where they stand among the inputs
  std::size_t matches_output = 0, scores_output = 0;
  OutputForm form = OutputForm::kPerKeypoint;
  DType descriptor_dtype = DType::kFloat32;
  std::int64_t descriptor_dim = 0;
  std::array<CountRange, 2> counts;  ///< keypoints of a set
  std::int64_t max_batch = 1;        ///< pairs of one inference; 1 also where the outputs cannot hold more
  std::size_t max_matches = 0;       ///< of one pair
};

/// EngineDeserializeError (contract_mismatch) naming the tensor, what was expected and what was found.
Result<Contract> read_contract(const EngineInfo& engine);

/// Whether `set` can be side `side` (0 or 1) of a pair: InvalidArgumentError (dtype_mismatch,
/// device_mismatch, shape_mismatch, invalid_argument) naming the member. Allocates only to say why not.
Status check_set(const Contract& contract, std::size_t side, const KeypointSet& set);

}  // namespace skua::lightglue
