#include "flight/tile_map.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>

#include "core/filesystem.h"
#include "core/json_strict.h"
#include "core/text.h"

namespace skua::flight {
namespace {

constexpr std::size_t kMostTiles = 4096;
constexpr std::size_t kMostBytes = std::size_t{2} << 20U;
constexpr std::size_t kLongestName = 255;  // of a Linux file name
constexpr std::int64_t kLongestSide = 16384;
constexpr double kFarthest = 1e9;  // pixels; keeps sums with a tile's size exact to far below a pixel

// Only a file of the map's own folder, and no hidden one: those are what editors and copies leave behind.
bool is_plain_name(std::string_view name) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  return !name.empty() && name.front() != '.' && name.find('/') == std::string_view::npos &&
         std::none_of(name.begin(), name.end(), is_control);
}

double read_coordinate(ObjectReader& fields, std::string_view key) {
  const double value = fields.number(key);
  if (std::abs(value) > kFarthest)
    fields.fail(key, "a number of pixels from -1e9 to 1e9", print_double(value));
  return value;
}

Result<Tile> read_tile(const Json& json, const std::string& path, std::set<std::string>& names) {
  ObjectReader fields(json, path);
  Tile tile;
  tile.name = fields.text("file", kLongestName);
  if (fields.ok() && !is_plain_name(tile.name)) {
    fields.fail("file", "the name of a file of this folder, without '/' and not beginning with '.'",
                "text " + quote(tile.name));
  }
  if (fields.ok() && !names.insert(tile.name).second) {
    fields.fail("file", "each file once", "text " + quote(tile.name) + ", which an earlier tile has");
  }
  tile.x = read_coordinate(fields, "x");
  tile.y = read_coordinate(fields, "y");
  SKUA_RETURN_IF_ERROR(fields.finish());
  return tile;
}

Result<TileMap> decode_tile_map(std::string_view text) {
  SKUA_ASSIGN_OR_RETURN(const Json json, parse_json(text, {.max_bytes = kMostBytes, .max_depth = 3}));
  ObjectReader fields(json, "");
  TileMap map;
  fields.integer("schema_version", 1, 1);
  map.tile_width = static_cast<int>(fields.integer("tile_width", 1, kLongestSide));
  map.tile_height = static_cast<int>(fields.integer("tile_height", 1, kLongestSide));
  const std::vector<const Json*> tiles = fields.array("tiles", kMostTiles);
  if (tiles.empty()) fields.fail("tiles", "at least one tile", "empty");
  SKUA_RETURN_IF_ERROR(fields.finish());
  std::set<std::string> names;
  for (const Json* json_tile : tiles) {
    const std::string path = "tiles[" + std::to_string(map.tiles.size()) + "]";
    SKUA_ASSIGN_OR_RETURN(Tile tile, read_tile(*json_tile, path, names));
    map.tiles.push_back(std::move(tile));
  }
  return map;
}

Result<std::string> read_map_text(const std::filesystem::path& folder) {
  SKUA_ASSIGN_OR_RETURN(const auto opened, posix_file_system().open_folder(folder));
  return read_text(*opened, "map.json", kMostBytes);
}

Error refused(const Error& cause, const std::string& message) {
  return make_error(ErrorCode::kInvalidArgument, cause.reason, message, cause.native_code);
}

}  // namespace

Result<TileMap> read_tile_map(const std::filesystem::path& folder) {
  const Result<std::string> text = read_map_text(folder);
  if (!text.ok()) {
    return refused(text.error(),
                   "map: " + text.error().message + "; expected a folder of tiles with its map.json");
  }
  Result<TileMap> map = decode_tile_map(*text);
  if (!map.ok()) {
    return refused(map.error(), "map " + quote((folder / "map.json").string(), 4096) + ": " +
                                    map.error().message + "; mend the file, or cut the map again");
  }
  map->folder = folder;
  return map;
}

}  // namespace skua::flight
