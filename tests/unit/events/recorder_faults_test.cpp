// Faults of the disk, injected into the calls of the segment that is written and into the folder's.
#include <gmock/gmock.h>
#include <unistd.h>

#include <cerrno>

#include "fault_filesystem.h"
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

/// The calls of a segment, failing on command.
struct FaultyCalls {
  int failing_writes = 0, failing_cuts = 0, failing_syncs = 0;  ///< the next so many fail
  int error_number = EIO;
  ssize_t first_takes = -1;  ///< the next write takes only so many bytes
  std::vector<std::string> journal;

  bool fails(int& count, const char* call) {
    journal.emplace_back(call);
    if (count == 0) return false;
    --count;
    errno = error_number;
    return true;
  }
  SegmentCalls calls() {
    return {[this](int fd, const void* bytes, std::size_t count) -> ssize_t {
              if (first_takes >= 0) {
                journal.emplace_back("short write");
                return ::write(fd, bytes, static_cast<std::size_t>(std::exchange(first_takes, -1)));
              }
              return fails(failing_writes, "write") ? -1 : ::write(fd, bytes, count);
            },
            [this](int fd, off_t size) { return fails(failing_cuts, "cut") ? -1 : ::ftruncate(fd, size); },
            [this](int fd) { return fails(failing_syncs, "sync") ? -1 : ::fdatasync(fd); }};
  }
};

FileRecorderOptions faulty_recorder(const TempFolder& place, FaultyCalls& faults) {
  auto options = small_recorder(place.path() / "recorder");
  options.calls = faults.calls();
  return options;
}

class ManualClock final : public Clock {
 public:
  std::int64_t monotonic_ns() const noexcept override { return now_ns; }
  std::int64_t utc_us() const noexcept override { return 0; }
  std::int64_t now_ns = 1'000'000'000;
};

TEST(RecorderFaults, FlushSyncsWhatWasWrittenAndNothingElse) {
  const TempFolder place;
  FaultyCalls faults;
  const auto recorder = opened(faulty_recorder(place, faults));
  faults.journal.clear();
  recorder->flush();
  EXPECT_THAT(faults.journal, IsEmpty());
  recorder->record(numbered(0));
  recorder->record(numbered(1));
  recorder->flush();
  recorder->flush();
  EXPECT_THAT(faults.journal, ElementsAre("write", "write", "sync"));
}

TEST(RecorderFaults, SyncIntervalIsKept) {
  const TempFolder place;
  FaultyCalls faults;
  ManualClock clock;
  auto options = faulty_recorder(place, faults);
  options.clock = &clock;
  options.sync_interval_ns = 500;
  const auto recorder = opened(options);
  const auto syncs_after = [&](std::int64_t passed_ns) {
    clock.now_ns += passed_ns;
    faults.journal.clear();
    recorder->flush();
    return faults.journal.size();
  };
  recorder->record(numbered(0));
  EXPECT_EQ(syncs_after(0), 1U);
  recorder->record(numbered(1));
  EXPECT_EQ(syncs_after(499), 0U);
  EXPECT_EQ(syncs_after(1), 1U);
  EXPECT_EQ(syncs_after(1000), 0U);
}

TEST(RecorderFaults, RotationAndEndSyncWhatIsUnsynced) {
  const TempFolder place;
  FaultyCalls faults;
  auto recorder = opened(faulty_recorder(place, faults));
  for (int i = 0; i < 600; ++i) recorder->record(numbered(i));
  const auto syncs = [&] { return std::count(faults.journal.begin(), faults.journal.end(), "sync"); };
  EXPECT_EQ(syncs(), 1);
  recorder.reset();
  EXPECT_EQ(syncs(), 2);
}

TEST(RecorderFaults, ShortWriteIsFinished) {
  const TempFolder place;
  FaultyCalls faults;
  const auto recorder = opened(faulty_recorder(place, faults));
  faults.journal.clear();
  faults.first_takes = 20;
  recorder->record(numbered(0));
  recorder->record(numbered(1));
  EXPECT_THAT(faults.journal, ElementsAre("short write", "write", "write"));
  const auto content = content_of(place.path() / "recorder");
  EXPECT_EQ(content.numbers, numbers_from(0, 2));
  EXPECT_THAT(content.damage, IsEmpty());
  EXPECT_EQ(content.names.size(), 1U);
}

TEST(RecorderFaults, FullDiskLosesTheRecordAndLeavesNoTornPiece) {
  const TempFolder place;
  FaultyCalls faults;
  const auto recorder = opened(faulty_recorder(place, faults));
  recorder->record(numbered(0));
  faults.error_number = ENOSPC;
  faults.failing_writes = 1;
  faults.first_takes = 100;
  recorder->record(numbered(1));
  EXPECT_EQ(recorder->lost_count(), 1U);
  EXPECT_THAT(recorder->last_problem(), HasSubstr("No space left"));
  EXPECT_THAT(recorder->last_problem(), HasSubstr("segment-00000001.skfr"));
  recorder->record(numbered(2));
  EXPECT_EQ(recorder->lost_count(), 1U);
  const auto content = content_of(place.path() / "recorder");
  EXPECT_THAT(content.numbers, ElementsAre(0, 2));
  EXPECT_THAT(content.damage, IsEmpty());
  EXPECT_EQ(content.names.size(), 1U);
}

TEST(RecorderFaults, FullDiskGivesUpTheOldestSegmentOnceUntilAWriteSucceeds) {
  const TempFolder place;
  FaultyCalls faults;
  for (int start = 0; start < 3; ++start) opened(faulty_recorder(place, faults))->record(numbered(start));
  const auto recorder = opened(faulty_recorder(place, faults));
  faults.error_number = ENOSPC;
  faults.failing_writes = 1;
  recorder->record(numbered(3));  // helped by the first removal
  EXPECT_EQ(recorder->lost_count(), 0U);
  faults.failing_writes = 100;
  for (int i = 4; i < 9; ++i) recorder->record(numbered(i));
  EXPECT_EQ(recorder->lost_count(), 5U);
  faults.failing_writes = 0;
  recorder->record(numbered(9));
  const auto content = content_of(place.path() / "recorder");
  EXPECT_THAT(content.numbers, ElementsAre(2, 3, 9))
      << "two of three old segments, for two times without room";
}

TEST(RecorderFaults, TornPieceThatCannotBeCutOffEndsTheSegment) {
  const TempFolder place;
  FaultyCalls faults;
  const auto recorder = opened(faulty_recorder(place, faults));
  recorder->record(numbered(0));
  faults.error_number = ENOSPC;
  faults.failing_writes = 1;
  faults.first_takes = 100;
  faults.failing_cuts = 1;
  recorder->record(numbered(1));
  recorder->record(numbered(2));
  const auto content = content_of(place.path() / "recorder");
  EXPECT_EQ(recorder->lost_count() + content.numbers.size(), 3U);
  EXPECT_EQ(content.numbers.front(), 0);
  EXPECT_EQ(content.numbers.back(), 2);
  ASSERT_EQ(content.damage.size(), 1U);
  EXPECT_EQ(content.damage[0].kind, DamageKind::kIncompleteTail);
  EXPECT_EQ(content.damage[0].to - content.damage[0].from, 100U);
  EXPECT_THAT(content.names, ElementsAre("segment-00000001.skfr", "segment-00000002.skfr"));
}

TEST(RecorderFaults, WriteErrorGoesOnInAnotherSegment) {
  const TempFolder place;
  FaultyCalls faults;
  const auto recorder = opened(faulty_recorder(place, faults));
  recorder->record(numbered(0));
  faults.failing_writes = 1;
  recorder->record(numbered(1));
  recorder->record(numbered(2));
  EXPECT_EQ(recorder->lost_count(), 0U);
  const auto content = content_of(place.path() / "recorder");
  EXPECT_EQ(content.numbers, numbers_from(0, 3));
  EXPECT_EQ(content.names.size(), 2U);
}

TEST(RecorderFaults, DiskThatFailsForeverLosesEveryRecordAndFillsNothing) {
  const TempFolder place;
  FaultyCalls faults;
  const auto recorder = opened(faulty_recorder(place, faults));
  faults.failing_writes = 1'000'000;
  for (int i = 0; i < 50; ++i) recorder->record(numbered(i));
  EXPECT_EQ(recorder->lost_count(), 50U);
  EXPECT_EQ(content_of(place.path() / "recorder").names.size(), 1U);  // no empty segments
  faults.failing_writes = 0;
  recorder->record(numbered(50));
  EXPECT_THAT(content_of(place.path() / "recorder").numbers, ElementsAre(50));
}

TEST(RecorderFaults, FailedSyncCountsTheUnsyncedAndNeverTrustsTheSegmentAgain) {
  const TempFolder place;
  FaultyCalls faults;
  const auto recorder = opened(faulty_recorder(place, faults));
  recorder->record(numbered(0));
  recorder->flush();
  for (int i = 1; i < 4; ++i) recorder->record(numbered(i));
  faults.failing_syncs = 1;
  recorder->flush();
  EXPECT_EQ(recorder->lost_count(), 3U);
  EXPECT_THAT(recorder->last_problem(), HasSubstr("syncing"));
  faults.journal.clear();
  recorder->flush();
  EXPECT_THAT(faults.journal, IsEmpty()) << "a second sync would succeed and prove nothing";
  recorder->record(numbered(4));
  EXPECT_THAT(recorder->last_problem(), HasSubstr("syncing")) << "nothing was made durable yet";
  recorder->flush();
  EXPECT_EQ(recorder->lost_count(), 3U);
  EXPECT_EQ(recorder->last_problem(), "") << "it works again";
  const auto folder = test::folder_at(place.path() / "recorder");
  const std::string second = read_segment(*folder, "segment-00000002.skfr").value();
  EXPECT_EQ(recover(test::bytes_of(second)).frames.size(), 1U);
}

TEST(RecorderFaults, RemovedSegmentCountsWhatWasInIt) {
  const TempFolder place;
  const auto recorder = opened(small_recorder(place.path() / "recorder"));
  for (int i = 0; i < 5; ++i) recorder->record(numbered(i));
  recorder->flush();
  std::filesystem::remove(place.path() / "recorder" / "segment-00000001.skfr");
  recorder->flush();
  EXPECT_EQ(recorder->lost_count(), 5U);
  EXPECT_THAT(recorder->last_problem(), HasSubstr("was removed while it was written"));
  recorder->record(numbered(5));
  EXPECT_THAT(content_of(place.path() / "recorder").numbers, ElementsAre(5));
}

TEST(RecorderFaults, RecordsWhoseSyncFailedDoNotCountAgainWhenTheSegmentGoes) {
  const TempFolder place;
  auto options = small_recorder(place.path() / "recorder");
  options.calls.sync = [&](int) {
    std::filesystem::remove(place.path() / "recorder" / "segment-00000001.skfr");
    errno = EIO;
    return -1;
  };
  const auto recorder = opened(options);
  for (int i = 0; i < 3; ++i) recorder->record(numbered(i));
  recorder->flush();
  EXPECT_EQ(recorder->lost_count(), 3U);
}

TEST(RecorderFaults, RemovedFolderIsMadeAnew) {
  const TempFolder place;
  const auto folder = place.path() / "above" / "recorder";
  std::filesystem::create_directory(place.path() / "above");
  const auto recorder = opened(small_recorder(folder));
  recorder->record(numbered(0));
  std::filesystem::remove_all(folder);
  recorder->flush();
  EXPECT_EQ(recorder->lost_count(), 1U);
  recorder->record(numbered(1));
  EXPECT_THAT(content_of(folder).numbers, ElementsAre(1));
  EXPECT_THAT(content_of(folder).names, ElementsAre("segment-00000002.skfr")) << "no number is used twice";
  EXPECT_FALSE(FileRecorder::open(small_recorder(folder)).ok()) << "the new folder is locked, too";
  std::filesystem::remove_all(folder.parent_path());
  recorder->flush();
  recorder->record(numbered(2));
  EXPECT_EQ(recorder->lost_count(), 3U);
  EXPECT_THAT(recorder->last_problem(), HasSubstr("above"));
  std::filesystem::create_directory(folder.parent_path());
  recorder->record(numbered(3));
  EXPECT_THAT(content_of(folder).numbers, ElementsAre(3));
  EXPECT_EQ(recorder->lost_count(), 3U);
}

TEST(RecorderFaults, FileInPlaceOfTheFolderLosesRecordsUntilItIsGone) {
  const TempFolder place;
  const auto folder = place.path() / "recorder";
  const auto recorder = opened(small_recorder(folder));
  std::filesystem::remove_all(folder);
  place.write("recorder", "a file");
  recorder->flush();
  recorder->record(numbered(0));
  EXPECT_EQ(recorder->lost_count(), 1U);
  EXPECT_THAT(recorder->last_problem(), HasSubstr("a folder is expected there"));
  EXPECT_EQ(place.read("recorder"), "a file");
  std::filesystem::remove(folder);
  recorder->record(numbered(1));
  EXPECT_THAT(content_of(folder).numbers, ElementsAre(1));
}

TEST(RecorderFaults, FolderThatIsMovedAwayKeepsItsRecords) {
  const TempFolder place;
  const auto folder = place.path() / "recorder";
  const auto recorder = opened(small_recorder(folder));
  recorder->record(numbered(0));
  std::filesystem::rename(folder, place.path() / "aside");
  for (int i = 1; i < 600; ++i) recorder->record(numbered(i));
  EXPECT_EQ(recorder->lost_count(), 0U);
  const auto aside = content_of(place.path() / "aside").numbers;
  const auto anew = content_of(folder).numbers;
  EXPECT_EQ(aside, numbers_from(0, static_cast<std::int64_t>(aside.size())));
  EXPECT_EQ(anew, numbers_from(static_cast<std::int64_t>(aside.size()),
                               600 - static_cast<std::int64_t>(aside.size())));
}

/// A name that is not synced may be gone after a power cut, however well its file was synced.
TEST(RecorderFaults, NewFolderAndNewSegmentAreSyncedInTheirFolders) {
  const TempFolder place;
  test::FaultFileSystem files;
  auto options = small_recorder(place.path() / "recorder");
  options.files = &files;
  files.arm({});
  const auto recorder = opened(options);
  const auto journal = files.journal();
  const auto made = std::find(journal.begin(), journal.end(), "make-folder recorder");
  ASSERT_TRUE(made != journal.end() && made + 1 != journal.end());
  EXPECT_THAT(*(made + 1), "sync-folder");
  EXPECT_THAT(journal.back(), "sync-folder");
}

/// One operation of the folder fails, each in its turn: whatever happens, a record is readable or counted.
TEST(RecorderFaults, SweepThroughTheFoldersOperationsLosesNothingSilently) {
  for (const Reason reason : {Reason::kIo, Reason::kDiskFull, Reason::kPermissionDenied}) {
    bool has_fired = true;
    std::uint64_t step = 1;
    for (; has_fired; ++step) {
      const TempFolder place;
      test::FaultFileSystem files;
      auto options = small_recorder(place.path() / "recorder");
      options.limit_bytes = 64 * kMinSegmentBytes;
      options.files = &files;
      const int error_number = reason == Reason::kIo ? EIO : reason == Reason::kDiskFull ? ENOSPC : EACCES;
      files.arm({.fail_at = step, .reason = reason, .error_number = error_number});
      auto recorder = FileRecorder::open(options);
      const std::uint64_t count = recorder.ok() ? 500 : 0;
      for (std::uint64_t i = 0; i < count; ++i) (*recorder)->record(numbered(static_cast<std::int64_t>(i)));
      has_fired = files.has_fired();
      if (count == 0) continue;
      const auto content = content_of(place.path() / "recorder");
      ASSERT_EQ(content.numbers.size() + (*recorder)->lost_count(), count) << "step " << step;
      ASSERT_LE((*recorder)->lost_count(), 1U) << "step " << step;
      ASSERT_THAT(content.damage, IsEmpty());
    }
    EXPECT_GT(step, 10U);
  }
}

}  // namespace
}  // namespace skua
