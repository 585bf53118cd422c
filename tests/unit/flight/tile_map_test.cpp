#include "flight/tile_map.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "temp_folder.h"
#include "verdicts.h"

namespace skua::flight::tile_map_tests {
namespace {

using skua::test::is_error;
using skua::test::is_ok;
using skua::test::TempFolder;
constexpr ErrorCode kInvalid = ErrorCode::kInvalidArgument;

constexpr char kGood[] = R"({"schema_version": 1, "tile_width": 640, "tile_height": 480, "tiles": [
  {"file": "t00.png", "x": 0, "y": 0}, {"file": "t01.png", "x": 560.5, "y": -3e2}]})";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

Result<TileMap> map_of(const std::string& text) {
  const TempFolder folder;
  folder.write("map.json", text);
  return read_tile_map(folder.path());
}

TEST(TileMapTest, ReadsSizesNamesAndPlaces) {
  const TempFolder folder;
  folder.write("map.json", kGood);
  const auto map = read_tile_map(folder.path());
  ASSERT_TRUE(is_ok(map));
  EXPECT_EQ(map->folder, folder.path());
  EXPECT_EQ(map->tile_width, 640);
  EXPECT_EQ(map->tile_height, 480);
  ASSERT_EQ(map->tiles.size(), 2U);
  EXPECT_EQ(map->tiles[1].name, "t01.png");
  EXPECT_EQ(map->tiles[1].x, 560.5);
  EXPECT_EQ(map->tiles[1].y, -300.0);
}

TEST(TileMapTest, TheExampleOfTheFormatsPageIsAMap) {
  std::ifstream stream(SKUA_SOURCE_DIR "/docs/formats/tile-map.md");
  std::ostringstream page;
  page << stream.rdbuf();
  const std::string text = page.str();
  const std::size_t begin = text.find("```json\n");
  ASSERT_NE(begin, std::string::npos);
  const auto map = map_of(text.substr(begin + 8, text.find("```", begin + 8) - begin - 8));
  ASSERT_TRUE(is_ok(map));
  EXPECT_EQ(map->tiles.size(), 2U);
}

// What is wrong, in the good text, and which words the message has.
struct BadField {
  const char *from, *to, *named;
};

TEST(TileMapTest, EveryFieldWrongInTurnIsRefusedByName) {
  const BadField bad[] = {
      {"\"schema_version\": 1", "\"schema_version\": 2", "schema_version"},
      {"\"schema_version\": 1, ", "", "schema_version"},
      {"640", "0", "tile_width"},
      {"640", "16385", "tile_width"},
      {"640", "640.5", "tile_width"},
      {"640", "\"640\"", "tile_width"},
      {"480", "-480", "tile_height"},
      {"480", "1e99", "tile_height"},
      {"\"tiles\": [", "\"tile\": [", "tiles"},
      {"\"t00.png\"", "7", "tiles[0].file"},
      {"\"t00.png\"", "\"\"", "tiles[0].file"},
      {"t00.png", "../t00.png", "tiles[0].file"},
      {"t00.png", "a/t00.png", "tiles[0].file"},
      {"t00.png", "/etc/passwd", "tiles[0].file"},
      {"t00.png", "..", "tiles[0].file"},
      {"t00.png", ".t00.png", "tiles[0].file"},
      {"t00.png", "t\\u0000.png", "tiles[0].file"},
      {"t00.png", "t\\n.png", "tiles[0].file"},
      {"t00.png", "t\x7F.png", "tiles[0].file"},
      {"t01.png", "t00.png", "tiles[1].file"},
      {"\"x\": 0", "\"x\": null", "tiles[0].x"},
      {"\"x\": 0", "\"x\": 1.1e9", "tiles[0].x"},
      {"\"x\": 0", "\"x\": \"0\"", "tiles[0].x"},
      {", \"y\": -3e2", "", "tiles[1].y"},
      {"-3e2", "-3e2, \"z\": 1", "tiles[1].'z'"},
      {"-3e2", "-3e2, \"y\": 1", "twice"},
      {"{\"file\": \"t00.png\", \"x\": 0, \"y\": 0}", "[]", "tiles[0]"},
      {"]}", "], \"more\": 1}", "'more'"},
      {"]}", "]} {}", "JSON"},
  };
  ASSERT_TRUE(is_ok(map_of(kGood)));
  for (const BadField& field : bad) {
    const auto map = map_of(replaced(kGood, field.from, field.to));
    EXPECT_TRUE(is_error(map, kInvalid, Reason::kMalformed, field.named)) << field.to;
    EXPECT_TRUE(is_error(map, kInvalid, Reason::kMalformed, "map.json")) << field.to;
  }
}

TEST(TileMapTest, NoTextAndNoTilesAreRefused) {
  for (const char* text : {"", "{}", "[]", "null", "\xFF\xFE", "{\"tiles\": []}"}) {
    EXPECT_TRUE(is_error(map_of(text), kInvalid, Reason::kMalformed)) << text;
  }
  const auto none = map_of(R"({"schema_version": 1, "tile_width": 1, "tile_height": 1, "tiles": []})");
  EXPECT_TRUE(is_error(none, kInvalid, Reason::kMalformed, "at least one tile"));
}

std::string map_with_tiles(int count) {
  std::string text = R"({"schema_version": 1, "tile_width": 1, "tile_height": 1, "tiles": [)";
  for (int i = 0; i < count; ++i) {
    text += std::string(i == 0 ? "" : ",") + R"({"file": ")" + std::to_string(i) + R"(", "x": 0, "y": 0})";
  }
  return text + "]}";
}

TEST(TileMapTest, SizesAreBounded) {
  EXPECT_TRUE(is_ok(map_of(map_with_tiles(4096))));
  EXPECT_TRUE(is_error(map_of(map_with_tiles(4097)), kInvalid, Reason::kMalformed, "tiles"));
  EXPECT_TRUE(
      is_error(map_of(std::string(std::size_t{10} << 20U, ' ')), kInvalid, Reason::kTooLarge, "map.json"));
  EXPECT_TRUE(is_error(map_of(std::string(100000, '[')), kInvalid, Reason::kMalformed, "nested"));
}

TEST(TileMapTest, EveryTruncationIsRefused) {
  const std::string good = kGood;
  for (std::size_t length = 0; length < good.size(); ++length) {
    EXPECT_FALSE(map_of(good.substr(0, length)).ok()) << length;
  }
}

TEST(TileMapTest, WhatIsNoFileIsRefusedWithoutWaiting) {
  const TempFolder folder;
  EXPECT_TRUE(is_error(read_tile_map(folder.path()), kInvalid, Reason::kNotFound, "map.json"));
  EXPECT_TRUE(is_error(read_tile_map(folder.path() / "gone"), kInvalid, Reason::kNotFound, "gone"));
  ASSERT_EQ(mkfifo((folder.path() / "map.json").c_str(), 0600), 0);
  EXPECT_TRUE(is_error(read_tile_map(folder.path()), kInvalid, Reason::kNotRegularFile, "map.json"));
  const TempFolder other;
  std::filesystem::create_directory(other.path() / "map.json");
  EXPECT_TRUE(is_error(read_tile_map(other.path()), kInvalid, Reason::kNotRegularFile, "map.json"));
  const TempFolder link;
  const auto real = folder.write("real.json", kGood);
  std::filesystem::create_symlink(real, link.path() / "map.json");
  EXPECT_TRUE(is_error(read_tile_map(link.path()), kInvalid, Reason::kNotRegularFile, "map.json"));
}

}  // namespace
}  // namespace skua::flight::tile_map_tests
