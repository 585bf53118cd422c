// Pictures from files: JPEG and PNG, told apart by their content. The libraries' own errors end here.
// Thread-safety: functions without state; an Image and a buffer belong to one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "skua/result.h"

namespace skua {

/// 8 bits a channel, rows from top to bottom without padding, channels interleaved. Values as they stand in
/// the file: no colour profile or gamma is applied.
struct Image {
  int width = 0, height = 0;
  int channels = 0;  ///< 1 gray, 3 RGB
  std::vector<std::uint8_t> pixels;
};

/// Bounds of what is decoded: a damaged header must not ask for all memory, nor for minutes.
struct ImageLimits {
  int max_side = 16384;
  std::uint64_t max_bytes = 1ULL << 30U;  ///< of the decoded picture, and of what the decoder keeps beside it
  int width = 0, height = 0;              ///< not 0: exactly this size, found out before a pixel is decoded
};

/// Decodes into `image`, whose memory is used again, with `channels` channels (1: gray by ITU-R BT.601, as
/// JPEG itself defines it; 3: RGB). Alpha is dropped, palettes are resolved, 16 bits are scaled to 8. On an
/// error `image` is empty (and keeps its memory).
/// Errors: InvalidArgumentError: frame_unreadable (damaged, truncated, another kind, CMYK); too_large;
/// shape_mismatch (another size than the limits ask for); invalid_argument (channels). OutOfMemoryError.
/// A truncated file is an error, never half a picture; whatever libjpeg warns of is one, too. What follows a
/// picture's end is ignored.
/// Cost: no allocation of ours once `image` has held the largest picture (a colour PNG that becomes gray
/// needs three times the room); the libraries allocate a few hundred KiB of their own in each call.
Status decode_image(std::span<const std::byte> file, int channels, Image& image,
                    const ImageLimits& limits = {});

/// Reads at most 64 MiB of a regular file (links are followed, a FIFO or device is refused without waiting
/// for it), then decode_image; `buffer` keeps the file's bytes and is used again. InvalidArgumentError also
/// for not_found, not_regular_file, permission_denied, too_large, io_error; messages name the file.
Status read_image(const std::filesystem::path& file, int channels, std::vector<std::byte>& buffer,
                  Image& image, const ImageLimits& limits = {});

}  // namespace skua
