// Keypoints that a warm-up runs on.
#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "inference/lightglue_contract.h"

namespace skua::lightglue {

/// Pairs with matches in them, the same ones every time: one first set, as the frame loop has it, and seconds
/// that hold its descriptors in another order, a little changed, with as many keypoints as the profile's
/// `opt`. Owns the memory that the sets show.
class SamplePairs {
 public:
  /// OutOfMemoryError. Requires count > 0.
  static Result<SamplePairs> make(const Contract& contract, std::size_t count);

  std::span<const KeypointSet> firsts() const noexcept { return firsts_; }
  std::span<const KeypointSet> seconds() const noexcept { return seconds_; }

 private:
  std::vector<Tensor> memory_;
  std::vector<KeypointSet> firsts_, seconds_;
};

}  // namespace skua::lightglue
