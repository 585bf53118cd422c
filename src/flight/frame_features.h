// What C3's extractor finds in one picture, in memory that is used again.
#pragma once

#include <array>
#include <cstddef>

#include "skua/lightglue.h"
#include "skua/tensor.h"

namespace skua::flight {

/// Keypoints [N,2] float32 (pixels of the picture) and descriptors [N,D]; copies, so that they outlive the
/// lane's next run. Movable.
struct FrameFeatures {
  Tensor keypoints, descriptors;  ///< at their capacity
  std::size_t count = 0;          ///< rows in use
  std::array<int, 2> image_size{};

  /// Memory for `capacity` rows. OutOfMemoryError.
  static Result<FrameFeatures> allocate(std::size_t capacity, std::size_t dim, DType dtype);
  /// Views of the rows in use; valid while this lives and is not written to.
  KeypointSet view() const noexcept;
};

}  // namespace skua::flight
