#include "flight/adhop_consumer.h"

#include <algorithm>
#include <cmath>
#include <span>

namespace skua::flight {
namespace {

constexpr float kSure = 0.5F;

/// Nearest pixel, the edge repeated. Nearest is enough: the network looks at a smoothed patch.
void sample(const Image& image, const Point& at, std::uint8_t* into) noexcept {
  const auto nearest = [](double value, int size) {
    return static_cast<std::size_t>(
        std::clamp(std::isfinite(value) ? std::round(value) : 0.0, 0.0, size - 1.0));
  };
  const std::size_t x = nearest(at[0], image.width), y = nearest(at[1], image.height);
  const auto channels = static_cast<std::size_t>(image.channels);
  const std::uint8_t* pixel =
      image.pixels.data() + (y * static_cast<std::size_t>(image.width) + x) * channels;
  std::copy_n(pixel, channels, into);
}

/// Corners of a patch of `side` pixels in the middle of the frame: top left, top right, bottom right, bottom
/// left.
std::array<Point, 4> corners_of(const Image& frame, int side) noexcept {
  const double x = (frame.width - side) / 2.0, y = (frame.height - side) / 2.0, far = side - 1.0;
  return {{{x, y}, {x + far, y}, {x + far, y + far}, {x, y + far}}};
}

bool is_square(const TensorSpec& a, const TensorSpec& b) {
  return a.dtype == b.dtype && a.shape == b.shape && a.shape.rank() == 4 && a.shape[2] == a.shape[3];
}

}  // namespace

Result<std::unique_ptr<AdhopConsumer>> AdhopConsumer::create(const Injected& injected,
                                                             const EngineHandle& engine) {
  SKUA_ASSIGN_OR_RETURN(TimedInference inference,
                        TimedInference::create(*injected.inference, engine, kAdhopSlug));
  const EngineInfo& info = inference.info();
  const auto reference = index_of(info.inputs, "reference"), query = index_of(info.inputs, "query");
  const bool takes_two = info.inputs.size() == 2 && reference && query &&
                         is_square(info.inputs[*reference], info.inputs[*query]);
  if (!takes_two) {
    return contract_error(kAdhopSlug, info, "inputs 'reference' and 'query', images 1xCxSxS",
                          describe(info.inputs));
  }
  const auto offsets = index_of(info.outputs, "corner_offsets"), sure = index_of(info.outputs, "confidence");
  const bool gives_both = offsets && sure && info.outputs[*offsets].dtype == DType::kFloat32 &&
                          info.outputs[*offsets].shape == Shape{1, 4, 2} &&
                          info.outputs[*sure].dtype == DType::kFloat32 &&
                          info.outputs[*sure].shape == Shape{1, 1};
  if (!gives_both) {
    return contract_error(kAdhopSlug, info,
                          "outputs 'corner_offsets' float32 1x4x2 and 'confidence' float32 1x1",
                          describe(info.outputs));
  }
  SKUA_ASSIGN_OR_RETURN(ImageInput input, ImageInput::create(info.inputs[*reference], PixelScale::kUnit));
  std::unique_ptr<AdhopConsumer> consumer(
      new AdhopConsumer(injected.inference, std::move(inference), std::move(input)));
  consumer->inputs_ = {*reference, *query};
  consumer->outputs_ = {*offsets, *sure};
  return consumer;
}

AdhopConsumer::AdhopConsumer(std::shared_ptr<InferenceRuntime> runtime, TimedInference engine,
                             ImageInput input)
    : runtime_(std::move(runtime)), engine_(std::move(engine)), input_(std::move(input)) {
  for (Image* patch : {&reference_, &query_}) {
    patch->width = patch->height = input_.width();
    patch->channels = 3;
    patch->pixels.resize(3 * static_cast<std::size_t>(input_.width()) *
                         static_cast<std::size_t>(input_.width()));
  }
}

/// The middle of the frame, and what the tile shows there according to `map`.
void AdhopConsumer::cut(const Image& frame, const Image& tile, const Homography& map) noexcept {
  reference_.channels = tile.channels;
  query_.channels = frame.channels;
  const Point origin = corners_of(frame, input_.width())[0];
  std::uint8_t *reference = reference_.pixels.data(), *query = query_.pixels.data();
  for (int y = 0; y < input_.width(); ++y) {
    for (int x = 0; x < input_.width(); ++x) {
      const Point at{origin[0] + x, origin[1] + y};
      sample(frame, at, query);
      sample(tile, map_point(map, at), reference);
      query += query_.channels;
      reference += reference_.channels;
    }
  }
}

/// A corner of the reference lies where `map` took it from the frame; the network says where the frame shows
/// it.
bool AdhopConsumer::apply_offsets(const Image& frame, Homography& map) noexcept {
  const auto offsets = engine_.bound().output(outputs_[0]).as<float>();
  const auto corners = corners_of(frame, input_.width());
  std::array<PointMatch, 4> matches{};
  for (std::size_t i = 0; i < corners.size(); ++i) {
    matches[i].from = {corners[i][0] + static_cast<double>(offsets[2 * i]),
                       corners[i][1] + static_cast<double>(offsets[2 * i + 1])};
    matches[i].to = map_point(map, corners[i]);
  }
  Homography refined{};
  if (!map_of_four(matches, refined) || !(std::abs(refined[8]) > 1e-9)) return false;
  const double last = refined[8];
  for (double& value : refined) value /= last;
  const Point middle = map_point(refined, {(frame.width - 1) / 2.0, (frame.height - 1) / 2.0});
  if (!std::isfinite(middle[0]) || !std::isfinite(middle[1])) return false;
  map = refined;
  return true;
}

bool AdhopConsumer::refine(const Image& frame, const Image& tile, Homography& map, Status& status,
                           const InferOptions& options) noexcept {
  cut(frame, tile, map);
  input_.write(reference_, engine_.bound().input(inputs_[0]));
  input_.write(query_, engine_.bound().input(inputs_[1]));
  status = engine_.run(options);
  last_ns_ = engine_.last_ns();
  if (!status.ok()) return false;
  const float confidence = engine_.bound().output(outputs_[1]).as<float>()[0];
  return confidence >= kSure && apply_offsets(frame, map);
}

}  // namespace skua::flight
