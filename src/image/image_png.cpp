#include <csetjmp>

#include <png.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <string>

#include "image/image_decoders.h"

namespace skua {
namespace {

constexpr std::size_t kSignatureBytes = 8;
constexpr png_alloc_size_t kMostChunkBytes = 1U << 20U;  // of what a chunk unpacks to; a palette has 768

/// A decoder over bytes in memory. libpng reports by a call that must not return: the functions that set
/// `jump_`, and those between them and libpng, hold no object with a destructor.
class Png {
 public:
  explicit Png(std::span<const std::byte> file) noexcept : file_(file) {}
  Png(const Png&) = delete;
  Png& operator=(const Png&) = delete;
  ~Png() { png_destroy_read_struct(&png_, &info_, nullptr); }

  /// These two are false when libpng gave up; message() then says why. Palettes, depths and alpha become gray
  /// or RGB of 8 bits; gray becomes RGB when `wants_rgb`.
  bool read_header(bool wants_rgb) noexcept;
  bool read_pixels(unsigned char* pixels) noexcept;

  png_uint_32 width() const noexcept { return png_get_image_width(png_, info_); }
  png_uint_32 height() const noexcept { return png_get_image_height(png_, info_); }
  int channels() const noexcept { return png_get_channels(png_, info_); }
  const char* message() const noexcept { return message_.data(); }

 private:
  [[noreturn]] static void on_error(png_structp png, png_const_charp message);
  static void on_warning(png_structp /*png*/, png_const_charp /*message*/) {}
  static void on_read(png_structp png, png_bytep into, std::size_t bytes);
  void be_strict() noexcept;
  void choose_form(bool wants_rgb) noexcept;

  std::span<const std::byte> file_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  int passes_ = 1;
  std::jmp_buf jump_{};
  std::array<char, 200> message_{};
};

void Png::on_error(png_structp png, png_const_charp message) {
  auto* self = static_cast<Png*>(png_get_error_ptr(png));
  std::snprintf(self->message_.data(), self->message_.size(), "%s", message);
  std::longjmp(self->jump_, 1);
}

void Png::on_read(png_structp png, png_bytep into, std::size_t bytes) {
  auto* self = static_cast<Png*>(png_get_io_ptr(png));
  if (bytes > self->file_.size()) png_error(png, "the file ends too early");
  std::memcpy(into, self->file_.data(), bytes);
  self->file_ = self->file_.subspan(bytes);
}

void Png::be_strict() noexcept {
  png_set_crc_action(png_, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
  png_set_benign_errors(png_, 0);  // more pixels than the header says are "benign" to libpng
  // Chunks that do not make pixels (text, profiles, gamma) are stepped over unread, with their check sums.
  png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  png_set_chunk_malloc_max(png_, kMostChunkBytes);
}

void Png::choose_form(bool wants_rgb) noexcept {
  png_set_expand(png_);  // palettes to RGB, fewer than 8 bits to 8, transparent colours to alpha
  png_set_scale_16(png_);
  png_set_strip_alpha(png_);
  if (wants_rgb) png_set_gray_to_rgb(png_);
  passes_ = png_set_interlace_handling(png_);
}

bool Png::read_header(bool wants_rgb) noexcept {
  if (setjmp(jump_) != 0) return false;
  png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning);
  info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
  if (info_ == nullptr) {
    std::snprintf(message_.data(), message_.size(), "libpng has no memory, or is of another version");
    return false;
  }
  png_set_read_fn(png_, this, on_read);
  be_strict();
  png_read_info(png_, info_);
  choose_form(wants_rgb);
  png_read_update_info(png_, info_);
  return true;
}

bool Png::read_pixels(unsigned char* pixels) noexcept {
  if (setjmp(jump_) != 0) return false;
  const std::size_t row_bytes = png_get_rowbytes(png_, info_);
  const png_uint_32 rows = png_get_image_height(png_, info_);
  for (int pass = 0; pass < passes_; ++pass) {
    for (png_uint_32 row = 0; row < rows; ++row) png_read_row(png_, pixels + row * row_bytes, nullptr);
  }
  png_read_end(png_, nullptr);  // to the end mark: without it a missing tail would pass
  return true;
}

// In place; weights and rounding of libjpeg (jccolor.c): 0.299 R + 0.587 G + 0.114 B in 1/65536.
void to_gray(Image& image) {
  const std::size_t count = image.pixels.size() / 3;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint8_t* rgb = image.pixels.data() + 3 * i;
    const std::uint32_t sum = 19595U * rgb[0] + 38470U * rgb[1] + 7471U * rgb[2] + 32768U;
    image.pixels[i] = static_cast<std::uint8_t>(sum >> 16U);
  }
  image.pixels.resize(count);
  image.channels = 1;
}

}  // namespace

bool is_png(std::span<const std::byte> file) noexcept {
  return file.size() >= kSignatureBytes &&
         png_sig_cmp(reinterpret_cast<png_const_bytep>(file.data()), 0, kSignatureBytes) == 0;
}

Status decode_png(std::span<const std::byte> file, int channels, Image& image, const ImageLimits& limits) {
  Png png(file);
  if (!png.read_header(channels == 3)) return unreadable("PNG", png.message());
  if (png.channels() != 1 && png.channels() != 3) return unreadable("PNG", "unexpected channels");
  SKUA_RETURN_IF_ERROR(make_room(png.width(), png.height(), png.channels(), image, limits));
  if (!png.read_pixels(image.pixels.data())) return unreadable("PNG", png.message());
  if (image.channels != channels) to_gray(image);
  return {};
}

}  // namespace skua
