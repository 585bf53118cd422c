// What the frame loop knows of the map before the first frame: every tile's place descriptor and features,
// made by the same engines that look at the frames. Stands in for what C10 provisions.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "flight/matcher_consumer.h"
#include "flight/tile_map.h"
#include "flight/vpr_consumer.h"

namespace skua::flight {

/// One thread; constant once built.
class TileIndex {
 public:
  /// Decodes and describes every tile. A tile that cannot be read or described is InvalidArgumentError naming
  /// it: a map with a hole is not flown. `keeps_pictures`: for AdHoP. `is_cancelled` is asked between tiles:
  /// InferenceError (cancelled). Seconds: two runs a tile.
  static Result<TileIndex> build(const TileMap& map, VprConsumer& vpr, MatcherConsumer& matcher, int channels,
                                 bool keeps_pictures, const std::function<bool()>& is_cancelled);

  std::size_t size() const noexcept { return tiles_.size(); }
  const Tile& tile(std::size_t index) const noexcept { return tiles_[index]; }
  KeypointSet features(std::size_t index) const noexcept { return features_[index].view(); }
  /// Empty unless built with `keeps_pictures`.
  const Image& picture(std::size_t index) const noexcept { return pictures_[index]; }

  /// The `order.size()` tiles whose descriptors point most nearly the same way as `descriptor`, nearest
  /// first; returns how many there are. Both have length 1. No allocation.
  std::size_t nearest(std::span<const float> descriptor, std::span<std::size_t> order,
                      std::span<float> similarity) const noexcept;

 private:
  TileIndex() = default;
  Status add(const Image& picture, VprConsumer& vpr, MatcherConsumer& matcher);

  std::size_t dim_ = 0;
  std::vector<Tile> tiles_;
  std::vector<float> descriptors_;  ///< one after the other
  std::vector<FrameFeatures> features_;
  std::vector<Image> pictures_;
};

}  // namespace skua::flight
