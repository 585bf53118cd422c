#include "flight/tile_index.h"

#include <algorithm>
#include <numeric>

namespace skua::flight {
namespace {

Error tile_error(const Tile& tile, const Error& error) {
  return make_error(ErrorCode::kInvalidArgument, error.reason,
                    "tile " + tile.name + " of the map: " +
                        (error.message.empty() ? std::string(sentence_of(error.reason)) : error.message) +
                        "; a map with a hole is not flown: mend the map");
}

/// A run that failed says nothing of the map: its class stays, and with it whether a supervisor tries again.
Error run_error(const Tile& tile, const Error& error) {
  return make_error(error.code, error.reason,
                    "tile " + tile.name + " of the map cannot be described: " +
                        (error.message.empty() ? std::string(sentence_of(error.reason)) : error.message) +
                        "; start again",
                    error.native_code);
}

}  // namespace

Status TileIndex::add(const Image& picture, VprConsumer& vpr, MatcherConsumer& matcher) {
  const std::size_t begin = descriptors_.size();
  descriptors_.resize(begin + dim_);
  SKUA_RETURN_IF_ERROR(vpr.embed(picture, std::span(descriptors_).subspan(begin), {}));
  SKUA_ASSIGN_OR_RETURN(FrameFeatures features, matcher.make_features());
  SKUA_RETURN_IF_ERROR(matcher.extract(picture, features, {}));
  features_.push_back(std::move(features));
  return {};
}

Result<TileIndex> TileIndex::build(const TileMap& map, VprConsumer& vpr, MatcherConsumer& matcher,
                                   int channels, bool keeps_pictures,
                                   const std::function<bool()>& is_cancelled) {
  TileIndex index;
  index.dim_ = vpr.dim();
  index.tiles_ = map.tiles;
  index.pictures_.resize(keeps_pictures ? map.tiles.size() : 0);
  std::vector<std::byte> buffer;
  Image picture;
  for (std::size_t i = 0; i < map.tiles.size(); ++i) {
    if (is_cancelled()) return make_error(ErrorCode::kInference, Reason::kCancelled, "cancelled by a signal");
    const Tile& tile = map.tiles[i];
    if (Status read = read_image(map.folder / tile.name, channels, buffer, picture); !read.ok())
      return tile_error(tile, read.error());
    if (picture.width != map.tile_width || picture.height != map.tile_height) {
      return make_error(ErrorCode::kInvalidArgument, Reason::kShapeMismatch,
                        "tile " + tile.name + ": expected " + std::to_string(map.tile_width) + "x" +
                            std::to_string(map.tile_height) + " as map.json says, found " +
                            std::to_string(picture.width) + "x" + std::to_string(picture.height) +
                            "; cut it anew");
    }
    if (Status added = index.add(picture, vpr, matcher); !added.ok()) return run_error(tile, added.error());
    if (keeps_pictures) index.pictures_[i] = picture;
  }
  return index;
}

std::size_t TileIndex::nearest(std::span<const float> descriptor, std::span<std::size_t> order,
                               std::span<float> similarity) const noexcept {
  std::size_t count = 0;
  for (std::size_t tile = 0; tile < tiles_.size(); ++tile) {
    const float* const own = descriptors_.data() + tile * dim_;
    const float value = std::inner_product(descriptor.begin(), descriptor.end(), own, 0.0F);
    std::size_t place = count;
    while (place > 0 && similarity[place - 1] < value) --place;
    if (place >= order.size()) continue;
    count = std::min(count + 1, order.size());
    for (std::size_t i = count - 1; i > place; --i) {
      order[i] = order[i - 1];
      similarity[i] = similarity[i - 1];
    }
    order[place] = tile;
    similarity[place] = value;
  }
  return count;
}

}  // namespace skua::flight
