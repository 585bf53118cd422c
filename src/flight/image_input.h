// From a picture to an engine's image input.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "image/image_file.h"
#include "skua/tensor.h"

namespace skua::flight {

/// What the values of an image input mean.
enum class PixelScale : std::uint8_t {
  kUnit,      ///< 0 to 1
  kImageNet,  ///< 0 to 1, then minus mean, over standard deviation, per channel (torchvision's constants)
};

/// Writes pictures into an input [1,C,H,W], C = 1 or 3, float32 or float16. A picture of another size is
/// resized (bilinear, rounded to 8 bits); gray is repeated over three channels, three channels are weighted
/// to gray (ITU-R BT.601). One table look-up per value: after construction nothing is allocated. One thread.
class ImageInput {
 public:
  /// EngineDeserializeError (contract_mismatch) naming the input, when it is no image.
  static Result<ImageInput> create(const TensorSpec& spec, PixelScale scale);

  int width() const noexcept { return width_; }
  int height() const noexcept { return height_; }
  int channels() const noexcept { return channels_; }
  /// Requires a view of the spec's shape and a picture with pixels.
  void write(const Image& image, const TensorView& into) noexcept;

 private:
  ImageInput() = default;
  void resize(const Image& image) noexcept;

  int width_ = 0, height_ = 0, channels_ = 0;
  DType dtype_ = DType::kFloat32;
  std::array<std::array<float, 256>, 3> table_{};
  std::array<std::array<std::uint16_t, 256>, 3> half_table_{};
  Image resized_;  ///< of this input's size, at most three channels
};

}  // namespace skua::flight
