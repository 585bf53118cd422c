#include "image/image_resize.h"

#include <algorithm>
#include <cstdlib>

namespace skua {
namespace {

constexpr std::uint64_t kOne = 65536;  // what stands for 1 between the columns and the rows

/// Which values of one side make one value of the other, and how much each counts.
struct Taps {
  std::size_t first = 0;
  std::vector<std::uint64_t> weights;
  std::uint64_t sum = 0;
};

/// For place `at` of `to` places made from `from`. In steps of 1 / (2 to) of a source pixel all distances are
/// whole numbers, so that no rounding can differ.
Taps taps_of(std::int64_t from, std::int64_t to, std::int64_t at) {
  const std::int64_t reach = 2 * std::max(from, to), centre = (2 * at + 1) * from;
  Taps taps;
  taps.first = static_cast<std::size_t>(std::max<std::int64_t>(0, (centre - reach) / (2 * to)));
  for (auto x = static_cast<std::int64_t>(taps.first); x < from; ++x) {
    const std::int64_t distance = (2 * x + 1) * to - centre;
    if (distance >= reach) break;
    const auto weight = static_cast<std::uint64_t>(std::max<std::int64_t>(0, reach - std::abs(distance)));
    taps.weights.push_back(weight);
    taps.sum += weight;
  }
  return taps;
}

/// One row of the result's height, of the source's width, in 1 / kOne.
void blend_rows(const Image& from, const Taps& taps, std::vector<std::uint64_t>& row) {
  std::fill(row.begin(), row.end(), 0);
  for (std::size_t i = 0; i < taps.weights.size(); ++i) {
    const std::uint8_t* source = from.pixels.data() + (taps.first + i) * row.size();
    for (std::size_t x = 0; x < row.size(); ++x) row[x] += taps.weights[i] * source[x];
  }
  for (std::uint64_t& value : row) value = (value * kOne + taps.sum / 2) / taps.sum;
}

std::uint8_t blend_columns(const std::uint64_t* row, std::size_t channels, const Taps& taps) {
  std::uint64_t value = taps.sum * kOne / 2;
  for (std::size_t i = 0; i < taps.weights.size(); ++i)
    value += taps.weights[i] * row[(taps.first + i) * channels];
  return static_cast<std::uint8_t>(value / (taps.sum * kOne));
}

}  // namespace

void resize(const Image& from, int width, int height, Image& into) {
  const auto channels = static_cast<std::size_t>(from.channels);
  std::vector<Taps> columns;
  for (int x = 0; x < width; ++x) columns.push_back(taps_of(from.width, width, x));
  std::vector<std::uint64_t> row(static_cast<std::size_t>(from.width) * channels);
  into.width = width;
  into.height = height;
  into.channels = from.channels;
  into.pixels.resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * channels);
  std::uint8_t* pixel = into.pixels.data();
  for (int y = 0; y < height; ++y) {
    blend_rows(from, taps_of(from.height, height, y), row);
    for (const Taps& taps : columns) {
      for (std::size_t c = 0; c < channels; ++c) *pixel++ = blend_columns(row.data() + c, channels, taps);
    }
  }
}

}  // namespace skua
