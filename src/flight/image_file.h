// Pictures from files: JPEG and PNG, told apart by their content. The libraries' own errors end here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "skua/result.h"

namespace skua::flight {

/// 8 bits a channel, rows from top to bottom, channels interleaved.
struct Image {
  int width = 0, height = 0;
  int channels = 0;  ///< 1 gray, 3 RGB
  std::vector<std::uint8_t> pixels;
};

/// Bounds of what is decoded: a damaged header must not ask for all memory.
struct ImageLimits {
  int max_side = 16384;
  std::uint64_t max_bytes = 1ULL << 30U;  ///< of the decoded picture
};

/// Decodes into `image`, whose memory is used again, with `channels` channels (1: gray by the decoder's own
/// weights, ITU-R BT.601; 3: RGB). Alpha is dropped, palettes and 16 bits are reduced to 8. On an error
/// `image` is empty. InvalidArgumentError: frame_unreadable (damaged, truncated, another kind), too_large.
/// A truncated JPEG is an error, never half a picture.
Status decode_image(std::span<const std::byte> file, int channels, Image& image,
                    const ImageLimits& limits = {});

/// Reads at most 64 MiB of a regular file, then decode_image; `buffer` keeps the file's bytes and is used
/// again. InvalidArgumentError also for not_found, not_regular_file, too_large, io_error; messages name the
/// file.
Status read_image(const std::filesystem::path& file, int channels, std::vector<std::byte>& buffer,
                  Image& image, const ImageLimits& limits = {});

}  // namespace skua::flight
