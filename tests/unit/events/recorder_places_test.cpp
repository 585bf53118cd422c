// Faults that are real: a small disk, limits of the process, lost permissions. Each in a process of its own.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "child_process.h"
#include "core/standard_streams.h"
#include "recorder_testing.h"

namespace skua {
namespace {

using test::content_of;
using test::in_child;
using test::numbered;
using test::numbers_from;
using test::opened;
using test::small_recorder;
using test::TempFolder;

std::string text_of(std::uint64_t value) { return std::to_string(value); }

/// Fills what is left of the disk.
void fill(const std::filesystem::path& file) {
  const int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  const std::string block(4096, 'x');
  while (write(fd, block.data(), block.size()) > 0) continue;
  close(fd);
}

std::string full_disk(const std::filesystem::path& disk) {
  if (const auto why = test::mount_small_disk(disk.string(), "1m"); !why.empty()) return why;
  auto options = small_recorder(disk / "recorder");
  options.limit_bytes = 64 * kMinSegmentBytes;  // more than the disk has
  const auto recorder = opened(options);
  constexpr int kRecords = 8000;
  for (int i = 0; i < kRecords; ++i) recorder->record(numbered(i));
  auto content = content_of(disk / "recorder");
  if (recorder->lost_count() != 0)
    return "lost " + text_of(recorder->lost_count()) + recorder->last_problem();
  const auto first = content.numbers.front();
  if (first == 0) return "the disk never was full: the test proves nothing";
  if (content.numbers != numbers_from(first, kRecords - first)) return "not the newest records without gap";
  if (!content.damage.empty()) return content.damage[0].reason;

  for (const auto& name : content.names) {
    if (name != content.names.back()) std::filesystem::remove(disk / "recorder" / name);
  }
  fill(disk / "filler");
  for (int i = 0; i < 2000; ++i) recorder->record(numbered(kRecords + i));
  const auto lost = recorder->lost_count();
  if (lost == 0 || recorder->last_problem().find("No space left") == std::string::npos) {
    return "a full disk was not noticed: " + recorder->last_problem();
  }
  std::filesystem::remove(disk / "filler");
  recorder->record(numbered(99'999));
  if (recorder->lost_count() != lost) return "not going on when there is room: " + recorder->last_problem();
  content = content_of(disk / "recorder");
  if (content.numbers.back() != 99'999) return "the last record is missing";
  return content.damage.empty() ? "good" : content.damage[0].reason;
}

TEST(RecorderPlaces, FullDiskKeepsTheNewestAndGoesOnWhenThereIsRoom) {
  const TempFolder place;
  if (const auto why = test::why_no_mounts(place.path().string()); !why.empty()) GTEST_SKIP() << why;
  EXPECT_EQ(in_child([&] { return full_disk(place.path()); }), "good");
}

std::string started_on_a_full_disk(const std::filesystem::path& disk) {
  if (const auto why = test::mount_small_disk(disk.string(), "1m"); !why.empty()) return why;
  std::filesystem::create_directory(disk / "recorder");
  fill(disk / "filler");
  const auto recorder = opened(small_recorder(disk / "recorder"));
  if (recorder->last_problem().find("No space left") == std::string::npos) return "the full disk is not told";
  recorder->record(numbered(0));
  if (recorder->lost_count() != 1) return "lost " + text_of(recorder->lost_count());
  std::filesystem::remove(disk / "filler");
  recorder->record(numbered(1));
  return content_of(disk / "recorder").numbers == numbers_from(1, 1) ? "good" : "record 1 is not there";
}

TEST(RecorderPlaces, StartOnAFullDiskWaitsForRoom) {
  const TempFolder place;
  if (const auto why = test::why_no_mounts(place.path().string()); !why.empty()) GTEST_SKIP() << why;
  EXPECT_EQ(in_child([&] { return started_on_a_full_disk(place.path()); }), "good");
}

std::string read_only_disk(const std::filesystem::path& disk) {
  if (const auto why = test::mount_small_disk(disk.string(), "1m"); !why.empty()) return why;
  opened(small_recorder(disk / "recorder"))->record(numbered(0));
  if (mount("none", disk.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0) return "remount failed";
  const auto recorder = FileRecorder::open(small_recorder(disk / "recorder"));
  if (recorder.ok()) return "opened for writing on a read-only disk";
  if (recorder.error().message.find("read-only") == std::string::npos) return recorder.error().message;
  return content_of(disk / "recorder").numbers == numbers_from(0, 1) ? "good" : "cannot be read";
}

TEST(RecorderPlaces, ReadOnlyDiskIsRefusedAndReadable) {
  const TempFolder place;
  if (const auto why = test::why_no_mounts(place.path().string()); !why.empty()) GTEST_SKIP() << why;
  EXPECT_EQ(in_child([&] { return read_only_disk(place.path()); }), "good");
}

/// The kernel takes a part of the write that meets the limit, and refuses the rest.
std::string limited_file_size(const std::filesystem::path& folder) {
  signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{50'000, 50'000};
  if (setrlimit(RLIMIT_FSIZE, &limit) != 0) return "setrlimit failed";
  auto options = small_recorder(folder);
  options.limit_bytes = 64 * kMinSegmentBytes;
  const auto recorder = opened(options);
  for (int i = 0; i < 1000; ++i) recorder->record(numbered(i));
  const auto content = content_of(folder);
  if (recorder->lost_count() != 0) return recorder->last_problem();
  if (content.numbers != numbers_from(0, 1000)) return "not every record";
  if (content.names.size() < 4) return "the limit was never met: the test proves nothing";
  return content.damage.empty() ? "good" : content.damage[0].reason;
}

TEST(RecorderPlaces, LimitOfFileSizesOnlyMakesSegmentsSmaller) {
  const TempFolder place;
  EXPECT_EQ(in_child([&] { return limited_file_size(place.path()); }), "good");
}

std::string lost_permission(const std::filesystem::path& folder) {
  constexpr uid_t kNobody = 65534;
  if (geteuid() == 0 && (setgid(kNobody) != 0 || setuid(kNobody) != 0)) return "cannot become another user";
  const auto recorder = opened(small_recorder(folder));
  if (chmod(folder.c_str(), 0500) != 0) return "chmod failed";
  for (int i = 0; i < 600; ++i) recorder->record(numbered(i));  // the next segment cannot be made
  const auto lost = recorder->lost_count();
  if (lost == 0) return "a folder without permission was written to";
  if (recorder->last_problem().find("Permission denied") == std::string::npos)
    return recorder->last_problem();
  if (content_of(folder).numbers.size() + lost != 600) return "a record is neither there nor counted";
  if (chmod(folder.c_str(), 0700) != 0) return "chmod failed";
  recorder->record(numbered(600));
  return content_of(folder).numbers.back() == 600 ? "good" : "not going on: " + recorder->last_problem();
}

TEST(RecorderPlaces, LostPermissionIsCountedAndItsReturnNoticed) {
  const TempFolder place;
  const auto folder = place.path() / "recorder";
  std::filesystem::create_directory(folder);
  ASSERT_EQ(chmod(place.path().c_str(), 0755), 0);
  if (geteuid() == 0) {
    ASSERT_EQ(chown(folder.c_str(), 65534, 65534), 0);
  }
  EXPECT_EQ(in_child([&] { return lost_permission(folder); }), "good");
}

/// What a program prints goes to descriptors 1 and 2, whatever stands there.
std::string record_with_closed_streams(const std::filesystem::path& folder) {
  for (const int fd : {0, 1, 2}) close(fd);
  const auto recorder = opened(small_recorder(folder));
  for (const int fd : {0, 1, 2}) {
    if (write(fd, "printed", 7) >= 0) return "descriptor " + std::to_string(fd) + " is open";
  }
  const auto read = test::folder_at(folder)->open_read("segment-00000001.skfr");
  if (!read.ok() || fcntl(0, F_GETFD) != -1) return "a file that is read stands there";
  recorder->record(numbered(0));
  const auto content = content_of(folder);
  return content.numbers.size() == 1 && content.damage.empty() ? "good" : "damaged";
}

TEST(RecorderPlaces, ClosedStandardStreamsAreNeverTheRecordersFiles) {
  const TempFolder place;
  EXPECT_EQ(in_child([&] { return record_with_closed_streams(place.path()); }), "good");
}

std::string fill_closed_streams() {
  for (const int fd : {1, 2}) close(fd);
  fill_standard_streams();
  struct stat null {};
  stat("/dev/null", &null);
  for (const int fd : {1, 2}) {
    struct stat found {};
    if (fstat(fd, &found) != 0 || found.st_rdev != null.st_rdev) return std::to_string(fd) + " is not filled";
    if (write(fd, "x", 1) != 1) return std::to_string(fd) + " takes nothing";
  }
  close(1);
  const int moved = above_standard_streams(dup(2));  // dup() took 1
  return moved > 2 && fcntl(1, F_GETFD) == -1 ? "good" : "a stream's number is taken";
}

TEST(StandardStreams, ClosedOnesAreFilledWithNothing) { EXPECT_EQ(in_child(fill_closed_streams), "good"); }

TEST(StandardStreams, OpenOnesAndErrorsStayAsTheyAre) {
  struct stat before {
  }, after{};
  ASSERT_EQ(fstat(1, &before), 0);
  fill_standard_streams();
  ASSERT_EQ(fstat(1, &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino);
  errno = ENOENT;
  EXPECT_EQ(above_standard_streams(-1), -1);
  EXPECT_EQ(errno, ENOENT);
}

}  // namespace
}  // namespace skua
