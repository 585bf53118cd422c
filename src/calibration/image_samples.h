// Images as a network's input, as preprocess.yaml says. docs/formats/data-set.md has the formulas.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>

#include "calibration/preprocess.h"
#include "image/image_file.h"
#include "skua/tensor.h"

namespace skua::calibration {

/// Files beyond this size are refused unread.
inline constexpr std::uint64_t kMaxImageFileBytes = std::uint64_t{64} << 20U;

class ImageSamples {
 public:
  /// For an input of batch 1: four dimensions, float32, float16 or uint8.
  /// EngineBuildError, data_set_malformed, naming preprocess.yaml: another input, or one that what the file
  /// says cannot become (channels, size, values beyond the type; uint8 that is not taken as it is; more bytes
  /// than a sample may have).
  static Result<ImageSamples> create(const Preprocess& preprocess, const TensorSpec& input);

  /// The input for one PNG or JPEG file. `where` names it in messages. EngineBuildError, data_set_malformed:
  /// damaged, or not of the size that is needed. OutOfMemoryError. Cost: the decoded image twice, or that
  /// and the resized one (up to 0.8 GB, also where crop leaves little of it), and the tensor; resize's time.
  /// Thread-safe.
  Result<Tensor> decode(std::span<const std::byte> file, const std::string& where) const;

 private:
  ImageSamples(const Preprocess& preprocess, TensorSpec input)
      : preprocess_(preprocess), input_(std::move(input)) {}
  Status judge_input() const;
  Status judge_values(const Shape& shape, const std::string& where) const;
  Status fill_table();
  int channels() const noexcept { return preprocess_.channels == ImageChannels::kGray ? 1 : 3; }
  Shape shape_of(const ImageSize& size) const;
  Result<Tensor> convert(Image image, const std::string& where) const;
  template <typename T, typename Value>
  void write(const Image& image, const ImageSize& size, const Tensor& into, Value value) const;

  Preprocess preprocess_;
  TensorSpec input_;
  std::array<std::array<float, 256>, 3>
      table_{};  ///< what becomes of a pixel's value, by the network's channel
};

}  // namespace skua::calibration
