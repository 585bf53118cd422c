// Damaged and malicious picture files: refused or a whole picture, never a crash and never half of one.
#include <gtest/gtest.h>
#include <zlib.h>

#include <random>

#include "counts.h"
#include "image/image_file.h"
#include "picture_files.h"
#include "verdicts.h"

namespace skua::image_hostile_tests {
namespace {

using namespace skua::test;  // NOLINT(google-build-using-namespace)
constexpr ErrorCode kInvalid = ErrorCode::kInvalidArgument;
const ImageLimits kSmall{.max_side = 4096, .max_bytes = std::uint64_t{64} << 20U};

Status decode(const std::string& file, const ImageLimits& limits = {}, int channels = 3) {
  Image image;
  Status status = decode_image(bytes_of(file), channels, image, limits);
  const auto wanted = static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height) *
                      static_cast<std::size_t>(channels);
  EXPECT_EQ(image.pixels.size(), wanted);
  EXPECT_EQ(image.pixels.empty(), !status.ok());
  return status;
}

std::vector<std::string> jpegs() {
  const Image picture = make_picture(96, 64);
  return {encode_jpeg(picture), encode_jpeg(picture, JpegKind::kProgressive),
          encode_jpeg(picture, JpegKind::kGray)};
}

std::vector<std::string> pngs() {
  const Image picture = make_picture(96, 64);
  const std::vector<std::uint8_t> indices(96 * 64 / 4, 0b00'01'10'11);
  return {encode_png(picture), encode_png(picture, true),
          encode_png(96, 64, indices, {PNG_COLOR_TYPE_PALETTE, 2, true, true})};
}

TEST(ImageHostile, EveryTruncationIsAnErrorAndNoHalfPicture) {
  std::vector<std::string> files = jpegs();
  for (const std::string& png : pngs()) files.push_back(png);
  for (const std::string& file : files) {
    EXPECT_TRUE(is_ok(decode(file)));  // the control
    for (std::size_t part = 0; part < 64; ++part) {
      EXPECT_TRUE(
          is_error(decode(file.substr(0, file.size() * part / 64)), kInvalid, Reason::kFrameUnreadable))
          << part;
    }
    for (std::size_t cut = 1; cut <= 32; ++cut) {
      EXPECT_TRUE(is_error(decode(file.substr(0, file.size() - cut)), kInvalid, Reason::kFrameUnreadable))
          << cut;
    }
  }
}

TEST(ImageHostile, BytesBehindThePictureAreIgnored) {
  for (const std::string& file : {jpegs()[0], pngs()[0]})
    EXPECT_TRUE(is_ok(decode(file + std::string(1000, 'x'))));
}

std::string flipped(std::string file, std::mt19937_64& random) {
  const std::size_t flips = 1 + random() % 3;
  for (std::size_t i = 0; i < flips; ++i) {
    char& byte = file[random() % file.size()];
    byte = static_cast<char>(byte ^ static_cast<char>(1 + random() % 255));
  }
  return file;
}

// Pixels that a damaged JPEG decodes to without a complaint cannot be told from others.
TEST(ImageHostile, AJpegWithFlippedBytesIsRefusedOrAWholePicture) {
  std::mt19937_64 random(1);
  const auto files = jpegs();
  std::int64_t refused = 0;
  const std::int64_t rounds = skua_test::count("image_flips");
  for (std::int64_t round = 0; round < rounds; ++round) {
    const Status status =
        decode(flipped(files[random() % files.size()], random), kSmall, round % 2 == 0 ? 1 : 3);
    if (status.ok()) continue;
    ++refused;
    ASSERT_EQ(status.error().code, kInvalid) << status.error().describe();
  }
  EXPECT_GT(refused, 0);
  EXPECT_LT(refused, rounds);
}

// Each byte of a PNG lies in a length, in what a check sum covers, or in a check sum. Two flips may undo each
// other, so one it is.
TEST(ImageHostile, APngWithAFlippedByteIsAlwaysRefused) {
  std::mt19937_64 random(2);
  const auto files = pngs();
  for (std::int64_t round = 0; round < skua_test::count("image_flips"); ++round) {
    std::string file = files[random() % files.size()];
    const std::size_t at = random() % file.size();
    file[at] = static_cast<char>(file[at] ^ static_cast<char>(1 + random() % 255));
    const Status status = decode(file, kSmall, round % 2 == 0 ? 1 : 3);
    ASSERT_FALSE(status.ok()) << "byte " << at;
    ASSERT_EQ(status.error().code, kInvalid) << status.error().describe();
  }
}

// Height and width stand behind the marker FF Cn, its length and the precision.
std::string with_jpeg_size(std::string file, unsigned width, unsigned height) {
  for (std::size_t at = 2; at + 9 < file.size(); ++at) {
    const auto marker = static_cast<unsigned char>(file[at + 1]);
    if (file[at] != '\xFF' || marker < 0xC0 || marker > 0xC2) continue;
    const char size[] = {static_cast<char>(height >> 8U), static_cast<char>(height),
                         static_cast<char>(width >> 8U), static_cast<char>(width)};
    return file.replace(at + 5, 4, size, 4);
  }
  ADD_FAILURE() << "no frame header";
  return file;
}

// Width and height are the first eight bytes of IHDR's data; its check sum is made right again.
std::string with_png_size(std::string file, std::uint32_t width, std::uint32_t height) {
  const auto put = [&](std::size_t at, std::uint32_t value) {
    for (std::size_t i = 0; i < 4; ++i) file[at + i] = static_cast<char>(value >> (24 - 8 * i));
  };
  put(16, width);
  put(20, height);
  put(29, static_cast<std::uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(file.data() + 12), 17)));
  return file;
}

TEST(ImageHostile, AHeaderThatClaimsTooMuchIsRefusedBeforeMemoryIsTaken) {
  const std::string jpeg = jpegs()[0], png = pngs()[0];
  EXPECT_TRUE(is_ok(decode(with_jpeg_size(jpeg, 96, 64))));  // the controls
  EXPECT_TRUE(is_ok(decode(with_png_size(png, 96, 64))));
  for (const std::string& file : {with_jpeg_size(jpeg, 65500, 65500), with_png_size(png, 65535, 65535),
                                  with_png_size(png, 16385, 1), with_jpeg_size(jpeg, 8, 16385)}) {
    EXPECT_TRUE(is_error(decode(file), kInvalid, Reason::kTooLarge, "16384"));
  }
  const ImageLimits wide{.max_side = 70000};
  EXPECT_TRUE(
      is_error(decode(with_jpeg_size(jpeg, 65500, 65500), wide), kInvalid, Reason::kTooLarge, "65500"));
  EXPECT_TRUE(is_error(decode(with_png_size(png, 65535, 65535), wide), kInvalid, Reason::kTooLarge, "65535"));
  // Beyond what the formats or libraries themselves know.
  EXPECT_TRUE(is_error(decode(with_jpeg_size(jpeg, 65535, 65535)), kInvalid, Reason::kFrameUnreadable));
  EXPECT_TRUE(
      is_error(decode(with_png_size(png, 0x7FFFFFFF, 0x7FFFFFFF)), kInvalid, Reason::kFrameUnreadable));
  EXPECT_TRUE(is_error(decode(with_png_size(png, 0, 64)), kInvalid, Reason::kFrameUnreadable));
}

// From its length to its check sum, which is right.
std::string png_chunk(const std::string& type_and_data) {
  const auto size = static_cast<std::uint32_t>(type_and_data.size() - 4);
  const auto sum = static_cast<std::uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(type_and_data.data()),
                                                    static_cast<uInt>(type_and_data.size())));
  std::string chunk;
  for (const std::uint32_t value : {size, sum}) {
    for (int shift = 24; shift >= 0; shift -= 8) chunk += static_cast<char>(value >> shift);
  }
  return chunk.insert(4, type_and_data);
}

constexpr std::size_t kBehindHeader = 33;  // signature, IHDR

TEST(ImageHostile, AChunkThatMakesNoPixelsIsSteppedOverWhateverItHolds) {
  const std::string good = pngs()[0];
  for (const std::string chunk :
       {"gAMA!", "tIMEx", "iCCPno profile at all", "zTXtkey", "sBIT", "abCdunknown"}) {
    std::string file = good;
    EXPECT_TRUE(is_ok(decode(file.insert(kBehindHeader, png_chunk(chunk))))) << chunk;
    std::string damaged = png_chunk(chunk);
    damaged.back() = static_cast<char>(damaged.back() ^ 1);
    EXPECT_FALSE(decode(std::string(good).insert(kBehindHeader, damaged)).ok()) << chunk;
  }
  // One that may make pixels and is not known.
  EXPECT_FALSE(decode(std::string(good).insert(kBehindHeader, png_chunk("ABCDunknown"))).ok());
}

// The pixels' own check sum (Adler-32, at the end of the compressed data), within a chunk whose sum is right.
TEST(ImageHostile, AWrongCheckSumOfThePixelsIsAnError) {
  const std::string good = pngs()[0];
  const std::size_t type = good.find("IDAT"), end = good.rfind("IEND") - 8;
  ASSERT_EQ(good.find("IDAT", type + 4), std::string::npos);
  std::string data = good.substr(type, end - type);
  const auto with = [&](const std::string& chunk) {
    return good.substr(0, type - 4) + png_chunk(chunk) + good.substr(end + 4);
  };
  EXPECT_EQ(with(data), good);  // the control
  data.back() = static_cast<char>(data.back() ^ 1);
  EXPECT_FALSE(decode(with(data)).ok());
}

// Too little data for the header's size, or too much: one of the two is damaged.
TEST(ImageHostile, ASizeThatIsNotTheDatasIsRefused) {
  for (const unsigned height : {32U, 48U, 63U, 73U, 128U, 1000U}) {
    EXPECT_FALSE(decode(with_png_size(pngs()[0], 96, height), kSmall).ok()) << height;
    if (height == 63U) continue;  // of the same blocks of 8 rows
    EXPECT_FALSE(decode(with_jpeg_size(jpegs()[0], 96, height), kSmall).ok()) << height;
  }
}

// A progressive picture's coefficients lie in memory whole: they count against the bound.
TEST(ImageHostile, AProgressiveJpegsOwnMemoryIsBounded) {
  const std::string file = encode_jpeg(make_picture(512, 512), JpegKind::kProgressive);
  EXPECT_TRUE(is_ok(decode(file, {.max_bytes = std::uint64_t{8} << 20U}, 1)));
  EXPECT_FALSE(decode(file, {.max_bytes = 512 * 512}, 1).ok());
  EXPECT_TRUE(is_ok(decode(encode_jpeg(make_picture(512, 512)), {.max_bytes = 512 * 512}, 1)));
}

TEST(ImageHostile, AJpegOfVeryManyScansIsRefused) {
  const Image picture = make_picture(96, 64);
  EXPECT_TRUE(is_ok(decode(encode_jpeg(picture, JpegKind::kProgressive))));
  const auto many = decode(encode_jpeg(picture, JpegKind::kScanPerCoefficient));
  EXPECT_TRUE(is_error(many, kInvalid, Reason::kFrameUnreadable, "scans"));
}

TEST(ImageHostile, ACmykJpegIsRefused) {
  const std::string file = encode_jpeg(make_picture(16, 16), JpegKind::kCmyk);
  for (const int channels : {1, 3}) {
    EXPECT_TRUE(is_error(decode(file, {}, channels), kInvalid, Reason::kFrameUnreadable));
  }
}

TEST(ImageHostile, BeginningsAloneAreNoPictures) {
  for (const std::string& start :
       {std::string("\xFF\xD8\xFF"), std::string("\xFF\xD8\xFF\xE0"), std::string("\x89PNG\r\n\x1A\n"),
        std::string("\xFF\xD8"), std::string("\x89PNG"), std::string("GIF89a"), std::string(1, '\0'),
        std::string()}) {
    EXPECT_TRUE(is_error(decode(start), kInvalid, Reason::kFrameUnreadable));
    EXPECT_TRUE(is_error(decode(start + std::string(100, '\0')), kInvalid, Reason::kFrameUnreadable));
    EXPECT_TRUE(is_error(decode(start + std::string(100, '\xFF')), kInvalid, Reason::kFrameUnreadable));
  }
}

// One object through good and bad files in turn: an error leaves nothing behind in it.
TEST(ImageHostile, AnErrorDoesNotSpoilTheNextPicture) {
  const Image picture = make_picture(40, 30);
  const std::string good = encode_png(picture);
  Image image;
  for (const std::string& bad :
       {good.substr(0, good.size() / 2), jpegs()[0].substr(0, 500), std::string("x")}) {
    EXPECT_FALSE(decode_image(bytes_of(bad), 3, image).ok());
    EXPECT_EQ(image.width + image.height + image.channels, 0);
    ASSERT_TRUE(is_ok(decode_image(bytes_of(good), 3, image)));
    EXPECT_EQ(image.pixels, picture.pixels);
  }
}

}  // namespace
}  // namespace skua::image_hostile_tests
