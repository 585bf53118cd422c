#include "flight/vpr_consumer.h"

#include <algorithm>
#include <cmath>

#include "cache/half.h"

namespace skua::flight {
namespace {

bool is_vector(const TensorSpec& spec) {
  const bool is_float = spec.dtype == DType::kFloat32 || spec.dtype == DType::kFloat16;
  const Shape& shape = spec.shape;
  if (!is_float || !shape.is_static() || shape.rank() < 1 || shape.rank() > 2) return false;
  return shape[shape.rank() - 1] > 0 && (shape.rank() == 1 || shape[0] == 1);
}

}  // namespace

Result<std::unique_ptr<VprConsumer>> VprConsumer::create(const Injected& injected,
                                                         const EngineHandle& engine) {
  SKUA_ASSIGN_OR_RETURN(TimedInference inference,
                        TimedInference::create(*injected.inference, engine, kVprSlug));
  const EngineInfo& info = inference.info();
  if (info.inputs.size() != 1)
    return contract_error(kVprSlug, info, "one input, an image", describe(info.inputs));
  if (info.outputs.size() != 1 || !is_vector(info.outputs[0]))
    return contract_error(kVprSlug, info, "one output, float 1xD", describe(info.outputs));
  const bool is_half = info.inputs[0].dtype == DType::kFloat16;
  SKUA_ASSIGN_OR_RETURN(ImageInput input, ImageInput::create(info.inputs[0], is_half ? PixelScale::kImageNet
                                                                                     : PixelScale::kUnit));
  const Shape& shape = info.outputs[0].shape;
  const auto dim = static_cast<std::size_t>(shape[shape.rank() - 1]);
  return std::unique_ptr<VprConsumer>(
      new VprConsumer(injected.inference, std::move(inference), std::move(input), dim));
}

VprConsumer::VprConsumer(std::shared_ptr<InferenceRuntime> runtime, TimedInference engine, ImageInput input,
                         std::size_t dim)
    : runtime_(std::move(runtime)), engine_(std::move(engine)), input_(std::move(input)), dim_(dim) {}

Status VprConsumer::embed(const Image& image, std::span<float> into, const InferOptions& options) noexcept {
  input_.write(image, engine_.bound().input(0));
  SKUA_RETURN_IF_ERROR(engine_.run(options));
  const TensorView output = engine_.bound().output(0);
  if (output.dtype == DType::kFloat32) {
    const auto values = output.as<float>();
    std::copy_n(values.begin(), dim_, into.begin());
  } else {
    const auto values = output.as<std::uint16_t>();
    std::transform(values.begin(), values.end(), into.begin(), half_to_float);
  }
  double squares = 0.0;
  for (const float value : into) squares += static_cast<double>(value) * value;
  if (!(squares > 0.0) || !std::isfinite(squares))
    return Error{ErrorCode::kInference, Reason::kExecutionFailed, 0, {}};
  // In double: the inverse of a very short vector's length is no float any more.
  const double scale = 1.0 / std::sqrt(squares);
  for (float& value : into) value = static_cast<float>(value * scale);
  return {};
}

}  // namespace skua::flight
