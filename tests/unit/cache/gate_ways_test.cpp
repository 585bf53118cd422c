// Ways through the gates and the publishing that the tests of their rules do not take.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/collect_sets.h"
#include "cache/engine_verify.h"
#include "cache/release_ratchet.h"
#include "cache/safe_file.h"
#include "cache/staged_copy.h"
#include "fault_filesystem.h"
#include "gate_case.h"
#include "signed_set.h"

namespace skua::test {
namespace {

TEST(EngineGate, AllFactsThatDifferAreNamed) {
  GateCase c;
  c.expected.record->host.module_name = "Orin NX";
  c.expected.record->host.sm_count = 16;
  const auto refusal = c.admit();
  ASSERT_TRUE(refused(refusal, ErrorCode::kEngineDeserialize, Reason::kHostFactMismatch));
  EXPECT_THAT(refusal.error().message, testing::HasSubstr("Orin NX"));
  EXPECT_THAT(refusal.error().message, testing::HasSubstr("; sm_count"));
}

/// Where the bytes are not wanted anyway, they are hashed in passing: a disk that fails there is told.
TEST(EngineGate, AFileOfAnotherSizeThatCannotBeReadIsRefusedAsThat) {
  GateCase c;
  ++c.expected.record->size_bytes;
  FaultFileSystem files;
  const auto folder = files.open_folder(c.temp.path()).value();
  for (std::uint64_t n = 1;; ++n) {
    files.arm({n});
    BufferPool pool(1);
    const auto refusal = EngineGate::admit(*folder, c.expected, pool);
    if (!files.has_fired()) {
      EXPECT_TRUE(refused(refusal, ErrorCode::kEngineDeserialize, Reason::kFileSizeMismatch))
          << "the control";
      break;
    }
    EXPECT_TRUE(refused(refusal, ErrorCode::kEngineDeserialize, Reason::kIo)) << files.journal()[n - 1];
  }
}

TEST(EngineGate, ACacheEntryIsJudgedAsItIsAdmitted) {
  for (const bool is_admitted : {false, true}) {
    const PublishedFolders folders;
    const EngineRecord& record = folders.records()[0];
    const std::string record_name = "cache/" + build_record_name(record.file);
    const std::string good_record = folders.temp().read(record_name);
    const auto cache = posix_file_system().open_folder(folders.cache()).value();
    const auto verdict = [&]() -> Status {
      const EngineExpectation expected{record.file, {}, record.precision, orin(), true};
      std::vector<std::byte> piece(64);
      BufferPool pool(1);
      if (!is_admitted) return judge_cached(*cache, expected, piece);
      const auto admitted = admit_cached(*cache, expected, pool);
      return admitted.ok() ? Status() : Status(admitted.error());
    };
    EXPECT_TRUE(accepted(verdict()));
    folders.temp().write(record_name, "{}");
    EXPECT_TRUE(refused(verdict(), ErrorCode::kEngineDeserialize, Reason::kBuildRecordMalformed));
    folders.temp().write("cache/" + record.file, "x");  // the earlier stage decides, whatever the record is
    EXPECT_TRUE(refused(verdict(), ErrorCode::kEngineHashMismatch, Reason::kSidecarHashMismatch));
    folders.temp().write(record_name, good_record);
    EXPECT_TRUE(refused(verdict(), ErrorCode::kEngineHashMismatch, Reason::kSidecarHashMismatch));
  }
}

TEST(EngineGate, ALackOfMemoryIsToldAsThatHoweverItIsRead) {
  const GateCase c;
  {
    std::uint64_t n = 1;
    for (;; ++n) {
      FaultFileSystem files;
      const auto folder = files.open_folder(c.temp.path()).value();
      files.arm(without_memory(n));
      std::vector<std::byte> piece(64);
      BufferPool pool(1);
      const auto admitted = EngineGate::admit(*folder, c.expected, pool);
      const Status judged = EngineGate::judge(*folder, c.expected, piece);
      if (!files.has_fired()) break;
      const Error error = !admitted.ok() ? admitted.error() : judged.error();
      EXPECT_EQ(error.code, ErrorCode::kOutOfMemory) << files.journal()[n - 1] << ": " << error.describe();
    }
    EXPECT_GT(n, 12U);
  }
}

TEST(SafeFile, FourReasonsSayThatOthersMayHaveWritten) {
  for (const Reason reason :
       {Reason::kFileOwner, Reason::kFileMode, Reason::kFileLinks, Reason::kNotRegularFile})
    EXPECT_TRUE(is_unsafe(make_error(ErrorCode::kEngineDeserialize, reason, "text")));
  for (const Reason reason : {Reason::kIo, Reason::kNotFound, Reason::kPermissionDenied})
    EXPECT_FALSE(is_unsafe(make_error(ErrorCode::kIo, reason, "text")));
}

TEST(RatchetMemory, ALackOfMemoryIsNoDamage) {
  const TempFolder temp;
  ASSERT_TRUE(accepted(accept_sequence(posix_file_system(), temp.path(), 5)));
  FaultFileSystem files;
  files.arm(without_memory(1));
  const auto state = read_ratchet(files, temp.path());
  ASSERT_FALSE(state.ok());
  EXPECT_EQ(state.error().code, ErrorCode::kOutOfMemory) << state.error().describe();
}

TEST(CurrentSet, AFileIsNoSet) {
  const PublishedFolders folders;
  folders.temp().write("sets/set-2", "no folder");
  folders.temp().write("sets/CURRENT", "set-2\n");
  EXPECT_TRUE(
      refused(current_set(posix_file_system(), folders.sets()), ErrorCode::kManifest, Reason::kSetMissing));
}

TEST(CopyNew, IsWholeWhateverTheSize) {
  const TempFolder temp;
  const auto folder = posix_file_system().open_folder(temp.path()).value();
  constexpr std::size_t kPiece = std::size_t{1} << 20U;
  for (const std::size_t size : {std::size_t{0}, kPiece - 1, kPiece, 2 * kPiece, 2 * kPiece + 1}) {
    const std::string text(size, 'x');
    temp.write("source", text);
    const auto copied = copy_new(*folder->open_read("source").value(), *folder, "copy");
    ASSERT_TRUE(accepted(copied)) << size;
    EXPECT_EQ(copied->size_bytes, size);
    EXPECT_EQ(copied->sha256, digest_of(text)) << size;
    EXPECT_EQ(temp.read("copy"), text) << size;
    fs::remove(temp.path() / "copy");
  }
}

TEST(PublishEngine, AGoldenFileMayHaveANameOfItsOwnAndOnlyFilesAreTaken) {
  const TempFolder temp;
  EngineRecord record = plan_record();
  const auto publish = [&](bool is_folder) {
    WriterLock lock = WriterLock::take(posix_file_system(), temp.path()).value();
    const std::string staging = lock.make_staging().value();
    temp.write(fs::path(staging) / record.file, plan_bytes());
    const std::string golden = record.golden.file.empty() ? record.file + ".golden" : record.golden.file;
    if (is_folder) {
      fs::create_directory(temp.path() / staging / golden);
    } else {
      temp.write(fs::path(staging) / golden, golden_bytes());
    }
    return publish_engine(lock, staging, record);
  };
  const auto folder = publish(true);
  ASSERT_TRUE(refused(folder, ErrorCode::kEngineBuild, Reason::kNotRegularFile));
  record.golden.file.clear();
  const auto published = publish(false);
  ASSERT_TRUE(accepted(published));
  EXPECT_EQ(published->golden.file, record.file + ".golden");
}

/// What is there, whole, while CURRENT does not name it: as after a writer that was killed.
class Adopting : public testing::Test {
 protected:
  Adopting() { fs::remove(folders_.sets() / "CURRENT"); }
  Manifest draft() const { return draft_of(folders_.records(), "set-1"); }
  Result<Manifest> publish(FileSystem& files, const Manifest& draft) const {
    return publish_set(files, folders_.sets(), folders_.cache(), draft);
  }
  UnsyncedFileSystem unsynced_;
  PublishedFolders folders_;
};

TEST_F(Adopting, ADiskThatFailsIsToldAndNotTakenForOtherContent) {
  std::uint64_t n = 1;
  for (;; ++n) {
    FaultFileSystem files(unsynced_);
    files.arm({n});
    const auto published = publish(files, draft());
    if (!files.has_fired()) {
      EXPECT_TRUE(accepted(published)) << "the control";
      break;
    }
    const std::string step = files.journal()[n - 1];
    if (published.ok()) {
      EXPECT_TRUE(fs::exists(folders_.sets() / "CURRENT")) << step << ": what failed is the clearing away";
    } else {
      EXPECT_EQ(published.error().reason, Reason::kIo) << step << ": " << published.error().describe();
    }
    fs::remove(folders_.sets() / "CURRENT");
    ASSERT_LT(n, 500U) << "the sweep does not end";
  }
  EXPECT_GT(n, 60U);
}

TEST_F(Adopting, WhatHasNoMemoryIsToldAsThat) {
  FaultFileSystem files(unsynced_);
  std::uint64_t n = 1;
  for (;; ++n) {
    files.arm(without_memory(n));
    const auto published = publish(files, draft());
    if (!files.has_fired()) {
      EXPECT_TRUE(accepted(published)) << "the control";
      break;
    }
    EXPECT_TRUE(published.ok() || published.error().reason == Reason::kOutOfMemory)
        << files.journal()[n - 1] << ": " << published.error().describe();
    fs::remove(folders_.sets() / "CURRENT");
    ASSERT_LT(n, 500U) << "the sweep does not end";
  }
}

TEST_F(Adopting, AnotherLastDayIsAnotherSet) {
  Manifest later = draft();
  later.not_after = "2040-01-01T00:00:00Z";
  EXPECT_TRUE(refused(publish(unsynced_, later), ErrorCode::kInvalidArgument, Reason::kExists));
  EXPECT_TRUE(accepted(publish(unsynced_, draft()))) << "the control";
}

TEST_F(Adopting, ADamagedManifestIsNotTakenOver) {
  folders_.temp().write("sets/set-1/flight-manifest.json", "{}");
  EXPECT_TRUE(refused(publish(unsynced_, draft()), ErrorCode::kInvalidArgument, Reason::kExists));
}

TEST_F(Adopting, OtherContentIsAnotherSet) {
  Manifest other = draft();
  other.artifacts[0].criticality = 7;
  EXPECT_TRUE(refused(publish(unsynced_, other), ErrorCode::kInvalidArgument, Reason::kExists));
  EXPECT_TRUE(accepted(publish(unsynced_, draft()))) << "the control";
}

TEST_F(Adopting, AFolderThatIsNoneIsAnError) {
  fs::remove_all(folders_.set());
  folders_.temp().write("sets/set-1", "a file");
  EXPECT_TRUE(refused(publish(unsynced_, draft()), ErrorCode::kInvalidArgument, Reason::kExists));
  EXPECT_EQ(folders_.temp().read("sets/set-1"), "a file");
  fs::remove(folders_.set());
  fs::create_directory_symlink(folders_.cache(), folders_.set());
  EXPECT_TRUE(refused(publish(unsynced_, draft()), ErrorCode::kInvalidArgument, Reason::kExists));
}

TEST(CollectSets, WhatHasNoMemoryIsToldAsThatAndTheSetThatFliesStays) {
  std::uint64_t n = 1;
  for (;; ++n) {
    const PublishedFolders folders;
    UnsyncedFileSystem unsynced;
    Manifest newer = draft_of(folders.records(), "set-2");
    newer.release_sequence = 2;
    publish_set(unsynced, folders.sets(), folders.cache(), newer).value();
    FaultFileSystem files(unsynced);
    files.arm(without_memory(n));
    CollectOptions options;
    options.keep = 0;
    options.policy = ground_policy();
    const auto report = collect_sets(files, folders.sets(), options);
    EXPECT_TRUE(accepted(current_set(posix_file_system(), folders.sets())));
    if (!files.has_fired()) break;
    EXPECT_TRUE(report.ok() || report.error().code == ErrorCode::kOutOfMemory)
        << files.journal()[n - 1] << ": " << report.error().describe();
    ASSERT_LT(n, 500U) << "the sweep does not end";
  }
  EXPECT_GT(n, 50U);
}

TEST(Sidecar, APathWithoutAFileIsACallersMistake) {
  for (const char* path : {"", "a/", "a/.", "a/..", ".."})
    EXPECT_TRUE(
        refused(Sha256Sidecar::digest_file(path), ErrorCode::kInvalidArgument, Reason::kInvalidArgument))
        << path;
  EXPECT_TRUE(refused(Sha256Sidecar::verify(""), ErrorCode::kInvalidArgument, Reason::kInvalidArgument));
  EXPECT_TRUE(refused(Sha256Sidecar::write_atomic_and_sidecar("", {}), ErrorCode::kInvalidArgument,
                      Reason::kInvalidArgument));
  EXPECT_EQ(Sha256Sidecar::digest_file("no_such_file_here").error().reason, Reason::kNotFound);
}

TEST(Sidecar, WhatIsNoFileIsRefusedAsThat) {
  const TempFolder temp;
  fs::create_directory(temp.path() / "folder");
  EXPECT_FALSE(Sha256Sidecar::write_atomic_and_sidecar(temp.path() / "folder", bytes_of("x")).ok());
  EXPECT_TRUE(
      refused(Sha256Sidecar::verify(temp.path() / "folder"), ErrorCode::kIo, Reason::kNotRegularFile));
  temp.write("a", "payload");
  fs::create_directory(temp.path() / "a.sha256");
  EXPECT_FALSE(Sha256Sidecar::verify(temp.path() / "a").ok());
  EXPECT_TRUE(refused(Sha256Sidecar::verify(temp.path() / "a" / "b"), ErrorCode::kIo, Reason::kIo));
}

}  // namespace
}  // namespace skua::test
