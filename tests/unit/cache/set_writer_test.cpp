#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/publish.h"
#include "cache_fixture.h"
#include "fault_filesystem.h"

namespace skua::test {
namespace {

class SetWriting : public testing::Test {
 protected:
  Result<Manifest> publish(const Manifest& draft, std::uint64_t limit = 1U << 20U) {
    return publish_set(files_, folders_.sets(), folders_.cache(), draft, limit);
  }
  Manifest draft(const std::string& id, std::size_t engines = 2) const {
    std::vector<EngineRecord> records = folders_.records();
    records.resize(engines);
    return draft_of(records, id);
  }
  std::vector<std::string> sets() const {
    return posix_file_system().open_folder(folders_.sets()).value()->list().value();
  }
  std::string current() const { return folders_.temp().read("sets/CURRENT"); }
  void spoil(const std::string& cached_file) const {
    std::string bytes = folders_.temp().read("cache/" + cached_file);
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    folders_.temp().write("cache/" + cached_file, bytes);
  }
  std::string engine() const { return folders_.records()[0].file; }

  UnsyncedFileSystem files_;
  PublishedFolders folders_;
};

TEST_F(SetWriting, MakesACompleteSetAndPointsCurrentAtIt) {
  const auto manifest = publish(draft("set-2"));
  ASSERT_TRUE(accepted(manifest));
  EXPECT_EQ(current(), "set-2\n");
  EXPECT_THAT(sets(), testing::ElementsAre("CURRENT", "set-1", "set-2"));
  auto admitted = admit_set(posix_file_system(), folders_.sets() / "set-2", ground_policy());
  ASSERT_TRUE(accepted(admitted));
  EXPECT_EQ(admitted->manifest, *manifest);
  EXPECT_TRUE(accepted(verify_all_files(*admitted)));
  EXPECT_EQ(manifest->files.size(), 8U);
}

TEST_F(SetWriting, SortsTheArtifactsByCriticality) {
  Manifest reversed = draft("set-2");
  std::swap(reversed.artifacts[0].criticality, reversed.artifacts[1].criticality);
  const auto manifest = publish(reversed);
  ASSERT_TRUE(accepted(manifest));
  EXPECT_EQ(manifest->artifacts[0].name, "beta");
}

TEST_F(SetWriting, CopiesAndNeverLinks) {
  publish(draft("set-2")).value();
  EXPECT_EQ(fs::hard_link_count(folders_.cache() / engine()), 1U);
  spoil(engine());
  EXPECT_EQ(folders_.temp().read("sets/set-2/" + engine()), plan_bytes());
}

TEST_F(SetWriting, RefusesADamagedCacheEntryAndPublishesNothing) {
  const auto attempt = [&](ErrorCode code, Reason reason) {
    EXPECT_TRUE(refused(publish(draft("set-2")), code, reason));
    EXPECT_THAT(sets(), testing::ElementsAre("CURRENT", "set-1"));
    EXPECT_EQ(current(), "set-1\n");
  };
  spoil(engine());
  attempt(ErrorCode::kEngineHashMismatch, Reason::kSidecarHashMismatch);
  // Engine and sidecar agree, but the record names other bytes.
  folders_.temp().write("cache/" + engine() + ".sha256",
                        digest_of(folders_.temp().read("cache/" + engine())).hex());
  attempt(ErrorCode::kEngineHashMismatch, Reason::kManifestHashMismatch);
  folders_.temp().write("cache/" + engine(), plan_bytes());
  folders_.temp().write("cache/" + engine() + ".sha256", digest_of(plan_bytes()).hex());
  spoil(engine() + ".golden");
  attempt(ErrorCode::kEngineHashMismatch, Reason::kGoldenHashMismatch);
  fs::remove(folders_.cache() / (engine() + ".golden"));
  attempt(ErrorCode::kEngineDeserialize, Reason::kGoldenMissing);
  folders_.temp().write("cache/" + engine() + ".golden", golden_bytes());
  fs::remove(folders_.cache() / (engine() + ".sha256"));
  attempt(ErrorCode::kEngineSidecarMissing, Reason::kSidecarMissing);
  folders_.temp().write("cache/" + engine() + ".sha256", digest_of(plan_bytes()).hex());
  EXPECT_TRUE(accepted(publish(draft("set-2")))) << "the control: all repaired";
}

TEST_F(SetWriting, RefusesWhatTheGatesWouldRefuse) {
  Manifest unproven = draft("set-2");
  unproven.artifacts[0].engine.proven = false;
  EXPECT_TRUE(refused(publish(unproven), ErrorCode::kEngineBuild, Reason::kEngineUnproven));
  Manifest wrong_size = draft("set-2");
  ++wrong_size.artifacts[0].engine.size_bytes;
  EXPECT_TRUE(refused(publish(wrong_size), ErrorCode::kEngineBuild, Reason::kFileSizeMismatch));
  EXPECT_TRUE(refused(publish(draft("SET 2")), ErrorCode::kInvalidArgument, Reason::kInvalidArgument));
  EXPECT_TRUE(refused(publish(draft("set-2"), 100), ErrorCode::kEngineBuild, Reason::kSetTooLarge));
  Manifest twice = draft("set-2");
  twice.artifacts[1].engine = twice.artifacts[0].engine;
  EXPECT_TRUE(refused(publish(twice), ErrorCode::kInvalidArgument, Reason::kInvalidArgument));
  EXPECT_THAT(sets(), testing::ElementsAre("CURRENT", "set-1"));
}

TEST_F(SetWriting, EveryAddedEngineIsNamedByTheManifest) {
  WriterLock lock = WriterLock::take(files_, folders_.sets()).value();
  SetWriter writer = SetWriter::begin(lock).value();
  auto cache = files_.open_folder(folders_.cache()).value();
  for (const EngineRecord& record : folders_.records()) writer.add_engine(*cache, record).value();
  EXPECT_TRUE(refused(writer.commit(draft("set-2", 1), 1U << 20U), ErrorCode::kInvalidArgument,
                      Reason::kInvalidArgument));
  EXPECT_TRUE(refused(writer.commit(draft("set-2"), 1U << 20U), ErrorCode::kInvalidArgument,
                      Reason::kInvalidArgument))
      << "given up";
  EXPECT_FALSE(writer.add_engine(*cache, folders_.records()[0]).ok());
}

TEST_F(SetWriting, ASetWithHalfAnEngineIsGivenUp) {
  WriterLock lock = WriterLock::take(files_, folders_.sets()).value();
  SetWriter writer = SetWriter::begin(lock).value();
  auto cache = files_.open_folder(folders_.cache()).value();
  writer.add_engine(*cache, folders_.records()[0]).value();
  spoil(folders_.records()[1].golden.file);
  EXPECT_TRUE(refused(writer.add_engine(*cache, folders_.records()[1]), ErrorCode::kEngineHashMismatch,
                      Reason::kGoldenHashMismatch));
  EXPECT_TRUE(refused(writer.commit(draft("set-2", 1), 1U << 20U), ErrorCode::kInvalidArgument,
                      Reason::kInvalidArgument));
  EXPECT_THAT(sets(), testing::ElementsAre("CURRENT", "set-1"));
}

TEST_F(SetWriting, AnUnfinishedSetIsDiscarded) {
  WriterLock lock = WriterLock::take(files_, folders_.sets()).value();
  {
    SetWriter writer = SetWriter::begin(lock).value();
    auto cache = files_.open_folder(folders_.cache()).value();
    writer.add_engine(*cache, folders_.records()[0]).value();
    EXPECT_EQ(sets().size(), 3U) << "the staging folder is there";
  }
  EXPECT_THAT(sets(), testing::ElementsAre("CURRENT", "set-1"));
}

TEST_F(SetWriting, APublishedSetIsNeverChanged) {
  const std::string before = folders_.temp().read("sets/set-1/flight-manifest.json");
  const auto refusal = publish(draft("set-1", 1));
  EXPECT_TRUE(refused(refusal, ErrorCode::kInvalidArgument, Reason::kExists));
  EXPECT_THAT(refusal.error().message, testing::HasSubstr("never changed"));
  EXPECT_EQ(folders_.temp().read("sets/set-1/flight-manifest.json"), before);
  EXPECT_THAT(sets(), testing::ElementsAre("CURRENT", "set-1"));
}

TEST_F(SetWriting, TheSameSetThatLacksCurrentIsTakenOver) {
  fs::remove(folders_.sets() / "CURRENT");  // as if the writer had been stopped just before
  Manifest again = draft("set-1");
  again.created = "2031-01-01T00:00:00Z";
  const auto manifest = publish(again);
  ASSERT_TRUE(accepted(manifest));
  EXPECT_EQ(manifest->created, "2026-02-03T04:05:06Z") << "of the set that is there";
  EXPECT_EQ(current(), "set-1\n");
}

TEST_F(SetWriting, TheSameContentUnderAnotherSequenceIsNotTakenOver) {
  fs::remove(folders_.sets() / "CURRENT");
  Manifest later = draft("set-1");
  later.release_sequence = 2;
  EXPECT_TRUE(refused(publish(later), ErrorCode::kInvalidArgument, Reason::kExists));
  EXPECT_TRUE(accepted(publish(draft("set-1")))) << "the control";
}

TEST_F(SetWriting, ADamagedSetOfThatIdIsNotTakenOver) {
  fs::remove(folders_.sets() / "CURRENT");
  const std::string golden = "sets/set-1/golden/" + engine() + ".golden";
  std::string bytes = folders_.temp().read(golden);
  bytes[20] = static_cast<char>(bytes[20] ^ 1);
  folders_.temp().write(golden, bytes);
  EXPECT_TRUE(refused(publish(draft("set-1")), ErrorCode::kInvalidArgument, Reason::kExists));
  EXPECT_THAT(sets(), testing::ElementsAre("set-1"));
}

TEST_F(SetWriting, SyncsEverythingBeforeTheRenameAndTheFolderBeforeCurrent) {
  FaultFileSystem files(files_);
  ASSERT_TRUE(accepted(publish_set(files, folders_.sets(), folders_.cache(), draft("set-2", 1))));
  std::vector<std::string> tail;
  int created = 0;
  int synced = 0;
  for (const std::string& step : files.journal()) {
    created += step.starts_with("create ") ? 1 : 0;
    synced += step.starts_with("sync ") ? 1 : 0;
    if (step.starts_with("rename ")) tail.push_back("name " + step.substr(step.rfind(' ') + 1));
    if (step == "sync-folder") tail.push_back(step);
  }
  EXPECT_EQ(created, synced);
  EXPECT_EQ(created, 6) << "engine, golden file, sidecar, build record, manifest, CURRENT";
  EXPECT_THAT(tail, testing::ElementsAre("sync-folder", "sync-folder", "name set-2", "sync-folder",
                                         "name CURRENT", "sync-folder"));
}

}  // namespace
}  // namespace skua::test
