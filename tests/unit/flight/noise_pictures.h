// Pictures of noise, in which no two places look alike, for the fake networks.
#pragma once

#include <algorithm>
#include <random>
#include <string>

#include "network_rules.h"
#include "picture_files.h"

namespace skua::flight::test {

using skua::test::encode_png;
using skua::test::make_picture;

/// A picture of noise whose quarter `seed` mod 4 is brighter.
inline Image noise_picture(std::uint32_t seed) {
  Image image{kSide, kSide, 1, std::vector<std::uint8_t>(kSide * kSide)};
  std::mt19937 random(seed + 1);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    const std::size_t quarter = 2 * (2 * (i / kSide) / kSide) + 2 * (i % kSide) / kSide;
    image.pixels[i] = static_cast<std::uint8_t>(random() % 150 + (quarter == seed % 4 ? 90 : 10));
  }
  return image;
}

/// What a camera sees that looks at `picture`, `x` and `y` pixels further right and down; noise beyond it.
inline Image shifted(const Image& picture, int x, int y) {
  Image image = noise_picture(4711);
  for (int row = std::max(0, -y); row < std::min(kSide, kSide - y); ++row) {
    for (int column = std::max(0, -x); column < std::min(kSide, kSide - x); ++column)
      image.pixels[static_cast<std::size_t>(row * kSide + column)] =
          picture.pixels[static_cast<std::size_t>((row + y) * kSide + column + x)];
  }
  return image;
}

inline std::string encode_gray(const Image& image) {
  return encode_png(image.width, image.height, image.pixels, {PNG_COLOR_TYPE_GRAY, 8, false, false});
}

}  // namespace skua::flight::test
