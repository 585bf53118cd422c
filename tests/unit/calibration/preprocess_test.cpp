// preprocess.yaml: what it may say.
#include "calibration/preprocess.h"

#include <gtest/gtest.h>

#include "verdicts.h"

namespace skua::calibration::preprocess_tests {
namespace {

using skua::test::is_build_error;
using skua::test::is_ok;

testing::AssertionResult refuses(const std::string& text, const std::string& part) {
  return is_build_error(parse_preprocess(text), Reason::kDataSetMalformed,
                        "data set, preprocess.yaml" + part);
}

TEST(Preprocess, EveryKeyIsRead) {
  const auto found = parse_preprocess(
      "# as it was trained\n"
      "channels: bgr\n"
      "resize: {width: 640, height: 480}\n"
      "crop: {width: 224, height: 200}\n"
      "scale: 0.00392156862\n"
      "mean: [0.485, 0.456, 0.406]\n"
      "std:\n  - 0.229\n  - 0.224\n  - 0.225\n"
      "layout: nhwc\n");
  ASSERT_TRUE(is_ok(found));
  Preprocess expected;
  expected.channels = ImageChannels::kBgr;
  expected.resize = ImageSize{640, 480};
  expected.crop = ImageSize{224, 200};
  expected.scale = 0.00392156862;
  expected.mean = {0.485, 0.456, 0.406};
  expected.std = {0.229, 0.224, 0.225};
  expected.layout = ImageLayout::kNhwc;
  EXPECT_EQ(*found, expected);
}

TEST(Preprocess, WhatIsNotSaidIsNotDone) {
  const auto found = parse_preprocess("channels: gray\nlayout: nchw\n");
  ASSERT_TRUE(is_ok(found));
  Preprocess expected;
  expected.channels = ImageChannels::kGray;
  EXPECT_EQ(*found, expected);
  EXPECT_EQ(expected.scale, 1);
  EXPECT_EQ(expected.mean, (std::array<double, 3>{0, 0, 0}));
  EXPECT_EQ(expected.std, (std::array<double, 3>{1, 1, 1}));
}

TEST(Preprocess, OneNumberStandsForAllChannels) {
  const auto found = parse_preprocess("channels: rgb\nlayout: nchw\nmean: 127.5\nstd: 58\n");
  ASSERT_TRUE(is_ok(found));
  EXPECT_EQ(found->mean, (std::array<double, 3>{127.5, 127.5, 127.5}));
  EXPECT_EQ(found->std, (std::array<double, 3>{58, 58, 58}));
  const auto gray = parse_preprocess("channels: gray\nlayout: nchw\nmean: [7]\n");
  ASSERT_TRUE(is_ok(gray));
  EXPECT_EQ(gray->mean[0], 7);
}

const std::string kStart = "channels: rgb\nlayout: nchw\n";

TEST(Preprocess, UnknownRepeatedAndMissingKeysAreRefusedWithTheirPlace) {
  EXPECT_TRUE(is_ok(parse_preprocess(kStart))) << "the control";
  EXPECT_TRUE(refuses(kStart + "colour: rgb\n", ":3:1: unknown key 'colour'"));
  EXPECT_TRUE(refuses(kStart + "layout: nchw\n", ":3:1: layout is given twice"));
  EXPECT_TRUE(refuses("layout: nchw\n", ":1:1: channels is missing"));
  EXPECT_TRUE(refuses("channels: rgb\n", ":1:1: layout is missing"));
  EXPECT_TRUE(refuses(kStart + "resize: {width: 4}\n", ":3:9: resize.height is missing"));
  EXPECT_TRUE(
      refuses(kStart + "resize: {width: 4, height: 4, mode: cubic}\n", ":3:31: unknown key 'resize.mode'"));
}

TEST(Preprocess, ValuesThatAreNoneAreRefusedWithTheirPlace) {
  EXPECT_TRUE(refuses("channels: RGB\nlayout: nchw\n",
                      ":1:11: channels: expected one of rgb, bgr, gray, found 'RGB'"));
  EXPECT_TRUE(
      refuses("channels: rgb\nlayout: chw\n", ":2:9: layout: expected one of nchw, nhwc, found 'chw'"));
  for (const char* side : {"0", "-1", "16385", "1.5", "x", "", "99999999999999999999"}) {
    EXPECT_TRUE(refuses(kStart + "resize: {height: 4, width: " + side + "}\n", ":3:")) << side;
    EXPECT_TRUE(refuses(kStart + "crop: {height: " + side + ", width: 4}\n", ":3:")) << side;
  }
  for (const char* number : {"0", "-1", "x", "nan", "inf", "1e999", "", "[]", "[1, 2]", "{}", "~"}) {
    EXPECT_TRUE(refuses(kStart + "std: " + number + "\n", ":")) << number;
    EXPECT_TRUE(refuses(kStart + "scale: " + number + "\n", ":")) << number;
  }
  for (const char* number :
       {"x", "nan", "-inf", "1e999", "[1, 2]", "[1, 2, 3, 4]", "[1, x, 2]", "[1, [2], 3]"})
    EXPECT_TRUE(refuses(kStart + "mean: " + number + "\n", ":3:")) << number;
  EXPECT_TRUE(refuses("channels: gray\nlayout: nchw\nmean: [1, 2, 3]\n",
                      ":3:7: mean: expected one number, or a list of one for each of 1 channels"));
  EXPECT_TRUE(refuses(kStart + "resize: {width: 4, height: 9}\ncrop: {width: 5, height: 9}\n",
                      ":4:7: crop: expected at most the size that resize gives"));
  EXPECT_TRUE(
      refuses(kStart + "resize: {width: 4, height: 9}\ncrop: {width: 4, height: 10}\n", ":4:7: crop"));
  EXPECT_TRUE(
      is_ok(parse_preprocess(kStart + "resize: {width: 4, height: 9}\ncrop: {width: 4, height: 9}\n")));
}

TEST(Preprocess, TheFirstOfSeveralMistakesIsTold) {
  EXPECT_TRUE(refuses(kStart + "resize: {width: 4, height: 9}\ncrop: {width: 5, height: 9}\nscale: x\n",
                      ":5:8: scale: expected a number"));
  EXPECT_TRUE(
      refuses("channels: x\nlayout: y\nresize: 4\ncrop: 5\nscale: x\nmean: x\nstd: x\n", ":1:11: channels"));
}

TEST(Preprocess, WhatIsNoMappingIsRefused) {
  for (const char* text : {"", "channels", "- channels: rgb\n", "channels: rgb\n---\nlayout: nchw\n", "{",
                           "\x01", "channels: &a rgb\nlayout: *a\n", "\xff\xfe"}) {
    EXPECT_TRUE(refuses(text, ":")) << text;
  }
}

TEST(Preprocess, BoundedBeforeItIsRead) {
  const std::string comment = "#" + std::string(kMaxPreprocessBytes - kStart.size() - 1, ' ');
  EXPECT_TRUE(is_ok(parse_preprocess(kStart + comment)));
  EXPECT_TRUE(refuses(kStart + comment + " ", ": expected at most 65536 bytes, found 65537"));
}

}  // namespace
}  // namespace skua::calibration::preprocess_tests
