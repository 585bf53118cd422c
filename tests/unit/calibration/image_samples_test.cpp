// Images as inputs: values worked out by hand, and everything that cannot become one.
#include "calibration/image_samples.h"

#include <gtest/gtest.h>

#include "picture_files.h"
#include "samples_fixture.h"
#include "verdicts.h"

namespace skua::calibration::image_samples_tests {
namespace {

using skua::test::encode_jpeg;
using skua::test::encode_png;
using skua::test::is_build_error;
using skua::test::is_ok;
using namespace skua::calibration::sample_tests;  // NOLINT(google-build-using-namespace)

constexpr Reason kMalformed = Reason::kDataSetMalformed;

/// 2 x 2, red at the top left, then green, blue, and one of three values.
const Image kPicture{2, 2, 3, {255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30}};

TensorSpec image_input(DType dtype = DType::kFloat32, Shape shape = {1, 3, 2, 2}) {
  return input("images", dtype, shape);
}

Result<ImageSamples> open(const std::string& yaml, const TensorSpec& spec) {
  SKUA_ASSIGN_OR_RETURN(const Preprocess preprocess, parse_preprocess(yaml));
  return ImageSamples::create(preprocess, spec);
}

template <typename T = float>
std::vector<T> values(const std::string& yaml, const TensorSpec& spec, const Image& picture = kPicture) {
  const auto samples = open(yaml, spec);
  if (!samples.ok()) throw std::runtime_error(samples.error().message);
  const auto tensor = samples->decode(bytes_of(encode_png(picture)), "a.png");
  if (!tensor.ok()) throw std::runtime_error(tensor.error().message);
  EXPECT_EQ(tensor->view().dtype, spec.dtype);
  const auto found = tensor->as<T>();
  return {found.begin(), found.end()};
}

using Floats = std::vector<float>;
using Bytes = std::vector<std::uint8_t>;

TEST(ImageSamples, ChannelsAndLayoutAreThoseOfTheNetwork) {
  EXPECT_EQ(values("channels: rgb\nlayout: nchw", image_input()),
            (Floats{255, 0, 0, 10, 0, 255, 0, 20, 0, 0, 255, 30}));
  EXPECT_EQ(values("channels: bgr\nlayout: nchw", image_input()),
            (Floats{0, 0, 255, 30, 0, 255, 0, 20, 255, 0, 0, 10}));
  const TensorSpec last = image_input(DType::kFloat32, {1, 2, 2, 3});
  EXPECT_EQ(values("channels: rgb\nlayout: nhwc", last),
            (Floats{255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30}));
  EXPECT_EQ(values("channels: bgr\nlayout: nhwc", last),
            (Floats{0, 0, 255, 0, 255, 0, 255, 0, 0, 30, 20, 10}));
  // 0.299 R + 0.587 G + 0.114 B
  EXPECT_EQ(values("channels: gray\nlayout: nchw", image_input(DType::kFloat32, {1, 1, 2, 2})),
            (Floats{76, 150, 29, 18}));
}

TEST(ImageSamples, ScaleComesFirstThenMeanThenStd) {
  EXPECT_EQ(values("channels: rgb\nlayout: nchw\nscale: 0.5\nmean: [1, 2, 3]\nstd: [1, 2, 4]", image_input()),
            (Floats{126.5F, -1, -1, 4, -1, 62.75F, -1, 4, -0.75F, -0.75F, 31.125F, 3}));
  EXPECT_EQ(values("channels: bgr\nlayout: nchw\nmean: [0, 0, 5]", image_input())[8], 250)
      << "by the network's channels: red is the last";
  const Floats unit = values("channels: rgb\nlayout: nchw\nscale: 0.00392156862745098", image_input());
  EXPECT_EQ(unit[0], 1.0F);
  EXPECT_EQ(unit[3], static_cast<float>(10 / 255.0));
}

TEST(ImageSamples, AGrayImageHasOneMeanAndStdWhichAloneIsJudged) {
  const TensorSpec gray = image_input(DType::kFloat16, {1, 1, 2, 2});
  const auto bits = values<std::uint16_t>("channels: gray\nlayout: nchw\nscale: 257\nstd: [65535]", gray,
                                          Image{2, 2, 3, Bytes(12, 255)});
  EXPECT_EQ(bits, std::vector<std::uint16_t>(4, 0x3C00)) << "255 * 257 / 65535 is one";
  EXPECT_TRUE(is_build_error(open("channels: gray\nlayout: nchw\nscale: 257\nstd: [1]", gray), kMalformed,
                             "scale, mean and std that give values of float16"))
      << "the control";
}

TEST(ImageSamples, HalvesAreRoundedOnce) {
  const TensorSpec half = image_input(DType::kFloat16);
  const auto bits = values<std::uint16_t>("channels: rgb\nlayout: nchw", half);
  EXPECT_EQ(bits[0], 0x5BF8) << 255;
  EXPECT_EQ(bits[1], 0x0000);
  EXPECT_EQ(bits[3], 0x4900) << 10;
  // 10 / 255 lies between 0x2905 and 0x2906, nearer to the first.
  EXPECT_EQ(values<std::uint16_t>("channels: rgb\nlayout: nchw\nscale: 0.00392156862745098", half)[3],
            0x2905);
  EXPECT_EQ(values<std::uint16_t>("channels: rgb\nlayout: nchw\nmean: 11", half)[3], 0xBC00) << -1;
  // Below half's normal numbers: 10 steps of 2^-24.
  EXPECT_EQ(values<std::uint16_t>("channels: rgb\nlayout: nchw\nscale: 5.9604644775390625e-8", half)[3],
            0x000A);
}

TEST(ImageSamples, BytesAreTakenAsTheyAre) {
  const TensorSpec bytes = image_input(DType::kUInt8);
  EXPECT_EQ(values<std::uint8_t>("channels: rgb\nlayout: nchw", bytes),
            (Bytes{255, 0, 0, 10, 0, 255, 0, 20, 0, 0, 255, 30}));
  EXPECT_TRUE(is_ok(open("channels: rgb\nlayout: nchw\nscale: 1\nmean: 0\nstd: [1, 1, 1]", bytes)));
  for (const char* key : {"scale: 2", "mean: [0, 0, 1]", "std: 3"})
    EXPECT_TRUE(is_build_error(open("channels: rgb\nlayout: nchw\n" + std::string(key), bytes), kMalformed,
                               "expected no scale, mean or std for an input of uint8"));
}

Image gray_steps(int width, int height) {
  Image picture{width, height, 3, {}};
  for (int i = 0; i < width * height; ++i)
    picture.pixels.insert(picture.pixels.end(), 3, static_cast<std::uint8_t>(i));
  return picture;
}

TEST(ImageSamples, AnImageIsResizedAndThenCutFromItsMiddle) {
  const TensorSpec two = image_input(DType::kFloat32, {1, 1, 2, 2});
  EXPECT_EQ(values("channels: gray\nlayout: nchw\ncrop: {width: 2, height: 2}", two, gray_steps(4, 4)),
            (Floats{5, 6, 9, 10}));
  EXPECT_EQ(values("channels: gray\nlayout: nchw\ncrop: {width: 2, height: 2}", two, gray_steps(5, 3)),
            (Floats{1, 2, 6, 7}))
      << "what is left over is cut on the right and below";
  // 2 x 1, made 4 x 4: rows of 0, 25, 75, 100, of which the middle is left.
  const Image pair{2, 1, 3, {0, 0, 0, 100, 100, 100}};
  EXPECT_EQ(values("channels: gray\nlayout: nchw\nresize: {width: 4, height: 4}\ncrop: {width: 2, height: 2}",
                   two, pair),
            (Floats{25, 75, 25, 75}));
  EXPECT_EQ(values("channels: gray\nlayout: nchw\nresize: {width: 2, height: 2}", two, pair),
            (Floats{0, 100, 0, 100}));
}

TEST(ImageSamples, AJpegIsAnImageToo) {
  const auto samples = open("channels: gray\nlayout: nchw", image_input(DType::kFloat32, {1, 1, -1, -1}));
  ASSERT_TRUE(is_ok(samples));
  const auto tensor = samples->decode(bytes_of(encode_jpeg(skua::test::make_picture(16, 8))), "a.jpg");
  ASSERT_TRUE(is_ok(tensor));
  EXPECT_EQ(tensor->view().shape, Shape({1, 1, 8, 16}));
}

testing::AssertionResult refuses(const TensorSpec& spec, const std::string& part,
                                 const std::string& yaml = "channels: rgb\nlayout: nchw") {
  return is_build_error(open(yaml, spec), kMalformed, "data set, preprocess.yaml: expected " + part);
}

TEST(ImageSamples, AnInputThatNoImageCanBecomeIsRefusedAtOnce) {
  EXPECT_TRUE(is_ok(open("channels: rgb\nlayout: nchw", image_input(DType::kFloat32, {-1, -1, -1, -1}))));
  EXPECT_TRUE(refuses(image_input(DType::kInt64), "an input of 4 dimensions"));
  EXPECT_TRUE(refuses(image_input(DType::kFloat32, {3, 2, 2}), "an input of 4 dimensions"));
  EXPECT_TRUE(
      refuses(image_input(DType::kFloat32, {2, 3, 2, 2}), "shape 2x3x2x2 for input 'images', found 1x3x2x2"));
  EXPECT_TRUE(
      refuses(image_input(DType::kFloat32, {1, 1, 2, 2}), "shape 1x1x2x2 for input 'images', found 1x3x2x2"));
  EXPECT_TRUE(refuses(image_input(DType::kFloat32, {1, 2, 2, 3}), "shape 1x2x2x3"));
  EXPECT_TRUE(refuses(image_input(), "shape 1x3x2x2 for input 'images', found 1x3x4x5",
                      "channels: rgb\nlayout: nchw\nresize: {width: 5, height: 4}"));
  EXPECT_TRUE(refuses(image_input(DType::kFloat16), "scale, mean and std that give values of float16",
                      "channels: rgb\nlayout: nchw\nscale: 300"));
  EXPECT_TRUE(refuses(image_input(), "scale, mean and std that give values of float32",
                      "channels: rgb\nlayout: nchw\nstd: 1e-300"));
}

TEST(ImageSamples, MoreThanASampleMayHoldIsRefusedBeforeAnImageIsRead) {
  const TensorSpec any = image_input(DType::kFloat32, {-1, -1, -1, -1});
  const std::string yaml = "channels: rgb\nlayout: nchw\nresize: {width: 16384, height: ";
  EXPECT_TRUE(refuses(any, "at most ", yaml + "16384}"));
  EXPECT_TRUE(is_ok(open(yaml + "8192}", any))) << "the control";
  EXPECT_TRUE(is_ok(open(yaml + "16384}", image_input(DType::kUInt8, {-1, -1, -1, -1}))));
  EXPECT_TRUE(refuses(any, "at most ", yaml + "10922}")) << "2 GiB less 128 KiB: the names may need them";
}

TEST(ImageSamples, WhatToDoFitsWhatIsWrong) {
  const auto told = [](const TensorSpec& spec, const std::string& yaml) {
    return open(yaml, spec).error().message;
  };
  const std::string plain = "channels: rgb\nlayout: nchw";
  const auto ends = [](const std::string& text, const std::string& end) {
    return text.ends_with(end) ? "" : text;
  };
  EXPECT_EQ(ends(told(image_input(DType::kInt64), plain), "; give .npz samples for such a network"), "");
  EXPECT_EQ(ends(told(image_input(DType::kUInt8), plain + "\nstd: 3"),
                 "; take them out, or give the network an input of floats"),
            "");
  EXPECT_EQ(ends(told(image_input(DType::kFloat32, {1, 1, 2, 2}), plain),
                 "; change it, or give the network that it is for"),
            "");
}

TEST(ImageSamples, AnImageOfAnotherSizeIsRefusedByName) {
  const auto decoded = [](const std::string& yaml, const Image& picture, const TensorSpec& spec) {
    return open(yaml, spec).value().decode(bytes_of(encode_png(picture)), "f/a.png");
  };
  const std::string plain = "channels: rgb\nlayout: nchw";
  EXPECT_TRUE(is_build_error(decoded(plain, gray_steps(3, 2), image_input()), kMalformed,
                             "data set, f/a.png: expected shape 1x3x2x2 for input 'images', found 1x3x2x3"));
  EXPECT_TRUE(is_build_error(
      decoded(plain + "\ncrop: {width: 2, height: 2}", gray_steps(4, 1), image_input()), kMalformed,
      "f/a.png: expected at least the 2 x 2 pixels that crop leaves, found 4 x 1"));
  const TensorSpec bounded = input("images", DType::kFloat32, {1, 3, -1, -1}, {1, 3, 2, 2});
  EXPECT_TRUE(is_build_error(decoded(plain, gray_steps(3, 2), bounded), kMalformed, "at most 1x3x2x2"));
}

TEST(ImageSamples, NoDamageOfAPngIsUsedUnseen) {
  const ImageSamples samples =
      open("channels: rgb\nlayout: nchw", image_input(DType::kFloat32, {1, 3, -1, -1})).value();
  const std::string whole = encode_png(skua::test::make_picture(6, 5));
  const auto read = [&](const std::string& file) -> Result<Floats> {
    SKUA_ASSIGN_OR_RETURN(const Tensor tensor, samples.decode(bytes_of(file), "a.png"));
    return Floats(tensor.as<float>().begin(), tensor.as<float>().end());
  };
  const Floats expected = read(whole).value();
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_TRUE(is_build_error(read(whole.substr(0, size)), kMalformed, "a.png")) << size;
  std::size_t refused = 0;
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    const auto found = read(flipped);
    if (found.ok()) {
      EXPECT_EQ(*found, expected) << bit;
      continue;
    }
    EXPECT_TRUE(is_build_error(found, kMalformed, "a.png")) << bit;
    ++refused;
  }
  EXPECT_GT(refused, 6 * 5 * 3U) << "the control";
}

TEST(ImageSamples, NoCutOrFlipOfAJpegEndsBadly) {
  const ImageSamples samples =
      open("channels: rgb\nlayout: nchw", image_input(DType::kFloat32, {1, 3, -1, -1})).value();
  const std::string whole = encode_jpeg(skua::test::make_picture(6, 5));
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_TRUE(is_build_error(samples.decode(bytes_of(whole.substr(0, size)), "a.jpg"), kMalformed, "a.jpg"))
        << size;
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {  // a JPEG has no check sum: other values pass
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    const auto found = samples.decode(bytes_of(flipped), "a.jpg");
    if (found.ok()) continue;
    EXPECT_TRUE(is_build_error(found, kMalformed, "a.jpg")) << bit;
  }
}

}  // namespace
}  // namespace skua::calibration::image_samples_tests
