// Another size for a picture, exactly the same on every machine.
#pragma once

#include "image/image_file.h"

namespace skua {

/// Bilinear, pixel centres at halves, and where the picture becomes smaller with a filter that is as much
/// wider, so that every pixel counts (what PIL calls BILINEAR and torchvision `antialias`). Computed in whole
/// numbers, columns before rows: docs/formats/data-set.md gives the formula. `into` is another object than
/// `from` and gets `width` x `height` pixels of as many channels. Throws std::bad_alloc.
/// Requires a picture with pixels, and sides of 1 to 16384. Memory: the result, and 8 bytes for each value
/// of one row of `from` and for each weight of the columns (twice the larger width). Time: in proportion to
/// from.width x max(heights) + height x max(widths). Thread-safe for different `into`.
void resize(const Image& from, int width, int height, Image& into);

}  // namespace skua
