// The two decoders behind image_file.h, one per library. Each ends its library's errors: what comes out is a
// Status, and nothing is thrown or jumped across. Messages do not name the file; the caller does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "image/image_file.h"

namespace skua {

/// Whether these bytes begin like such a file.
bool is_jpeg(std::span<const std::byte> file) noexcept;
bool is_png(std::span<const std::byte> file) noexcept;

Status decode_jpeg(std::span<const std::byte> file, int channels, Image& image, const ImageLimits& limits);
Status decode_png(std::span<const std::byte> file, int channels, Image& image, const ImageLimits& limits);

/// Judges what a header claims, then gives `image` that size. Errors as decode_image's.
Status make_room(std::uint64_t width, std::uint64_t height, int channels, Image& image,
                 const ImageLimits& limits);
/// frame_unreadable, with what the library said (foreign text: quoted).
Error unreadable(std::string_view kind, std::string_view what);

}  // namespace skua
