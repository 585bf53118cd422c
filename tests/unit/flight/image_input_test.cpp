// From pixels to an engine's input, against formulas worked out here.
#include "flight/image_input.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <functional>
#include <string>

#include "cache/half.h"
#include "hot_path_counters.h"
#include "verdicts.h"

namespace skua::flight {
namespace {

using skua::test::is_error;
using skua::test::is_ok;

constexpr std::array<double, 3> kMean{0.485, 0.456, 0.406}, kDeviation{0.229, 0.224, 0.225};

TensorSpec spec(const Shape& shape, DType dtype = DType::kFloat32) {
  return {"image", dtype, shape, shape, false};
}

Image picture(int width, int height, int channels, const std::function<int(int, int, int)>& value) {
  Image image{width, height, channels, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < channels; ++c) image.pixels.push_back(static_cast<std::uint8_t>(value(x, y, c)));
    }
  }
  return image;
}

/// What lands in the input, as float, whatever its dtype.
std::vector<float> written(const TensorSpec& into, PixelScale scale, const Image& image) {
  ImageInput input = ImageInput::create(into, scale).value();
  Tensor tensor = Tensor::allocate(into.dtype, into.shape).value();
  input.write(image, tensor.view());
  std::vector<float> values;
  if (into.dtype == DType::kFloat16) {
    for (const std::uint16_t half : tensor.as<std::uint16_t>()) values.push_back(half_to_float(half));
  } else {
    values.assign(tensor.as<float>().begin(), tensor.as<float>().end());
  }
  return values;
}

TEST(ImageInputTest, AUnitValueIsThePixelOver255InPlanes) {
  const Image image = picture(4, 2, 3, [](int x, int y, int c) { return 100 * c + 10 * y + x; });
  const auto values = written(spec({1, 3, 2, 4}), PixelScale::kUnit, image);
  ASSERT_EQ(values.size(), 24U);
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t y = 0; y < 2; ++y) {
      for (std::size_t x = 0; x < 4; ++x)
        EXPECT_FLOAT_EQ(values[c * 8 + y * 4 + x], static_cast<float>(100 * c + 10 * y + x) / 255.0F);
    }
  }
}

TEST(ImageInputTest, AnImageNetValueIsNormalisedByItsChannel) {
  for (const int pixel : {0, 1, 123, 124, 255}) {
    const Image image = picture(1, 1, 3, [&](int, int, int) { return pixel; });
    for (const DType dtype : {DType::kFloat32, DType::kFloat16}) {
      const auto values = written(spec({1, 3, 1, 1}, dtype), PixelScale::kImageNet, image);
      for (std::size_t c = 0; c < 3; ++c) {
        const double expected = (pixel / 255.0 - kMean[c]) / kDeviation[c];
        EXPECT_NEAR(values[c], expected, dtype == DType::kFloat32 ? 1e-6 : std::abs(expected) / 2048 + 1e-6);
      }
    }
  }
}

/// The half that is nearest to `value`, of two as near the one whose last bit is 0: by trying all of them.
std::uint16_t nearest_half(float value) {
  std::uint16_t best = 0;
  double least = INFINITY;
  for (std::uint32_t half = 0; half < 0x10000U; ++half) {
    const auto candidate = static_cast<std::uint16_t>(half);
    const double distance = std::abs(static_cast<double>(half_to_float(candidate)) - value);
    const bool is_better =
        distance < least || (distance == least && (candidate & 1U) == 0 && (best & 1U) != 0);
    if (std::isfinite(distance) && is_better) least = distance, best = candidate;
  }
  return best;
}

TEST(ImageInputTest, EveryHalfIsTheNearestToItsFloat) {
  const Image ramp = picture(256, 1, 3, [](int x, int, int) { return x; });
  for (const PixelScale scale : {PixelScale::kUnit, PixelScale::kImageNet}) {
    const Shape shape{1, 3, 1, 256};
    const auto floats = written(spec(shape), scale, ramp);
    ImageInput input = ImageInput::create(spec(shape, DType::kFloat16), scale).value();
    Tensor halves = Tensor::allocate(DType::kFloat16, shape).value();
    input.write(ramp, halves.view());
    // In the unit scale the channels are alike.
    for (std::size_t i = 0; i < (scale == PixelScale::kUnit ? 256U : floats.size()); ++i)
      ASSERT_EQ(halves.as<std::uint16_t>()[i], nearest_half(floats[i])) << i << " is " << floats[i];
  }
}

TEST(ImageInputTest, GrayIsRepeatedAndColourIsWeighted) {
  const Image gray = picture(2, 1, 1, [](int x, int, int) { return 40 + 100 * x; });
  EXPECT_EQ(
      written(spec({1, 3, 1, 2}), PixelScale::kUnit, gray),
      (std::vector<float>{40 / 255.0F, 140 / 255.0F, 40 / 255.0F, 140 / 255.0F, 40 / 255.0F, 140 / 255.0F}));
  const std::array<std::array<int, 3>, 5> colours = {
      {{255, 0, 0}, {0, 255, 0}, {0, 0, 255}, {255, 255, 255}, {10, 20, 30}}};
  for (const auto& colour : colours) {
    const Image image =
        picture(1, 1, 3, [&](int, int, int c) { return colour[static_cast<std::size_t>(c)]; });
    const double expected = std::round(0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]);
    EXPECT_FLOAT_EQ(written(spec({1, 1, 1, 1}), PixelScale::kUnit, image)[0],
                    static_cast<float>(expected) / 255.0F);
  }
}

TEST(ImageInputTest, AConstantPictureStaysConstantAtEverySize) {
  for (const int channels : {1, 3}) {
    for (const auto& [width, height] : {std::pair(1, 1), std::pair(7, 5), std::pair(640, 480)}) {
      const Image image = picture(width, height, channels, [](int, int, int c) { return 90 + 30 * c; });
      const auto values = written(spec({1, channels, 12, 10}), PixelScale::kUnit, image);
      for (std::size_t i = 0; i < values.size(); ++i)
        ASSERT_EQ(values[i], static_cast<float>(90 + 30 * (i / 120)) / 255.0F) << width << ' ' << i;
    }
  }
}

/// Pixel centres lie at whole numbers plus a half: column x of half the width sees 2 x + 0.5 of the ramp.
TEST(ImageInputTest, ARampStaysARamp) {
  const Image across = picture(64, 4, 1, [](int x, int, int) { return 3 * x; });
  const auto halved = written(spec({1, 1, 4, 32}), PixelScale::kUnit, across);
  for (std::size_t x = 0; x < 32; ++x)
    EXPECT_NEAR(halved[x] * 255.0F, 3.0 * (2.0 * static_cast<double>(x) + 0.5), 0.5 + 1e-3) << x;
  const auto doubled = written(spec({1, 1, 4, 128}), PixelScale::kUnit, across);
  for (std::size_t x = 1; x < 127; ++x)
    EXPECT_NEAR(doubled[x] * 255.0F, 3.0 * ((static_cast<double>(x) + 0.5) / 2.0 - 0.5), 0.5 + 1e-3) << x;
  EXPECT_EQ(doubled[0], 0.0F) << "the edge is repeated";
  EXPECT_FLOAT_EQ(doubled[127], 189 / 255.0F);
  const Image down = picture(4, 64, 1, [](int, int y, int) { return 3 * y; });
  const auto lower = written(spec({1, 1, 32, 4}), PixelScale::kUnit, down);
  for (std::size_t y = 0; y < 32; ++y)
    EXPECT_NEAR(lower[4 * y] * 255.0F, 3.0 * (2.0 * static_cast<double>(y) + 0.5), 0.5 + 1e-3) << y;
}

TEST(ImageInputTest, APictureOfTheRightSizeAfterAResizedOneIsItself) {
  ImageInput input = ImageInput::create(spec({1, 1, 2, 2}), PixelScale::kUnit).value();
  Tensor tensor = Tensor::allocate(DType::kFloat32, {1, 1, 2, 2}).value();
  input.write(picture(5, 5, 3, [](int, int, int) { return 200; }), tensor.view());
  input.write(picture(2, 2, 1, [](int x, int y, int) { return 10 * y + x; }), tensor.view());
  EXPECT_FLOAT_EQ(tensor.as<float>()[3], 11 / 255.0F);
}

TEST(ImageInputTest, WritingAllocatesAndLocksNothingResizedOrNot) {
  ImageInput input = ImageInput::create(spec({1, 3, 16, 16}, DType::kFloat16), PixelScale::kImageNet).value();
  Tensor tensor = Tensor::allocate(DType::kFloat16, {1, 3, 16, 16}).value();
  const Image small = picture(16, 16, 3, [](int x, int, int) { return x; });
  const Image large = picture(50, 40, 1, [](int x, int, int) { return x; });
  const auto counts = skua::test::count_hot_path([&] {
    input.write(small, tensor.view());
    input.write(large, tensor.view());
  });
  EXPECT_EQ(counts.allocations + counts.locks, 0U);
}

TEST(ImageInputTest, WhatIsNoImageIsRefusedByTheTensorsName) {
  EXPECT_TRUE(is_ok(ImageInput::create(spec({1, 1, 2, 2}), PixelScale::kUnit)));  // the control
  const TensorSpec wrong[] = {spec({1, 2, 2, 2}),
                              spec({1, 4, 2, 2}),
                              spec({2, 3, 2, 2}),
                              spec({3, 2, 2}),
                              spec({1, 1, 3, 2, 2}),
                              spec({1, 3, -1, 2}),
                              spec({-1, 3, 2, 2}),
                              spec({1, 3, 0, 2}),
                              spec({1, 3, 2, 2}, DType::kInt64),
                              spec({1, 3, 2, 2}, DType::kUInt8)};
  for (const TensorSpec& one : wrong) {
    const auto refused = ImageInput::create(one, PixelScale::kUnit);
    EXPECT_TRUE(is_error(refused, ErrorCode::kEngineDeserialize, Reason::kContractMismatch, "input 'image'"));
    EXPECT_TRUE(is_error(refused, ErrorCode::kEngineDeserialize, Reason::kContractMismatch,
                         std::string(to_string(one.dtype)) + " " + one.shape.to_string()));
  }
}

}  // namespace
}  // namespace skua::flight
