// Good pictures of every kind, and files that are none.
#include "image/image_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>

#include "hot_path_counters.h"
#include "picture_files.h"
#include "temp_folder.h"
#include "verdicts.h"

namespace skua::image_file_tests {
namespace {

using namespace skua::test;  // NOLINT(google-build-using-namespace)
constexpr ErrorCode kInvalid = ErrorCode::kInvalidArgument;

Image decoded(const std::string& file, int channels) {
  Image image;
  EXPECT_TRUE(is_ok(decode_image(bytes_of(file), channels, image)));
  return image;
}

Image gray_picture(const Image& rgb) {
  Image gray{rgb.width, rgb.height, 1, {}};
  for (std::size_t i = 0; i < rgb.pixels.size(); i += 3) gray.pixels.push_back(gray_of(&rgb.pixels[i]));
  return gray;
}

// Of the same size and kind, and no pixel further off than `most`.
::testing::AssertionResult is_near(const Image& found, const Image& expected, int most) {
  if (found.width != expected.width || found.height != expected.height ||
      found.channels != expected.channels || found.pixels.size() != expected.pixels.size()) {
    return ::testing::AssertionFailure() << found.width << "x" << found.height << "x" << found.channels;
  }
  for (std::size_t i = 0; i < found.pixels.size(); ++i) {
    if (std::abs(found.pixels[i] - expected.pixels[i]) > most) {
      return ::testing::AssertionFailure()
             << "value " << i << ": " << int{found.pixels[i]} << " is not " << int{expected.pixels[i]};
    }
  }
  return ::testing::AssertionSuccess();
}

TEST(ImageFile, APngIsReadAsItWasWritten) {
  const Image picture = make_picture(61, 37);
  for (const bool is_interlaced : {false, true}) {
    const std::string file = encode_png(picture, is_interlaced);
    EXPECT_TRUE(is_near(decoded(file, 3), picture, 0));
    EXPECT_TRUE(is_near(decoded(file, 1), gray_picture(picture), 1));
  }
  EXPECT_FALSE(is_near(decoded(encode_png(picture), 3), make_picture(37, 61), 0));  // the control
  EXPECT_FALSE(
      is_near(decoded(encode_png(picture), 1), Image{61, 37, 1, std::vector<std::uint8_t>(61 * 37)}, 1));
}

TEST(ImageFile, AJpegIsCloseToWhatWasWritten) {
  const Image picture = make_picture(61, 37);
  for (const JpegKind kind : {JpegKind::kBaseline, JpegKind::kProgressive, JpegKind::kRgb}) {
    const std::string file = encode_jpeg(picture, kind);
    EXPECT_TRUE(is_near(decoded(file, 3), picture, 24));
    EXPECT_TRUE(is_near(decoded(file, 1), gray_picture(picture), 8));
  }
}

TEST(ImageFile, AGrayJpegBecomesRgbOfEqualChannels) {
  const Image picture = make_picture(40, 30);
  const std::string file = encode_jpeg(picture, JpegKind::kGray);
  const Image gray = decoded(file, 1);
  EXPECT_TRUE(is_near(gray, gray_picture(picture), 8));
  const Image rgb = decoded(file, 3);
  ASSERT_EQ(rgb.pixels.size(), gray.pixels.size() * 3);
  for (std::size_t i = 0; i < rgb.pixels.size(); ++i) ASSERT_EQ(rgb.pixels[i], gray.pixels[i / 3]);
}

TEST(ImageFile, SixteenBitsAreScaledToEight) {
  const std::vector<std::uint8_t> rows = {0x00, 0x00, 0x80, 0x80, 0xFF, 0xFF, 0x12, 0xFF};
  const Image gray = decoded(encode_png(4, 1, rows, {PNG_COLOR_TYPE_GRAY, 16}), 1);
  EXPECT_EQ(gray.pixels, (std::vector<std::uint8_t>{0x00, 0x80, 0xFF, 0x13}));  // 0x12FF is nearer to 0x13
  const Image rgb = decoded(encode_png(4, 1, rows, {PNG_COLOR_TYPE_GRAY, 16}), 3);
  EXPECT_EQ(rgb.pixels[3], 0x80);
  EXPECT_EQ(rgb.pixels.size(), 12U);
}

TEST(ImageFile, PalettesAreResolvedAndFewBitsBecomeEight) {
  const std::vector<std::uint8_t> two_bits = {0b00'01'10'11};
  const Image colour = decoded(encode_png(4, 1, two_bits, {PNG_COLOR_TYPE_PALETTE, 2}), 3);
  EXPECT_EQ(colour.pixels, (std::vector<std::uint8_t>{10, 20, 30, 200, 100, 50, 0, 255, 0, 90, 90, 90}));
  const Image gray = decoded(encode_png(4, 1, two_bits, {PNG_COLOR_TYPE_GRAY, 2}), 1);
  EXPECT_EQ(gray.pixels, (std::vector<std::uint8_t>{0, 85, 170, 255}));
}

TEST(ImageFile, AlphaIsDroppedAndColoursStay) {
  const std::vector<std::uint8_t> rgba = {200, 100, 50, 0, 10, 20, 30, 128};
  const Image rgb = decoded(encode_png(2, 1, rgba, {PNG_COLOR_TYPE_RGB_ALPHA, 8}), 3);
  EXPECT_EQ(rgb.pixels, (std::vector<std::uint8_t>{200, 100, 50, 10, 20, 30}));
  const std::vector<std::uint8_t> gray_alpha = {200, 0, 10, 128};
  const Image gray = decoded(encode_png(2, 1, gray_alpha, {PNG_COLOR_TYPE_GRAY_ALPHA, 8}), 1);
  EXPECT_EQ(gray.pixels, (std::vector<std::uint8_t>{200, 10}));
}

TEST(ImageFile, AGammaChunkChangesNothing) {
  const Image picture = make_picture(20, 10);
  const std::string file = encode_png(20, 10, picture.pixels, {PNG_COLOR_TYPE_RGB, 8, false, true});
  ASSERT_NE(file.find("gAMA"), std::string::npos);
  EXPECT_TRUE(is_near(decoded(file, 3), picture, 0));
  EXPECT_TRUE(is_near(decoded(file, 1), gray_picture(picture), 1));
}

TEST(ImageFile, OtherChannelsAreACallersMistake) {
  const std::string file = encode_png(make_picture(8, 8));
  Image image;
  for (const int channels : {0, 2, 4, -1}) {
    EXPECT_TRUE(
        is_error(decode_image(bytes_of(file), channels, image), kInvalid, Reason::kInvalidArgument, "1"));
  }
}

TEST(ImageFile, AnotherSizeThanAskedForIsRefusedBeforeItIsDecoded) {
  const Image picture = make_picture(400, 300);
  for (const std::string& file : {encode_png(picture), encode_jpeg(picture)}) {
    Image image;
    EXPECT_TRUE(is_ok(decode_image(bytes_of(file), 3, image, {.width = 400, .height = 300})));
    const auto wrong = decode_image(bytes_of(file), 3, image, {.width = 30, .height = 40});
    EXPECT_TRUE(is_error(wrong, kInvalid, Reason::kShapeMismatch, "400 x 300"));
    EXPECT_TRUE(image.pixels.empty());
    // Half a file: its size is told before its end is missed.
    const auto half =
        decode_image(bytes_of(file).first(file.size() / 2), 3, image, {.width = 401, .height = 300});
    EXPECT_TRUE(is_error(half, kInvalid, Reason::kShapeMismatch));
  }
}

TEST(ImageFile, LimitsHoldForSidesAndBytes) {
  const Image picture = make_picture(40, 30);
  for (const std::string& file : {encode_png(picture), encode_jpeg(picture)}) {
    Image image;
    EXPECT_TRUE(is_ok(decode_image(bytes_of(file), 3, image, {.max_side = 40, .max_bytes = 3600})));
    EXPECT_TRUE(
        is_error(decode_image(bytes_of(file), 3, image, {.max_side = 39}), kInvalid, Reason::kTooLarge));
    EXPECT_TRUE(
        is_error(decode_image(bytes_of(file), 3, image, {.max_bytes = 3599}), kInvalid, Reason::kTooLarge));
  }
}

TEST(ReadImage, ReadsFilesAndFollowsLinks) {
  const TempFolder folder;
  const Image picture = make_picture(40, 30);
  const auto file = folder.write("a.png", encode_png(picture));
  std::filesystem::create_symlink(file, folder.path() / "link.png");
  std::vector<std::byte> buffer;
  Image image;
  EXPECT_TRUE(is_ok(read_image(file, 3, buffer, image)));
  EXPECT_TRUE(is_ok(read_image(folder.path() / "link.png", 3, buffer, image)));
  EXPECT_TRUE(is_near(image, picture, 0));
}

TEST(ReadImage, TheSecondReadAllocatesNothingOfOurs) {
  const TempFolder folder;
  const auto jpeg = folder.write("a.jpg", encode_jpeg(make_picture(64, 48)));
  const auto png = folder.write("a.png", encode_png(make_picture(64, 48)));
  for (const auto& file : {jpeg, png}) {
    std::vector<std::byte> buffer;
    Image image;
    bool is_read = true;
    const auto read = [&] { is_read = is_read && read_image(file, 1, buffer, image).ok(); };
    EXPECT_GT(skua::test::count_hot_path(read).allocations, 0U);  // the control
    EXPECT_EQ(skua::test::count_hot_path(read).allocations, 0U);
    EXPECT_TRUE(is_read);
  }
}

TEST(ReadImage, WhatIsNoPictureIsRefusedByNameWithoutWaiting) {
  const TempFolder folder;
  std::vector<std::byte> buffer;
  Image image = make_picture(4, 4);
  const auto read = [&](const std::string& name) {
    return read_image(folder.path() / name, 1, buffer, image);
  };
  EXPECT_TRUE(is_error(read("gone.png"), kInvalid, Reason::kNotFound, "gone.png"));
  EXPECT_TRUE(image.pixels.empty());
  ASSERT_EQ(mkfifo((folder.path() / "fifo.png").c_str(), 0600), 0);
  EXPECT_TRUE(is_error(read("fifo.png"), kInvalid, Reason::kNotRegularFile, "fifo.png"));
  std::filesystem::create_directory(folder.path() / "folder.png");
  EXPECT_TRUE(is_error(read("folder.png"), kInvalid, Reason::kNotRegularFile, "folder.png"));
  folder.write("empty.png", "");
  EXPECT_TRUE(is_error(read("empty.png"), kInvalid, Reason::kFrameUnreadable, "empty.png"));
  folder.write("text.jpg", "this is no picture at all, but a text\n");
  EXPECT_TRUE(is_error(read("text.jpg"), kInvalid, Reason::kFrameUnreadable, "text.jpg"));
  const auto huge = folder.write("huge.jpg", encode_jpeg(make_picture(8, 8)));
  EXPECT_TRUE(is_ok(read("huge.jpg")));  // the control
  std::filesystem::resize_file(huge, (std::uintmax_t{64} << 20U) + 1);
  EXPECT_TRUE(is_error(read("huge.jpg"), kInvalid, Reason::kTooLarge, "huge.jpg"));
}

}  // namespace
}  // namespace skua::image_file_tests
