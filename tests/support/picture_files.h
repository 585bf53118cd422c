// Pictures and picture files for tests, made by libjpeg and libpng themselves.
#pragma once

#include <cstddef>
#include <cstdio>  // jpeglib.h needs both

#include <jpeglib.h>
#include <png.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "bytes_of.h"
#include "image/image_file.h"

namespace skua::test {

/// Smooth, colourful, without saturated values, so that JPEG changes it little.
inline Image make_picture(int width, int height) {
  Image image{width, height, 3, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      image.pixels.push_back(static_cast<std::uint8_t>(128 + 80 * std::sin(x * 0.11)));
      image.pixels.push_back(static_cast<std::uint8_t>(128 + 80 * std::sin(y * 0.07 + 1)));
      image.pixels.push_back(static_cast<std::uint8_t>(128 + 80 * std::sin((x + y) * 0.05 + 2)));
    }
  }
  return image;
}

inline std::uint8_t gray_of(const std::uint8_t* rgb) {
  return static_cast<std::uint8_t>(std::lround(0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]));
}

enum class JpegKind { kBaseline, kProgressive, kScanPerCoefficient, kGray, kRgb, kCmyk };

/// One scan for each coefficient of each channel: 190.
inline std::vector<jpeg_scan_info> scan_per_coefficient() {
  std::vector<jpeg_scan_info> scans = {{3, {0, 1, 2, 0}, 0, 0, 0, 0}};
  for (int channel = 0; channel < 3; ++channel) {
    for (int k = 1; k < 64; ++k) scans.push_back({1, {channel, 0, 0, 0}, k, k, 0, 0});
  }
  return scans;
}

inline void set_kind(jpeg_compress_struct& encoder, JpegKind kind, const std::vector<jpeg_scan_info>& scans) {
  encoder.input_components = kind == JpegKind::kCmyk ? 4 : 3;
  encoder.in_color_space = kind == JpegKind::kCmyk ? JCS_CMYK : JCS_RGB;
  jpeg_set_defaults(&encoder);
  if (kind == JpegKind::kGray) jpeg_set_colorspace(&encoder, JCS_GRAYSCALE);
  if (kind == JpegKind::kRgb) jpeg_set_colorspace(&encoder, JCS_RGB);
  if (kind == JpegKind::kProgressive) jpeg_simple_progression(&encoder);
  if (kind == JpegKind::kScanPerCoefficient) {
    encoder.scan_info = scans.data();
    encoder.num_scans = static_cast<int>(scans.size());
  }
  jpeg_set_quality(&encoder, 95, TRUE);
}

inline std::string encode_jpeg(const Image& image, JpegKind kind = JpegKind::kBaseline) {
  jpeg_compress_struct encoder{};
  jpeg_error_mgr errors{};
  encoder.err = jpeg_std_error(&errors);
  jpeg_create_compress(&encoder);
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&encoder, &memory, &size);
  encoder.image_width = static_cast<JDIMENSION>(image.width);
  encoder.image_height = static_cast<JDIMENSION>(image.height);
  const auto scans = scan_per_coefficient();
  set_kind(encoder, kind, scans);
  jpeg_start_compress(&encoder, TRUE);
  std::vector<std::uint8_t> row(static_cast<std::size_t>(image.width) * 4, 100);
  while (encoder.next_scanline < encoder.image_height) {
    const std::size_t row_bytes = static_cast<std::size_t>(image.width) * 3;
    if (kind != JpegKind::kCmyk) {
      std::copy_n(image.pixels.begin() + static_cast<std::ptrdiff_t>(row_bytes * encoder.next_scanline),
                  row_bytes, row.begin());
    }
    JSAMPROW pointer = row.data();
    jpeg_write_scanlines(&encoder, &pointer, 1);
  }
  jpeg_finish_compress(&encoder);
  jpeg_destroy_compress(&encoder);
  std::string file(reinterpret_cast<char*>(memory), size);
  std::free(memory);
  return file;
}

struct PngKind {
  int color_type = PNG_COLOR_TYPE_RGB;
  int bit_depth = 8;
  bool is_interlaced = false;
  bool has_gamma = false;
};

/// `rows`: packed as the kind wants them, each `row_bytes` long.
inline std::string encode_png(int width, int height, const std::vector<std::uint8_t>& rows,
                              PngKind kind = {}) {
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  std::string file;
  const auto write = [](png_structp to, png_bytep bytes, std::size_t size) {
    static_cast<std::string*>(png_get_io_ptr(to))->append(reinterpret_cast<char*>(bytes), size);
  };
  png_set_write_fn(png, &file, write, nullptr);
  png_set_IHDR(png, info, static_cast<png_uint_32>(width), static_cast<png_uint_32>(height), kind.bit_depth,
               kind.color_type, kind.is_interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_color palette[4] = {{10, 20, 30}, {200, 100, 50}, {0, 255, 0}, {90, 90, 90}};
  if (kind.color_type == PNG_COLOR_TYPE_PALETTE) png_set_PLTE(png, info, palette, 4);
  if (kind.has_gamma) png_set_gAMA(png, info, 1.0);
  png_write_info(png, info);
  std::vector<png_bytep> pointers;
  const std::size_t row_bytes = rows.size() / static_cast<std::size_t>(height);
  for (int y = 0; y < height; ++y) {
    pointers.push_back(const_cast<png_bytep>(rows.data() + row_bytes * static_cast<std::size_t>(y)));
  }
  png_write_image(png, pointers.data());
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return file;
}

inline std::string encode_png(const Image& rgb, bool is_interlaced = false) {
  return encode_png(rgb.width, rgb.height, rgb.pixels, {PNG_COLOR_TYPE_RGB, 8, is_interlaced, false});
}

}  // namespace skua::test
