#include "calibration/image_samples.h"

#include <algorithm>
#include <cmath>
#include <new>

#include "calibration/data_set.h"
#include "calibration/npz.h"
#include "calibration/sample_check.h"
#include "core/half_rounding.h"
#include "core/text.h"
#include "image/image_resize.h"

namespace skua::calibration {
namespace {

const std::string kFile(kPreprocessName);
constexpr std::uint64_t kMaxValueBytes = kMaxSampleBytes - (1U << 20U);  // a .npz has a name around them

Error no_memory(const std::string& where) {
  return make_error(ErrorCode::kOutOfMemory, Reason::kOutOfMemory,
                    "data set, " + where + ": decoding needs more memory than there is");
}

std::string text_of(const ImageSize& size) {
  return std::to_string(size.width) + " x " + std::to_string(size.height) + " pixels";
}

}  // namespace

Shape ImageSamples::shape_of(const ImageSize& size) const {
  if (preprocess_.layout == ImageLayout::kNchw) return {1, channels(), size.height, size.width};
  return {1, size.height, size.width, channels()};
}

Status ImageSamples::judge_values(const Shape& shape, const std::string& where) const {
  SKUA_RETURN_IF_ERROR(check_input(input_, input_.dtype, shape, where));
  SKUA_ASSIGN_OR_RETURN(const std::size_t bytes, shape.byte_size(input_.dtype));
  if (bytes <= kMaxValueBytes) return {};
  return malformed(where, "at most " + std::to_string(kMaxValueBytes) + " bytes of values",
                   std::to_string(bytes));
}

Status ImageSamples::judge_input() const {
  const bool is_byte = input_.dtype == DType::kUInt8;
  const bool is_image = is_byte || input_.dtype == DType::kFloat32 || input_.dtype == DType::kFloat16;
  if (!is_image || input_.shape.rank() != 4) {
    return malformed(kFile, "an input of 4 dimensions and float32, float16 or uint8, which images can become",
                     quote(input_.name, 400) + ": " + std::string(to_string(input_.dtype)) + " " +
                         input_.shape.to_string(),
                     "give .npz samples for such a network");
  }
  const bool is_plain =
      preprocess_.scale == 1 && preprocess_.mean == Preprocess().mean && preprocess_.std == Preprocess().std;
  if (is_byte && !is_plain) {
    return malformed(kFile, "no scale, mean or std for an input of uint8, which has whole numbers", "one",
                     "take them out, or give the network an input of floats");
  }
  const auto& size = preprocess_.crop ? preprocess_.crop : preprocess_.resize;
  if (size) return judge_values(shape_of(*size), kFile);
  // The images' own size: what does not depend on it can be told now.
  Shape shape = shape_of({1, 1});
  for (std::size_t axis = 1; axis < shape.rank(); ++axis) {
    const bool is_channels = axis == (preprocess_.layout == ImageLayout::kNchw ? 1U : 3U);
    if (!is_channels && input_.shape[axis] > 0) shape.set(axis, input_.shape[axis]);
  }
  return check_input(input_, input_.dtype, shape, kFile);
}

Status ImageSamples::fill_table() {
  for (std::size_t c = 0; c < static_cast<std::size_t>(channels()); ++c) {
    for (std::size_t i = 0; i < 256; ++i) {
      const double value =
          (static_cast<double>(i) * preprocess_.scale - preprocess_.mean[c]) / preprocess_.std[c];
      table_[c][i] = static_cast<float>(value);
    }
    if (input_.dtype == DType::kFloat16) round_through_half(table_[c]);
    const bool is_finite =
        std::all_of(table_[c].begin(), table_[c].end(), [](float value) { return std::isfinite(value); });
    if (is_finite) continue;
    return malformed(kFile, "scale, mean and std that give values of " + std::string(to_string(input_.dtype)),
                     "values beyond its range");
  }
  return {};
}

Result<ImageSamples> ImageSamples::create(const Preprocess& preprocess, const TensorSpec& input) {
  ImageSamples samples(preprocess, input);
  SKUA_RETURN_IF_ERROR(samples.judge_input());
  SKUA_RETURN_IF_ERROR(samples.fill_table());
  return samples;
}

/// The middle of the image, each value through its channel's table, where the layout wants it.
template <typename T, typename Value>
void ImageSamples::write(const Image& image, const ImageSize& size, const Tensor& into, Value value) const {
  const auto width = static_cast<std::size_t>(size.width), height = static_cast<std::size_t>(size.height);
  const auto count = static_cast<std::size_t>(channels()), row = static_cast<std::size_t>(image.width);
  const auto left = static_cast<std::size_t>((image.width - size.width) / 2);
  const auto top = static_cast<std::size_t>((image.height - size.height) / 2);
  const bool is_planar = preprocess_.layout == ImageLayout::kNchw;
  T* const values = into.as<T>().data();
  for (std::size_t c = 0; c < count; ++c) {
    const std::size_t source = preprocess_.channels == ImageChannels::kBgr ? 2 - c : c;
    for (std::size_t y = 0; y < height; ++y) {
      const std::uint8_t* pixel = image.pixels.data() + ((top + y) * row + left) * count + source;
      T* place = values + (is_planar ? (c * height + y) * width : y * width * count + c);
      for (std::size_t x = 0; x < width; ++x, pixel += count, place += is_planar ? 1 : count)
        *place = value(c, *pixel);
    }
  }
}

Result<Tensor> ImageSamples::convert(Image image, const std::string& where) const {
  if (preprocess_.resize && *preprocess_.resize != ImageSize{image.width, image.height}) {
    Image resized;
    resize(image, preprocess_.resize->width, preprocess_.resize->height, resized);
    image = std::move(resized);
  }
  const ImageSize own{image.width, image.height}, size = preprocess_.crop.value_or(own);
  if (size.width > own.width || size.height > own.height) {
    return malformed(where, "at least the " + text_of(size) + " that crop leaves", text_of(own));
  }
  const Shape shape = shape_of(size);
  SKUA_RETURN_IF_ERROR(judge_values(shape, where));
  SKUA_ASSIGN_OR_RETURN(Tensor tensor, Tensor::allocate(input_.dtype, shape));
  const auto real = [this](std::size_t c, std::uint8_t value) { return table_[c][value]; };
  if (input_.dtype == DType::kFloat32) write<float>(image, size, tensor, real);
  if (input_.dtype == DType::kFloat16)
    write<std::uint16_t>(image, size, tensor,
                         [&](std::size_t c, std::uint8_t value) { return bits_of_half(real(c, value)); });
  if (input_.dtype == DType::kUInt8)
    write<std::uint8_t>(image, size, tensor, [](std::size_t, std::uint8_t value) { return value; });
  return tensor;
}

Result<Tensor> ImageSamples::decode(std::span<const std::byte> file, const std::string& where) const {
  try {
    Image image;
    const Status decoded = decode_image(file, channels(), image, {.max_side = kMaxImageSide});
    if (!decoded.ok()) {
      const bool is_memory = decoded.error().code == ErrorCode::kOutOfMemory;
      return is_memory ? no_memory(where) : malformed(where, decoded.error());
    }
    return convert(std::move(image), where);
  } catch (const std::bad_alloc&) {
    return no_memory(where);
  }
}

}  // namespace skua::calibration
