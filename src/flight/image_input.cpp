#include "flight/image_input.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace skua::flight {
namespace {

constexpr std::array<float, 3> kMean{0.485F, 0.456F, 0.406F}, kDeviation{0.229F, 0.224F, 0.225F};

/// A value of at most a few units to the nearest half, ties to even. No value of a picture is below half's
/// smallest normal number but zero itself.
std::uint16_t to_half(float value) noexcept {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16U) & 0x8000U;
  const std::uint32_t magnitude = bits & 0x7fffffffU;
  constexpr std::uint32_t kRebias = (127U - 15U) << 23U, kSmallestNormal = 113U << 23U;
  if (magnitude < kSmallestNormal) return static_cast<std::uint16_t>(sign);
  const std::uint32_t rounded = magnitude - kRebias + 0xfffU + ((magnitude >> 13U) & 1U);
  return static_cast<std::uint16_t>(sign | (rounded >> 13U));
}

Error no_image(const TensorSpec& spec) {
  return make_error(ErrorCode::kEngineDeserialize, Reason::kContractMismatch,
                    "input '" + spec.name +
                        "': expected an image, float32 or float16 1xCxHxW with C = 1 or 3, "
                        "found " +
                        std::string(to_string(spec.dtype)) + " " + spec.shape.to_string() +
                        "; provision another network for this consumer");
}

/// The gray value of a pixel with `channels` channels.
std::uint8_t gray_of(const std::uint8_t* pixel, int channels) noexcept {
  if (channels == 1) return *pixel;
  // ITU-R BT.601 in 16 bits; the three weights make 65536.
  const std::uint32_t sum = 19595U * pixel[0] + 38470U * pixel[1] + 7471U * pixel[2];
  return static_cast<std::uint8_t>((sum + 32768U) >> 16U);
}

/// `channels` planes out of interleaved pixels, each value through its channel's table.
template <typename Value>
void write_planes(const Image& image, int channels, const std::array<std::array<Value, 256>, 3>& table,
                  Value* into) noexcept {
  const std::size_t count = static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height);
  const auto step = static_cast<std::size_t>(image.channels);
  for (std::size_t c = 0; c < static_cast<std::size_t>(channels); ++c) {
    const bool is_gray = channels == 1 && image.channels == 3;
    const std::uint8_t* pixel = image.pixels.data() + (image.channels == 3 && !is_gray ? c : 0);
    for (std::size_t i = 0; i < count; ++i, pixel += step)
      *into++ = table[c][is_gray ? gray_of(pixel, 3) : *pixel];
  }
}

}  // namespace

Result<ImageInput> ImageInput::create(const TensorSpec& spec, PixelScale scale) {
  const Shape& shape = spec.shape;
  const bool is_float = spec.dtype == DType::kFloat32 || spec.dtype == DType::kFloat16;
  const bool is_image = is_float && shape.is_static() && shape.rank() == 4 && shape[0] == 1 &&
                        (shape[1] == 1 || shape[1] == 3) && shape[2] > 0 && shape[3] > 0;
  if (!is_image) return no_image(spec);
  ImageInput input;
  input.channels_ = static_cast<int>(shape[1]);
  input.height_ = static_cast<int>(shape[2]);
  input.width_ = static_cast<int>(shape[3]);
  input.dtype_ = spec.dtype;
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t i = 0; i < 256; ++i) {
      float value = static_cast<float>(i) / 255.0F;
      if (scale == PixelScale::kImageNet) value = (value - kMean[c]) / kDeviation[c];
      input.table_[c][i] = value;
      input.half_table_[c][i] = to_half(value);
    }
  }
  input.resized_.width = input.width_;
  input.resized_.height = input.height_;
  input.resized_.channels = 3;
  input.resized_.pixels.resize(3 * static_cast<std::size_t>(shape[2]) * static_cast<std::size_t>(shape[3]));
  return input;
}

/// Pixel centres at whole numbers plus a half, as image libraries have it; edges are repeated.
void ImageInput::resize(const Image& image) noexcept {
  resized_.channels = image.channels;
  const double step_x = static_cast<double>(image.width) / width_;
  const double step_y = static_cast<double>(image.height) / height_;
  std::uint8_t* into = resized_.pixels.data();
  const auto at = [&](int x, int y, int c) {
    const int column = std::clamp(x, 0, image.width - 1), row = std::clamp(y, 0, image.height - 1);
    return static_cast<double>(
        image.pixels[(static_cast<std::size_t>(row) * static_cast<std::size_t>(image.width) +
                      static_cast<std::size_t>(column)) *
                         static_cast<std::size_t>(image.channels) +
                     static_cast<std::size_t>(c)]);
  };
  for (int y = 0; y < height_; ++y) {
    const double v = (y + 0.5) * step_y - 0.5, row = std::floor(v), fy = v - row;
    for (int x = 0; x < width_; ++x) {
      const double u = (x + 0.5) * step_x - 0.5, column = std::floor(u), fx = u - column;
      const int x0 = static_cast<int>(column), y0 = static_cast<int>(row);
      for (int c = 0; c < image.channels; ++c) {
        const double top = at(x0, y0, c) * (1 - fx) + at(x0 + 1, y0, c) * fx;
        const double bottom = at(x0, y0 + 1, c) * (1 - fx) + at(x0 + 1, y0 + 1, c) * fx;
        *into++ = static_cast<std::uint8_t>(std::lround(top * (1 - fy) + bottom * fy));
      }
    }
  }
}

void ImageInput::write(const Image& image, const TensorView& into) noexcept {
  const bool fits = image.width == width_ && image.height == height_;
  if (!fits) resize(image);
  const Image& source = fits ? image : resized_;
  if (dtype_ == DType::kFloat32) {
    write_planes(source, channels_, table_, static_cast<float*>(into.data));
  } else {
    write_planes(source, channels_, half_table_, static_cast<std::uint16_t*>(into.data));
  }
}

}  // namespace skua::flight
