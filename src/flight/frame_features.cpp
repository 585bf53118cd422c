#include "flight/frame_features.h"

namespace skua::flight {

Result<FrameFeatures> FrameFeatures::allocate(std::size_t capacity, std::size_t dim, DType dtype) {
  const auto rows = static_cast<std::int64_t>(capacity);
  FrameFeatures features;
  SKUA_ASSIGN_OR_RETURN(features.keypoints, Tensor::allocate(DType::kFloat32, Shape{rows, 2}));
  SKUA_ASSIGN_OR_RETURN(features.descriptors,
                        Tensor::allocate(dtype, Shape{rows, static_cast<std::int64_t>(dim)}));
  return features;
}

KeypointSet FrameFeatures::view() const noexcept {
  KeypointSet set;
  set.keypoints = keypoints.view();
  set.descriptors = descriptors.view();
  set.keypoints.shape.set(0, static_cast<std::int64_t>(count));
  set.descriptors.shape.set(0, static_cast<std::int64_t>(count));
  set.image_size = image_size;
  return set;
}

}  // namespace skua::flight
