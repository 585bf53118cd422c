// An output as numbers, whatever its type, and the rows of a detector's keypoints that two answers share.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "skua/tensor.h"

namespace skua::compile {

/// Integers beyond 2^53 are rounded.
struct OutputValues {
  std::vector<double> values;
  Shape shape;
  DType dtype = DType::kFloat32;
  bool is_float() const noexcept;
};

OutputValues values_of(const TensorView& view);

using Answer = std::map<std::string, OutputValues>;

inline constexpr const char* kKeypoints = "keypoints";
inline constexpr double kNearPx = 3.0;

/// Whether an answer is a detector's: an output `keypoints` of shape [B,N,2] in pixels, as the flight set's
/// networks have.
bool is_detector(const Answer& answer);

/// Keypoints of one answer that another one has as well: each other's nearest, within kNearPx.
struct KeypointPairs {
  double agreement = 0.0;   ///< share of the keypoints of either that the other one has, of the worst image
  std::uint64_t count = 0;  ///< keypoints that were expected
  Answer expected, found;   ///< the paired rows of every other output that has a row for each keypoint
  std::string mark;         ///< the output that says which rows hold a keypoint; empty: there is none
};

/// Of two detectors' answers with keypoints of one shape. An output `valid` or `scores` that is nowhere
/// negative says which rows are in use: those above zero.
KeypointPairs pair_keypoints(const Answer& expected, const Answer& found);

}  // namespace skua::compile
