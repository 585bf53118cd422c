// The map that frames are found on: pictures of equal size, cut from one large picture, and where each lies.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "skua/result.h"

namespace skua::flight {

struct Tile {
  std::string name;     ///< its file name
  double x = 0, y = 0;  ///< of the tile's first pixel on the map, pixels
};

struct TileMap {
  std::filesystem::path folder;
  int tile_width = 0, tile_height = 0;
  std::vector<Tile> tiles;  ///< at least one, in the file's order
};

/// Reads `<folder>/map.json` (docs/formats/tile-map.md). Whether the tiles' files are there and of that size
/// is found out when they are decoded. Errors: InvalidArgumentError naming the file and the field: not_found,
/// not_regular_file, permission_denied, malformed, too_large, io_error. Links are not followed in the last
/// part of `folder`, nor for map.json.
Result<TileMap> read_tile_map(const std::filesystem::path& folder);

}  // namespace skua::flight
