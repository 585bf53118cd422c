// Collecting: what stays, what goes, who is asked before, and in which order it happens.
#include "cache/collect_sets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/dsse_bundle.h"
#include "cache/set_signature.h"
#include "cache_fixture.h"
#include "fault_filesystem.h"

namespace skua::test {
namespace {

using testing::ElementsAre;

/// set-1, of the fixture, to set-5, where CURRENT is.
class Collecting : public testing::Test {
 protected:
  Collecting() {
    for (std::uint64_t i = 2; i <= 5; ++i) publish(i);
  }
  void publish(std::uint64_t sequence) {
    Manifest draft = draft_of({folders_.records()[0]}, "set-" + std::to_string(sequence));
    draft.release_sequence = sequence;
    publish_set(files_, folders_.sets(), folders_.cache(), draft).value();
  }
  void sign(const std::string& id, const PrivateKey& key) {
    WriterLock lock = WriterLock::take(files_, folders_.sets()).value();
    auto set = admit_set(files_, folders_.sets() / id, ground_policy()).value();
    ASSERT_TRUE(accepted(add_signature(lock, set, key)));
  }
  void spoil(const std::string& file) {
    std::string bytes = folders_.temp().read("sets/" + file);
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    folders_.temp().write("sets/" + file, bytes);
  }
  void make_current(const std::string& id) { folders_.temp().write("sets/CURRENT", id + "\n"); }

  Result<CollectReport> collect(FileSystem& files) { return collect_sets(files, folders_.sets(), options_); }
  Result<CollectReport> collect() { return collect(files_); }
  /// "set-4 kept", in the report's order.
  std::vector<std::string> fates() {
    std::vector<std::string> texts;
    for (const CollectedSet& set : collect().value()) {
      texts.push_back(set.id + " " + std::string(to_string(set.fate)));
    }
    return texts;
  }
  std::vector<std::string> names() const {
    return posix_file_system().open_folder(folders_.sets()).value()->list().value();
  }
  std::string engine() const { return folders_.records()[0].file; }

  UnsyncedFileSystem files_;
  PublishedFolders folders_;
  CollectOptions options_;
};

TEST_F(Collecting, KeepsWhatFliesAndTheNewestOthers) {
  EXPECT_THAT(fates(),
              ElementsAre("set-5 current", "set-4 kept", "set-3 kept", "set-2 removed", "set-1 removed"));
  EXPECT_THAT(names(), ElementsAre("CURRENT", "set-3", "set-4", "set-5"));
  EXPECT_THAT(fates(), ElementsAre("set-5 current", "set-4 kept", "set-3 kept")) << "nothing is left to do";
}

TEST_F(Collecting, WhatFliesStaysHoweverOldItIs) {
  make_current("set-1");
  options_.keep = 0;
  EXPECT_THAT(fates(), testing::Contains("set-1 current"));
  EXPECT_THAT(names(), ElementsAre("CURRENT", "set-1"));
}

TEST_F(Collecting, ADryRunTellsTheSameAndChangesNothing) {
  options_.dry_run = true;
  const auto before = names();
  const auto told = fates();
  EXPECT_EQ(names(), before);
  const auto lock = WriterLock::take(posix_file_system(), folders_.sets()).value();
  EXPECT_EQ(fates(), told) << "while another program writes, too";
  options_.dry_run = false;
  EXPECT_TRUE(refused(collect(), ErrorCode::kEngineBuild, Reason::kFolderBusy)) << "the control";
}

/// It may have been read wrong, and be whole on the disk: only who asks for it has it removed.
TEST_F(Collecting, ADamagedSetIsNoSpareAndGoesWhenAskedFor) {
  spoil("set-4/" + engine());
  fs::remove(folders_.sets() / "set-3" / engine());
  EXPECT_THAT(fates(),
              ElementsAre("set-5 current", "set-2 kept", "set-1 kept", "set-3 damaged", "set-4 damaged"));
  EXPECT_THAT(names(), ElementsAre("CURRENT", "set-1", "set-2", "set-3", "set-4", "set-5"));
  options_.removes_damaged = true;
  EXPECT_THAT(fates(),
              ElementsAre("set-5 current", "set-2 kept", "set-1 kept", "set-3 removed", "set-4 removed"));
  EXPECT_THAT(names(), ElementsAre("CURRENT", "set-1", "set-2", "set-5"));
}

/// The formats grow by new names for these two. This release cannot read them, and a later one can.
TEST_F(Collecting, ASignatureOfANewerFormStays) {
  const PrivateKey key = PrivateKey::generate().value();
  for (const char* id : {"set-3", "set-4", "set-5"}) sign(id, key);
  options_.policy.trusted_keys = {key.public_key().value()};
  options_.keep = 0;
  options_.removes_damaged = true;
  const auto bundle = [&](const std::string& id) {
    return decode_bundle(folders_.temp().read("sets/" + id + "/model.sig")).value();
  };
  std::string newer = folders_.temp().read("sets/set-4/model.sig");
  newer.replace(newer.find("v0.3"), 4, "v9.9");
  folders_.temp().write("sets/set-4/model.sig", newer);
  DsseBundle signed_anew = bundle("set-3");
  signed_anew.payload.replace(signed_anew.payload.find("signature/v1.0"), 14, "signature/v9.9");
  const std::string message = pre_authentication_encoding(signed_anew.payload);
  signed_anew.signature = key.sign(std::as_bytes(std::span(message))).value();
  folders_.temp().write("sets/set-3/model.sig", encode_bundle(signed_anew));
  EXPECT_THAT(fates(), testing::IsSupersetOf({"set-3 not_judged", "set-4 not_judged", "set-5 current"}));
  EXPECT_THAT(names(), testing::IsSupersetOf({"set-3", "set-4"}));
}

TEST_F(Collecting, WhatIsNotJudgedStays) {
  folders_.temp().write("sets/set-4/note.txt", "mine");  // cured by removing the note
  fs::rename(folders_.sets() / "set-3", folders_.sets() / "renamed");
  fs::permissions(folders_.sets() / "set-2" / engine(), fs::perms::group_write, fs::perm_options::add);
  folders_.temp().write("sets/notes/what.txt", "no set");
  folders_.temp().write("sets/file", "no set");
  fs::create_directory_symlink("set-1", folders_.sets() / "link");
  options_.keep = 0;
  EXPECT_THAT(fates(), ElementsAre("set-5 current", "set-1 removed", "renamed not_judged", "set-2 not_judged",
                                   "set-4 not_judged"));
  EXPECT_THAT(names(), ElementsAre("CURRENT", "file", "link", "notes", "renamed", "set-2", "set-4", "set-5"));
}

TEST_F(Collecting, RefusesWhileWhatFliesDoesNotPass) {
  const auto before = names();
  spoil("set-5/" + engine());
  const auto refusal = collect();
  EXPECT_TRUE(refused(refusal, ErrorCode::kManifest, Reason::kListedFileHashMismatch));
  EXPECT_THAT(refusal.error().message, testing::HasSubstr("nothing was removed"));
  fs::remove(folders_.sets() / "CURRENT");
  EXPECT_TRUE(refused(collect(), ErrorCode::kManifest, Reason::kCurrentMissing));
  make_current("set-9");
  EXPECT_TRUE(refused(collect(), ErrorCode::kManifest, Reason::kSetMissing));
  EXPECT_EQ(names(), before);
}

TEST_F(Collecting, WithoutAKeyASignatureStopsIt) {
  const auto before = names();
  sign("set-1", PrivateKey::generate().value());
  const auto refusal = collect();
  EXPECT_TRUE(refused(refusal, ErrorCode::kInvalidArgument, Reason::kNoTrustedKey));
  EXPECT_THAT(refusal.error().message, testing::HasSubstr("set-1"));
  EXPECT_THAT(refusal.error().message, testing::HasSubstr("--trust"));
  EXPECT_EQ(names(), before);
}

TEST_F(Collecting, WithAKeyOnlyItsSetsAreJudged) {
  const PrivateKey key = PrivateKey::generate().value();
  for (const char* id : {"set-2", "set-3", "set-5"}) sign(id, key);
  sign("set-1", PrivateKey::generate().value());
  options_.policy.trusted_keys = {key.public_key().value()};
  options_.keep = 1;
  EXPECT_THAT(fates(), ElementsAre("set-5 current", "set-3 kept", "set-2 removed", "set-1 not_judged",
                                   "set-4 not_judged"))
      << "of another key, or not signed yet: not for us to remove";
  DsseBundle changed = decode_bundle(folders_.temp().read("sets/set-3/model.sig")).value();
  changed.payload += " ";
  folders_.temp().write("sets/set-3/model.sig", encode_bundle(changed));
  EXPECT_THAT(fates(), testing::Contains("set-3 damaged")) << "a signature that does not hold";
  options_.policy.trusted_keys = {PrivateKey::generate().value().public_key().value()};
  EXPECT_TRUE(refused(collect(), ErrorCode::kManifest, Reason::kSignatureKeyUnknown));
}

TEST_F(Collecting, KeepsWhatAReaderHolds) {
  options_.keep = 0;
  {
    const auto reader = folders_.admit();
    ASSERT_TRUE(accepted(reader));
    const auto another = folders_.admit();
    EXPECT_TRUE(accepted(another)) << "readers do not exclude each other";
    EXPECT_THAT(fates(), testing::Contains("set-1 in_use"));
    EXPECT_THAT(names(), ElementsAre("CURRENT", "set-1", "set-5"));
  }
  EXPECT_THAT(fates(), testing::Contains("set-1 removed"));
  EXPECT_THAT(names(), ElementsAre("CURRENT", "set-5"));
}

TEST_F(Collecting, NobodyCanKeepASetFromFlyingByHoldingItsLock) {
  const auto folder = posix_file_system().open_folder(folders_.set()).value();
  ASSERT_TRUE(accepted(folder->lock()));
  EXPECT_TRUE(accepted(folders_.admit())) << "neither waits nor fails";
}

/// The collector gets in before each operation of a reader of a set that is to go: the reader has all of it,
/// or is refused.
TEST(CollectingRace, AReaderGetsTheSetWholeOrARefusal) {
  int whole = 0, refusals = 0;
  for (std::uint64_t n = 1; n < 1000; ++n) {
    const PublishedFolders folders;
    UnsyncedFileSystem unsynced;
    publish_set(unsynced, folders.sets(), folders.cache(), draft_of(folders.records(), "set-2")).value();
    CollectOptions options;
    options.keep = 0;
    FaultPlan plan;
    plan.before = [&](std::uint64_t operation) {
      if (operation != n) return;
      EXPECT_TRUE(accepted(collect_sets(unsynced, folders.sets(), options)));
    };
    FaultFileSystem files;
    files.arm(plan);
    auto set = admit_set(files, folders.set(), ground_policy());
    const Status read = set.ok() ? verify_all_files(*set) : Status(set.error());
    if (files.operations() < n) {
      EXPECT_GT(whole, 5);
      EXPECT_GT(refusals, 0) << "the control: the collector did come in between";
      return;
    }
    ++(read.ok() ? whole : refusals);
    EXPECT_EQ(read.ok(), fs::exists(folders.set())) << files.journal()[n - 1];
    if (read.ok()) continue;
    EXPECT_TRUE(read.error().is_load_refusal()) << read.error().describe();
  }
  FAIL() << "the sweep does not end";
}

TEST_F(Collecting, SettlesWhatStaysThenRenamesThenSyncsThenRemoves) {
  FaultFileSystem files(files_);
  files.arm({});
  options_.keep = 1;
  ASSERT_TRUE(accepted(collect(files)));
  std::string steps;
  for (const std::string& step : files.journal()) {
    if (step.starts_with("sync-file")) steps += 'f';
    if (step == "sync-folder") steps += 'd';
    if (step.starts_with("rename")) steps += 'r';
    if (step.starts_with("remove")) steps += 'x';
  }
  // Two sets that stay: four files and golden/, itself in the folder's order; then CURRENT and the sets.
  EXPECT_THAT(steps, testing::MatchesRegex("f+df*df+df*dfdrrrdx+"));
}

TEST_F(Collecting, AFaultAnywhereLeavesWhatFliesAndIsMadeGoodByTheNextRun) {
  options_.keep = 1;
  for (std::uint64_t n = 1; n < 1000; ++n) {
    FaultFileSystem files(files_);
    files.arm({n, Reason::kIo, EIO, n % 2 == 0});
    const auto report = collect(files);
    const std::string step = files.journal().size() >= n ? files.journal()[n - 1] : "";
    const auto current = current_set(posix_file_system(), folders_.sets());
    ASSERT_TRUE(accepted(current)) << step;
    ASSERT_EQ(current->filename(), "set-5") << step;
    for (const char* id : {"set-4", "set-5"}) {
      auto set = admit_set(posix_file_system(), folders_.sets() / id, ground_policy());
      ASSERT_TRUE(accepted(set)) << step;
      ASSERT_TRUE(accepted(verify_all_files(*set))) << step;
    }
    ASSERT_TRUE(accepted(collect())) << step;
    ASSERT_THAT(names(), ElementsAre("CURRENT", "set-4", "set-5")) << step;
    if (!files.has_fired()) return;
    for (std::uint64_t i = 1; i <= 3; ++i) publish(i);
    make_current("set-5");
  }
  FAIL() << "the sweep does not end";
}

}  // namespace
}  // namespace skua::test
