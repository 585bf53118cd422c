#include "events/file_recorder.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <limits>

#include "recorder_testing.h"

namespace skua {
namespace {

using test::content_of;
using test::numbered;
using test::numbers_from;
using test::opened;
using test::small_recorder;
using test::TempFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(FileRecorder, WritesWhatAReaderGetsBack) {
  const TempFolder place;
  const auto recorder = opened(small_recorder(place.path() / "recorder"));
  for (int i = 0; i < 100; ++i) recorder->record(numbered(i));
  // Not even flushed: what record() has returned from is in the file.
  const auto content = content_of(place.path() / "recorder");
  EXPECT_EQ(content.numbers, numbers_from(0, 100));
  EXPECT_THAT(content.damage, IsEmpty());
  EXPECT_EQ(recorder->lost_count(), 0U);
  EXPECT_EQ(recorder->last_problem(), "");
}

TEST(FileRecorder, HeaderSaysNumberTimesAndBoot) {
  const TempFolder place;
  const auto recorder = opened(small_recorder(place.path()));
  const std::string bytes = place.read("segment-00000001.skfr");
  const auto header = recover(test::bytes_of(bytes)).header;
  ASSERT_TRUE(header.has_value());
  EXPECT_EQ(header->number, 1U);
  EXPECT_NEAR(static_cast<double>(header->utc_us), static_cast<double>(system_clock().utc_us()), 60e6);
  EXPECT_NE(header->boot_id, SegmentHeader{}.boot_id);
}

TEST(FileRecorder, FilesAreForOwnerAndGroupOnly) {
  const TempFolder place;
  const mode_t before = umask(0);
  const auto recorder = opened(small_recorder(place.path()));
  umask(before);
  EXPECT_EQ(test::folder_at(place.path())->info("segment-00000001.skfr").value().mode, 0640U);
}

TEST(FileRecorder, EveryStartBeginsASegmentBehindTheHighest) {
  const TempFolder place;
  const auto folder = place.path();
  place.write("segment-00000007.skfr", "damaged beyond recognition");
  place.write("segment-00000009.skfr.bak", "another name");
  place.write("notes.txt", "none of ours");
  for (int start = 0; start < 3; ++start) opened(small_recorder(folder))->record(numbered(start));
  EXPECT_THAT(content_of(folder).names, ElementsAre("segment-00000007.skfr", "segment-00000008.skfr",
                                                    "segment-00000009.skfr", "segment-00000010.skfr"));
  EXPECT_EQ(place.read("segment-00000007.skfr"), "damaged beyond recognition");
  EXPECT_EQ(content_of(folder).numbers, numbers_from(0, 3));
  EXPECT_TRUE(place.has("notes.txt"));
}

TEST(FileRecorder, RotationKeepsTheNewestWithinTheLimitAtEveryMoment) {
  const TempFolder place;
  const auto options = small_recorder(place.path());
  const auto recorder = opened(options);
  constexpr int kRecords = 4000;
  for (int i = 0; i < kRecords; ++i) {
    recorder->record(numbered(i));
    std::uint64_t bytes = 0;
    for (const auto& entry : std::filesystem::directory_iterator(place.path())) bytes += entry.file_size();
    ASSERT_LE(bytes, options.limit_bytes) << "after record " << i;
  }
  const auto content = content_of(place.path());
  EXPECT_EQ(recorder->lost_count(), 0U);
  EXPECT_THAT(content.damage, IsEmpty());
  EXPECT_GT(content.bytes, options.limit_bytes - 2 * options.segment_bytes);
  ASSERT_FALSE(content.numbers.empty());
  EXPECT_GT(content.numbers.front(), 0) << "nothing was rotated: the test proves nothing";
  const auto first = content.numbers.front();
  EXPECT_EQ(content.numbers, numbers_from(first, kRecords - first));
}

TEST(FileRecorder, LimitCountsWhatEarlierStartsLeft) {
  const TempFolder place;
  for (int i = 1; i <= 9; ++i)
    place.write(segment_name(static_cast<std::uint32_t>(i)), std::string(100'000, 'x'));
  const auto recorder = opened(small_recorder(place.path()));
  const auto content = content_of(place.path());
  EXPECT_LE(content.bytes, 4 * kMinSegmentBytes);
  EXPECT_THAT(content.names, ElementsAre("segment-00000007.skfr", "segment-00000008.skfr",
                                         "segment-00000009.skfr", "segment-00000010.skfr"));
}

/// A file takes a block however little is in it.
TEST(FileRecorder, LimitCountsSmallSegmentsAsTheDiskDoes) {
  const TempFolder place;
  for (int i = 1; i <= 200; ++i) place.write(segment_name(static_cast<std::uint32_t>(i)), "x");
  const auto options = small_recorder(place.path());
  const auto recorder = opened(options);
  const std::size_t most = (options.limit_bytes - options.segment_bytes) / 4096 + 1;
  EXPECT_EQ(content_of(place.path()).names.size(), most);
  EXPECT_EQ(content_of(place.path()).names.back(), "segment-00000201.skfr");
}

TEST(FileRecorder, SecondRecorderIsRefusedUntilTheFirstIsGone) {
  const TempFolder place;
  auto first = opened(small_recorder(place.path()));
  const auto second = FileRecorder::open(small_recorder(place.path()));
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().reason, Reason::kFolderBusy);
  EXPECT_THAT(second.error().message, HasSubstr(place.path().string()));
  first.reset();
  EXPECT_TRUE(FileRecorder::open(small_recorder(place.path())).ok());
}

TEST(FileRecorder, OptionsThatCannotBeMetAreRefused) {
  const TempFolder place;
  const auto refused = [&](std::uint64_t limit, std::uint64_t segment, std::int64_t interval) {
    auto options = small_recorder(place.path() / "never");
    options.limit_bytes = limit;
    options.segment_bytes = segment;
    options.sync_interval_ns = interval;
    const auto recorder = FileRecorder::open(options);
    return !recorder.ok() && recorder.error().code == ErrorCode::kInvalidArgument;
  };
  EXPECT_TRUE(refused(kMinSegmentBytes * 2 - 1, kMinSegmentBytes, 0));
  EXPECT_TRUE(refused(kMinSegmentBytes * 4, kMinSegmentBytes - 1, 0));
  EXPECT_TRUE(refused(std::numeric_limits<std::uint64_t>::max(), kMaxSegmentBytes + 1, 0));
  EXPECT_TRUE(refused(0, 0, 0));
  EXPECT_TRUE(refused(kMinSegmentBytes * 4, 0, -1));
  EXPECT_FALSE(place.has("never"));
  EXPECT_FALSE(refused(kMinSegmentBytes * 2, 0, 0));
}

TEST(FileRecorder, OnlyTheFolderItselfIsMade) {
  const TempFolder place;
  EXPECT_TRUE(FileRecorder::open(small_recorder(place.path() / "one/")).ok());
  const auto recorder = FileRecorder::open(small_recorder(place.path() / "two" / "three"));
  ASSERT_FALSE(recorder.ok());
  EXPECT_EQ(recorder.error().reason, Reason::kNotFound);
  EXPECT_FALSE(place.has("two"));
}

TEST(FileRecorder, HighestNumberIsTheEndAndIsSaid) {
  const TempFolder place;
  place.write(segment_name(kMaxSegmentNumber - 1), "x");
  const auto recorder = opened(small_recorder(place.path()));
  for (int i = 0; i < 1000; ++i) recorder->record(numbered(i));
  EXPECT_GT(recorder->lost_count(), 0U);
  EXPECT_THAT(recorder->last_problem(), HasSubstr("99999999"));
  const auto content = content_of(place.path());
  EXPECT_EQ(content.names.back(), segment_name(kMaxSegmentNumber));
  EXPECT_EQ(content.numbers.size() + recorder->lost_count(), 1000U);
  const auto again = FileRecorder::open(small_recorder(place.path()));
  EXPECT_FALSE(again.ok());
}

TEST(FileRecorder, ThingsThatOnlyBearTheNameOfASegmentAreLeftAlone) {
  const TempFolder place;
  const auto folder = place.path() / "recorder";
  place.write("victim", "untouched");
  std::filesystem::create_directories(folder / "segment-00000002.skfr" / "full");
  std::filesystem::create_symlink(place.path() / "victim", folder / "segment-00000003.skfr");
  std::filesystem::create_symlink(place.path() / "made", folder / "segment-00000005.skfr");
  ASSERT_EQ(mkfifo((folder / "segment-00000004.skfr").c_str(), 0600), 0);
  const auto recorder = opened(small_recorder(folder));
  for (int i = 0; i < 4000; ++i) recorder->record(numbered(i));  // rotates, and deletes its own oldest
  EXPECT_EQ(recorder->lost_count(), 0U);
  EXPECT_EQ(place.read("victim"), "untouched");
  EXPECT_FALSE(place.has("made"));
  for (const char* name : {"segment-00000002.skfr", "segment-00000003.skfr", "segment-00000004.skfr"}) {
    EXPECT_TRUE(place.has(std::filesystem::path("recorder") / name)) << name;
  }
  EXPECT_EQ(content_of(folder).numbers.back(), 3999);
}

TEST(FileRecorder, NameTakenMeanwhileIsPassedOver) {
  const TempFolder place;
  const auto recorder = opened(small_recorder(place.path()));
  std::filesystem::create_symlink(place.path() / "made", place.path() / "segment-00000002.skfr");
  for (int i = 0; i < 600; ++i) recorder->record(numbered(i));
  EXPECT_EQ(recorder->lost_count(), 0U);
  EXPECT_FALSE(place.has("made"));
  EXPECT_EQ(content_of(place.path()).numbers, numbers_from(0, 600));
  EXPECT_TRUE(place.has("segment-00000003.skfr"));
}

}  // namespace
}  // namespace skua
