// The map that frames are found on: pictures of equal size, cut from one large picture, and where each lies.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "flight/image_file.h"

namespace skua::flight {

struct Tile {
  std::string name;     ///< its file name
  double x = 0, y = 0;  ///< of the tile's first pixel on the map, pixels
};

/// Reads `<folder>/map.json`:
///   {"schema_version": 1, "tile_width": 640, "tile_height": 480, "tiles": [{"file": "t00.png", "x": 0, "y":
///   0}, ...]}
/// At most 4096 tiles, each file named once, plain names without a folder. InvalidArgumentError naming the
/// file and the field: not_found, malformed, too_large.
struct TileMap {
  std::filesystem::path folder;
  int tile_width = 0, tile_height = 0;
  std::vector<Tile> tiles;
};
Result<TileMap> read_tile_map(const std::filesystem::path& folder);

}  // namespace skua::flight
