#include <csetjmp>
#include <cstdio>  // jpeglib.h needs FILE

#include <jpeglib.h>

#include <algorithm>
#include <array>
#include <limits>
#include <string>

#include "image/image_decoders.h"

namespace skua {
namespace {

// A progressive file may repeat scans over the whole picture for a few bytes each; cameras and tools write
// about ten.
constexpr int kMostScans = 64;

// libjpeg reports by a call that must not return. Functions that set `jump`, and those between them and
// libjpeg, hold no object with a destructor.
struct JpegErrors {
  jpeg_error_mgr base;  // first: libjpeg knows only this part
  std::jmp_buf jump;
  std::array<char, JMSG_LENGTH_MAX> message;
};

[[noreturn]] void leave(j_common_ptr decoder) {
  auto* errors = reinterpret_cast<JpegErrors*>(decoder->err);
  (*decoder->err->format_message)(decoder, errors->message.data());
  std::longjmp(errors->jump, 1);
}

// Levels below 0 are warnings: damaged data that libjpeg would make a picture from. The others are traces.
void on_message(j_common_ptr decoder, int level) {
  if (level < 0) leave(decoder);
}

void on_output(j_common_ptr /*decoder*/) {}  // instead of stderr

void on_progress(j_common_ptr decoder) {
  if (reinterpret_cast<j_decompress_ptr>(decoder)->input_scan_number <= kMostScans) return;
  auto* errors = reinterpret_cast<JpegErrors*>(decoder->err);
  std::snprintf(errors->message.data(), errors->message.size(), "more than %d scans", kMostScans);
  std::longjmp(errors->jump, 1);
}

/// A decoder with its errors and its end.
class Jpeg {
 public:
  explicit Jpeg(std::uint64_t max_bytes) noexcept {
    decoder_.err = jpeg_std_error(&errors_.base);
    errors_.base.error_exit = [](j_common_ptr decoder) { leave(decoder); };
    errors_.base.emit_message = on_message;
    errors_.base.output_message = on_output;
    progress_.progress_monitor = on_progress;
    max_bytes_ = static_cast<long>(
        std::min<std::uint64_t>(max_bytes, static_cast<std::uint64_t>(std::numeric_limits<long>::max())));
  }
  Jpeg(const Jpeg&) = delete;
  Jpeg& operator=(const Jpeg&) = delete;
  ~Jpeg() { jpeg_destroy_decompress(&decoder_); }  // harmless before jpeg_create_decompress: zeroed

  /// These two are false when libjpeg gave up; message() then says why.
  bool read_header(const unsigned char* file, unsigned long bytes, J_COLOR_SPACE wanted) noexcept;
  bool read_pixels(unsigned char* pixels, std::size_t row_bytes) noexcept;

  unsigned width() const noexcept { return decoder_.output_width; }
  unsigned height() const noexcept { return decoder_.output_height; }
  const char* message() const noexcept { return errors_.message.data(); }

 private:
  jpeg_decompress_struct decoder_{};
  JpegErrors errors_{};
  jpeg_progress_mgr progress_{};
  long max_bytes_ = 0;
};

bool Jpeg::read_header(const unsigned char* file, unsigned long bytes, J_COLOR_SPACE wanted) noexcept {
  if (setjmp(errors_.jump) != 0) return false;
  jpeg_create_decompress(&decoder_);
  decoder_.progress = &progress_;
  // Of a progressive picture's coefficients; without a backing store libjpeg refuses what needs more.
  decoder_.mem->max_memory_to_use = max_bytes_;
  jpeg_mem_src(&decoder_, file, bytes);
  jpeg_read_header(&decoder_, TRUE);
  decoder_.out_color_space = wanted;
  decoder_.dct_method = JDCT_ISLOW;  // the default, but not of every build: the same pixels everywhere
  jpeg_calc_output_dimensions(&decoder_);
  return true;
}

bool Jpeg::read_pixels(unsigned char* pixels, std::size_t row_bytes) noexcept {
  if (setjmp(errors_.jump) != 0) return false;
  jpeg_start_decompress(&decoder_);
  while (decoder_.output_scanline < decoder_.output_height) {
    JSAMPROW row = pixels + row_bytes * decoder_.output_scanline;
    jpeg_read_scanlines(&decoder_, &row, 1);
  }
  jpeg_finish_decompress(&decoder_);  // to the end mark: rows that the header does not count would pass
  return true;
}

}  // namespace

bool is_jpeg(std::span<const std::byte> file) noexcept {
  constexpr std::array kStart = {std::byte{0xFF}, std::byte{0xD8}, std::byte{0xFF}};
  return file.size() >= kStart.size() && std::equal(kStart.begin(), kStart.end(), file.begin());
}

Status decode_jpeg(std::span<const std::byte> file, int channels, Image& image, const ImageLimits& limits) {
  Jpeg jpeg(limits.max_bytes);
  const auto* bytes = reinterpret_cast<const unsigned char*>(file.data());
  if (!jpeg.read_header(bytes, file.size(), channels == 1 ? JCS_GRAYSCALE : JCS_RGB)) {
    return unreadable("JPEG", jpeg.message());
  }
  SKUA_RETURN_IF_ERROR(make_room(jpeg.width(), jpeg.height(), channels, image, limits));
  const std::size_t row_bytes = std::size_t{jpeg.width()} * static_cast<std::size_t>(channels);
  if (!jpeg.read_pixels(image.pixels.data(), row_bytes)) return unreadable("JPEG", jpeg.message());
  return {};
}

}  // namespace skua
