#include "flight/matcher_consumer.h"

#include <cstring>

namespace skua::flight {
namespace {

/// [N,C] or [1,N,C] at its largest.
bool is_rows(const TensorSpec& spec) {
  const Shape& shape = spec.max_shape;
  return shape.rank() == 2 || (shape.rank() == 3 && shape[0] == 1);
}

std::size_t axis_from_end(const Shape& shape, std::size_t axis) {
  return static_cast<std::size_t>(shape[shape.rank() - axis]);
}

}  // namespace

Result<MatcherConsumer::Outputs> MatcherConsumer::check(const EngineInfo& info,
                                                        const LightGlueRuntime& lightglue) {
  const auto keypoints = index_of(info.outputs, "keypoints"),
             descriptors = index_of(info.outputs, "descriptors");
  const bool has_both =
      keypoints && descriptors && is_rows(info.outputs[*keypoints]) && is_rows(info.outputs[*descriptors]);
  if (!has_both) {
    return contract_error(kMatcherSlug, info,
                          "outputs 'keypoints' 1xNx2 or Nx2 and 'descriptors' 1xNxD or NxD",
                          describe(info.outputs));
  }
  const TensorSpec &points = info.outputs[*keypoints], &described = info.outputs[*descriptors];
  Outputs outputs{*keypoints, *descriptors, axis_from_end(points.max_shape, 2),
                  axis_from_end(described.max_shape, 1), described.dtype};
  const bool is_consistent = points.dtype == DType::kFloat32 && axis_from_end(points.max_shape, 1) == 2 &&
                             axis_from_end(described.max_shape, 2) == outputs.capacity;
  if (!is_consistent)
    return contract_error(kMatcherSlug, info, "float32 pixels and one descriptor per keypoint",
                          describe(info.outputs));
  const std::size_t fixed = lightglue.fixed_keypoint_count();
  const bool fits = outputs.dim == lightglue.descriptor_dim() &&
                    outputs.dtype == lightglue.descriptor_dtype() &&
                    (fixed == 0 || (fixed == outputs.capacity && !points.data_dependent));
  if (fits) return outputs;
  return contract_error(
      kMatcherSlug, info,
      "descriptors as the matcher takes them: " + std::string(to_string(lightglue.descriptor_dtype())) +
          ", D = " + std::to_string(lightglue.descriptor_dim()) +
          (fixed == 0 ? "" : ", N = " + std::to_string(fixed)),
      describe(info.outputs));
}

Result<std::unique_ptr<MatcherConsumer>> MatcherConsumer::create(const Injected& injected,
                                                                 const EngineHandle& extractor,
                                                                 std::size_t most_candidates) {
  SKUA_ASSIGN_OR_RETURN(TimedInference inference,
                        TimedInference::create(*injected.inference, extractor, kMatcherSlug));
  const EngineInfo& info = inference.info();
  if (info.inputs.size() != 1)
    return contract_error(kMatcherSlug, info, "one input, an image", describe(info.inputs));
  SKUA_ASSIGN_OR_RETURN(const Outputs outputs, check(info, *injected.lightglue));
  SKUA_ASSIGN_OR_RETURN(ImageInput input, ImageInput::create(info.inputs[0], PixelScale::kUnit));
  return std::unique_ptr<MatcherConsumer>(
      new MatcherConsumer(injected, std::move(inference), std::move(input), outputs, most_candidates));
}

MatcherConsumer::MatcherConsumer(const Injected& injected, TimedInference extractor, ImageInput input,
                                 Outputs outputs, std::size_t most_candidates)
    : runtime_(injected.inference),
      extractor_(std::move(extractor)),
      input_(std::move(input)),
      outputs_(outputs),
      pairs_(injected.lightglue, most_candidates) {}

Result<FrameFeatures> MatcherConsumer::make_features() const {
  return FrameFeatures::allocate(outputs_.capacity, outputs_.dim, outputs_.dtype);
}

Status MatcherConsumer::extract(const Image& image, FrameFeatures& into,
                                const InferOptions& options) noexcept {
  input_.write(image, extractor_.bound().input(0));
  SKUA_RETURN_IF_ERROR(extractor_.run(options));
  const TensorView keypoints = extractor_.bound().output(outputs_.keypoints);
  const TensorView descriptors = extractor_.bound().output(outputs_.descriptors);
  into.count = axis_from_end(keypoints.shape, 2);
  // A run decides how many rows there are; that both outputs have the same is the network's promise alone.
  if (axis_from_end(descriptors.shape, 2) != into.count || into.count > outputs_.capacity) {
    into.count = 0;
    return Error{ErrorCode::kInference, Reason::kExecutionFailed, 0, {}};
  }
  into.image_size = {image.width, image.height};
  std::memcpy(into.keypoints.view().data, keypoints.data, keypoints.size_bytes());
  std::memcpy(into.descriptors.view().data, descriptors.data, descriptors.size_bytes());
  return {};
}

}  // namespace skua::flight
