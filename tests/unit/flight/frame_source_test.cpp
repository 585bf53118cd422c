#include "flight/frame_source.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "as_nobody.h"
#include "hot_path_counters.h"
#include "picture_files.h"
#include "temp_folder.h"
#include "verdicts.h"

namespace skua::flight::frame_source_tests {
namespace {

using namespace skua::test;  // NOLINT(google-build-using-namespace)
constexpr ErrorCode kInvalid = ErrorCode::kInvalidArgument;

std::vector<std::string> names_of(const FrameSource& source) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < source.size(); ++i) names.emplace_back(source.name(i));
  return names;
}

TEST(FrameSourceTest, AFolderGivesItsPicturesByName) {
  const TempFolder folder;
  for (const char* name : {"b.png", "a.jpg", "c.jpeg", "D.JPG", "a10.png", "a9.png", ".hidden.png",
                           "notes.txt", "png", "e.png.part"}) {
    folder.write(name, "x");
  }
  std::filesystem::create_directory(folder.path() / "folder.png");
  ASSERT_EQ(mkfifo((folder.path() / "fifo.png").c_str(), 0600), 0);
  std::filesystem::create_symlink(folder.path() / "b.png", folder.path() / "link.png");
  std::filesystem::create_symlink(folder.path() / "gone", folder.path() / "nowhere.png");
  std::filesystem::create_symlink(folder.path() / "fifo.png", folder.path() / "to_fifo.png");
  const auto source = FrameSource::open(folder.path());
  ASSERT_TRUE(is_ok(source));
  EXPECT_EQ(names_of(*source),
            (std::vector<std::string>{"D.JPG", "a.jpg", "a10.png", "a9.png", "b.png", "c.jpeg", "link.png"}));
}

TEST(FrameSourceTest, AReplayFileGivesItsLinesInOrderAndTwice) {
  const TempFolder folder;
  folder.write("f/1.png", encode_png(make_picture(8, 6)));
  const std::string absolute = (folder.path() / "f/1.png").string();
  const auto list =
      folder.write("flight.txt", "# a flight\n\nf/1.png\r\ngone.png\n#f/3.png\nf/1.png\n" + absolute);
  auto source = FrameSource::open(list);
  ASSERT_TRUE(is_ok(source));
  EXPECT_EQ(names_of(*source), (std::vector<std::string>{"f/1.png", "gone.png", "f/1.png", absolute}));
  for (const std::uint64_t number : {0U, 2U, 3U}) EXPECT_TRUE(is_ok(source->read(number, 8, 6, 1))) << number;
  EXPECT_TRUE(is_error(source->read(1, 8, 6, 1), kInvalid, Reason::kNotFound, "gone.png"));
}

TEST(FrameSourceTest, AReplayFileWithoutAFolderLiesInTheCurrentOne) {
  const TempFolder folder;
  folder.write("1.png", encode_png(make_picture(8, 6)));
  folder.write("flight.txt", "1.png\n");
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  auto source = FrameSource::open("flight.txt");
  EXPECT_TRUE(source.ok() && source->read(0, 8, 6, 1).ok());
  std::filesystem::current_path(before);
}

TEST(FrameSourceTest, TheListBeginsAgainAtItsEnd) {
  const TempFolder folder;
  for (const char* name : {"a.png", "b.png", "c.png"}) folder.write(name, "x");
  const auto source = FrameSource::open(folder.path());
  ASSERT_TRUE(is_ok(source));
  EXPECT_EQ(source->name(3), "a.png");
  EXPECT_EQ(source->name(~std::uint64_t{0}), "a.png");  // 2^64 - 1 is a multiple of 3
  EXPECT_EQ(source->name(3'000'000'001), "b.png");
}

TEST(FrameSourceTest, ABadFrameIsItsOwnErrorAndTheNextOneIsRead) {
  const TempFolder folder;
  const Image picture = make_picture(64, 48);
  const std::string jpeg = encode_jpeg(picture);
  folder.write("0.png", encode_png(picture));
  folder.write("1.jpg", jpeg.substr(0, jpeg.size() - 20));
  folder.write("2.png", encode_png(make_picture(64, 49)));
  folder.write("3.png", "");
  folder.write("4.png", encode_png(picture));
  folder.write("5.png", encode_png(picture));
  auto source = FrameSource::open(folder.path());
  ASSERT_TRUE(is_ok(source));
  std::filesystem::remove(folder.path() / "5.png");
  EXPECT_TRUE(is_ok(source->read(0, 64, 48, 3)));
  EXPECT_EQ(source->image().pixels, picture.pixels);
  EXPECT_TRUE(is_error(source->read(1, 64, 48, 3), kInvalid, Reason::kFrameUnreadable, "1.jpg"));
  EXPECT_TRUE(source->image().pixels.empty());
  EXPECT_TRUE(is_error(source->read(2, 64, 48, 3), kInvalid, Reason::kShapeMismatch, "2.png"));
  EXPECT_TRUE(is_error(source->read(3, 64, 48, 3), kInvalid, Reason::kFrameUnreadable, "3.png"));
  EXPECT_TRUE(is_ok(source->read(4, 64, 48, 3)));
  EXPECT_TRUE(is_error(source->read(5, 64, 48, 3), kInvalid, Reason::kNotFound, "5.png"));
  ASSERT_EQ(mkfifo((folder.path() / "5.png").c_str(), 0600), 0);
  EXPECT_TRUE(is_error(source->read(5, 64, 48, 3), kInvalid, Reason::kNotRegularFile, "5.png"));
}

TEST(FrameSourceTest, FramesAfterTheFirstAllocateNothingOfOurs) {
  const TempFolder folder;
  folder.write("0.jpg", encode_jpeg(Image{64, 48, 3, std::vector<std::uint8_t>(64 * 48 * 3, 100)}));
  folder.write("1.jpg", encode_jpeg(make_picture(64, 48)));  // a larger file
  ASSERT_GT(std::filesystem::file_size(folder.path() / "1.jpg"),
            std::filesystem::file_size(folder.path() / "0.jpg"));
  auto source = FrameSource::open(folder.path());
  ASSERT_TRUE(is_ok(source));
  bool is_read = true;
  const auto first = skua::test::count_hot_path([&] { is_read = source->read(0, 64, 48, 1).ok(); });
  EXPECT_GT(first.allocations, 0U);  // the control
  const auto next = skua::test::count_hot_path([&] {
    for (std::uint64_t i = 1; i < 9; ++i) is_read = is_read && source->read(i, 64, 48, 1).ok();
  });
  EXPECT_EQ(next.allocations + next.locks, 0U);
  EXPECT_TRUE(is_read);
}

TEST(FrameSourceTest, PlacesWithoutFramesAreRefusedByName) {
  const TempFolder folder;
  EXPECT_TRUE(is_error(FrameSource::open(folder.path()), kInvalid, Reason::kNotFound, "at least one .jpg"));
  EXPECT_TRUE(is_error(FrameSource::open(folder.path() / "gone"), kInvalid, Reason::kNotFound, "gone"));
  EXPECT_TRUE(
      is_error(FrameSource::open(folder.write("empty.txt", "")), kInvalid, Reason::kNotFound, "empty.txt"));
  EXPECT_TRUE(
      is_error(FrameSource::open(folder.write("c.txt", "# only\n\n")), kInvalid, Reason::kNotFound, "c.txt"));
  ASSERT_EQ(mkfifo((folder.path() / "fifo").c_str(), 0600), 0);
  EXPECT_TRUE(is_error(FrameSource::open(folder.path() / "fifo"), kInvalid, Reason::kNotRegularFile, "fifo"));
  const auto device = FrameSource::open("/dev/zero");
  EXPECT_TRUE(is_error(device, kInvalid, Reason::kNotRegularFile, "expected a folder of pictures"));
  folder.write("a.png", "x");
  EXPECT_TRUE(is_ok(FrameSource::open(folder.path())));  // the control
}

TEST(FrameSourceTest, ReplayLinesAreBoundedAndNamed) {
  const TempFolder folder;
  const std::string longest(4095, 'a');
  EXPECT_TRUE(is_ok(FrameSource::open(folder.write("good.txt", "a\n" + longest + "\n"))));
  const auto too_long = FrameSource::open(folder.write("long.txt", "a\n" + longest + "a\n"));
  EXPECT_TRUE(is_error(too_long, kInvalid, Reason::kMalformed, "line 2"));
  const auto binary = FrameSource::open(folder.write("nul.txt", std::string("a\n#\nb\0c\n", 8)));
  EXPECT_TRUE(is_error(binary, kInvalid, Reason::kMalformed, "line 3"));
  std::string many;
  for (int i = 0; i < 1'000'001; ++i) many += "a\n";
  EXPECT_TRUE(
      is_error(FrameSource::open(folder.write("many.txt", many)), kInvalid, Reason::kTooLarge, "1000000"));
  const auto huge = folder.write("huge.txt", "a\n");
  std::filesystem::resize_file(huge, (std::uintmax_t{64} << 20U) + 1);
  EXPECT_TRUE(is_error(FrameSource::open(huge), kInvalid, Reason::kTooLarge, "huge.txt"));
}

TEST(FrameSourceTest, AFolderOrListThatMayNotBeReadIsRefusedAsSuch) {
  const TempFolder folder;
  folder.write("closed/a.png", "x");
  folder.write("closed.txt", "a.png\n");
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
  std::filesystem::permissions(folder.path() / "closed", std::filesystem::perms::none);
  std::filesystem::permissions(folder.path() / "closed.txt", std::filesystem::perms::none);
  {
    const skua::test::AsNobody nobody;
    if (!nobody.is_done()) GTEST_SKIP() << "root reads everything, and this sandbox allows no other user id";
    EXPECT_TRUE(
        is_error(FrameSource::open(folder.path() / "closed"), kInvalid, Reason::kPermissionDenied, "closed"));
    EXPECT_TRUE(is_error(FrameSource::open(folder.path() / "closed.txt"), kInvalid, Reason::kPermissionDenied,
                         "closed.txt"));
  }
  std::filesystem::permissions(folder.path() / "closed", std::filesystem::perms(0755));
  EXPECT_TRUE(is_ok(FrameSource::open(folder.path() / "closed")));  // the control
}

}  // namespace
}  // namespace skua::flight::frame_source_tests
