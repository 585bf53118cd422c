// Another size: values worked out by hand.
#include "image/image_resize.h"

#include <gtest/gtest.h>

namespace skua::image_resize_tests {
namespace {

using Pixels = std::vector<std::uint8_t>;

Pixels resized(const Image& from, int width, int height) {
  Image into{9, 9, 2, Pixels(7)};  // whatever it held
  resize(from, width, height, into);
  EXPECT_EQ(into.width, width);
  EXPECT_EQ(into.height, height);
  EXPECT_EQ(into.channels, from.channels);
  return into.pixels;
}

TEST(ImageResize, LargerIsBilinearBetweenPixelCentres) {
  // The centres of four pixels lie at 0.25, 0.75, 1.25, 1.75 of two, whose centres are 0.5 and 1.5.
  EXPECT_EQ(resized({2, 1, 1, {0, 100}}, 4, 1), (Pixels{0, 25, 75, 100}));
  EXPECT_EQ(resized({1, 2, 1, {0, 100}}, 1, 4), (Pixels{0, 25, 75, 100}));
  // 1/6, 1/2, 5/6, 7/6, 3/2, 11/6
  EXPECT_EQ(resized({2, 1, 1, {0, 60}}, 6, 1), (Pixels{0, 0, 20, 40, 60, 60}));
  EXPECT_EQ(resized({2, 2, 1, {0, 100, 200, 40}}, 4, 4),
            (Pixels{0, 25, 75, 100, 50, 59, 76, 85, 150, 126, 79, 55, 200, 160, 80, 40}));
}

TEST(ImageResize, SmallerLetsEveryPixelCount) {
  // A triangle of twice the width: 6/14, 6/14, 2/14.
  EXPECT_EQ(resized({4, 1, 1, {0, 40, 80, 200}}, 2, 1), (Pixels{29, 126}));
  EXPECT_EQ(resized({1, 4, 1, {0, 40, 80, 200}}, 1, 2), (Pixels{29, 126}));
  EXPECT_EQ(resized({2, 2, 1, {0, 0, 0, 255}}, 1, 1), (Pixels{64}));
  // One bright pixel in nine is not lost, wherever it lies.
  for (std::size_t i = 0; i < 9; ++i) {
    Image picture{9, 1, 1, Pixels(9)};
    picture.pixels[i] = 255;
    EXPECT_GT(resized(picture, 1, 1)[0], 0) << i;
  }
}

TEST(ImageResize, ChannelsAreKeptApart) {
  EXPECT_EQ(resized({2, 1, 3, {0, 10, 255, 100, 10, 0}}, 4, 1),
            (Pixels{0, 10, 255, 25, 10, 191, 75, 10, 64, 100, 10, 0}));
}

TEST(ImageResize, TheSameSizeIsTheSamePicture) {
  Image picture{5, 7, 3, {}};
  for (int i = 0; i < 5 * 7 * 3; ++i) picture.pixels.push_back(static_cast<std::uint8_t>(37 * i));
  EXPECT_EQ(resized(picture, 5, 7), picture.pixels);
}

TEST(ImageResize, TheLargestSidesDoNotOverflow) {
  const int side = ImageLimits().max_side;
  const Image wide{side, 1, 1, Pixels(static_cast<std::size_t>(side), 255)};
  EXPECT_EQ(resized(wide, 1, 1), (Pixels{255}));
  EXPECT_EQ(resized({1, side, 1, wide.pixels}, 1, 1), (Pixels{255}));
  EXPECT_EQ(resized({1, 1, 1, {255}}, side, 1), wide.pixels);
  EXPECT_EQ(resized({1, side, 1, wide.pixels}, side, 1), wide.pixels) << "rows and columns at once";
  EXPECT_EQ(resized(wide, side - 1, 1), Pixels(static_cast<std::size_t>(side) - 1, 255));
}

}  // namespace
}  // namespace skua::image_resize_tests
