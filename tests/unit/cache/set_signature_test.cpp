// Adding a signature to a published set: once, whole or not at all, whenever it fails or is killed.
#include "cache/set_signature.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fault_filesystem.h"
#include "signed_set.h"

namespace skua::test {
namespace {

/// `set-1` with no signature, and the steps of `skua sign`.
struct UnsignedSet {
  PublishedFolders folders;
  Status sign(FileSystem& files, const PrivateKey& key = signing_key()) const {
    SKUA_ASSIGN_OR_RETURN(WriterLock sets, WriterLock::take(files, folders.sets()));
    SKUA_ASSIGN_OR_RETURN(auto folder, files.open_folder(folders.set()));
    SKUA_ASSIGN_OR_RETURN(AdmittedSet set, admit_whole(std::move(folder), "set-1", 1U << 20U));
    SKUA_RETURN_IF_ERROR(verify_all_files(set));
    return add_signature(sets, set, key);
  }
  std::string signature() const { return folders.temp().read("sets/set-1/model.sig"); }
  bool is_signed() const { return folders.temp().has("sets/set-1/model.sig"); }
  std::vector<std::string> names(const fs::path& folder) const {
    return posix_file_system().open_folder(folder).value()->list().value();
  }
};

TEST(AddSignature, MakesAnUnsignedSetOneThatIsAdmitted) {
  const UnsignedSet set;
  EXPECT_TRUE(refused(set.folders.admit(trusting_policy()), ErrorCode::kManifest, Reason::kUnsignedSet));
  ASSERT_TRUE(accepted(set.sign(posix_file_system())));
  const auto admitted = set.folders.admit(trusting_policy());
  ASSERT_TRUE(accepted(admitted));
  EXPECT_EQ(admitted->signer, signing_key().public_key()->fingerprint());
  EXPECT_THAT(set.names(set.folders.sets()), testing::ElementsAre("CURRENT", "set-1"));
}

TEST(AddSignature, IsDoneOnceAndNeverReplaced) {
  const UnsignedSet set;
  ASSERT_TRUE(accepted(set.sign(posix_file_system())));
  const std::string first = set.signature();
  EXPECT_TRUE(accepted(set.sign(posix_file_system()))) << "again, by the same key";
  EXPECT_EQ(set.signature(), first);
  EXPECT_TRUE(refused(set.sign(posix_file_system(), other_key()), ErrorCode::kInvalidArgument,
                      Reason::kAlreadySigned));
  EXPECT_EQ(set.signature(), first);
  for (const std::string& text :
       {std::string("{}"), std::string(), first + "x", encode_bundle(signed_bundle("{}"))}) {
    set.folders.temp().write("sets/set-1/model.sig", text);
    EXPECT_TRUE(refused(set.sign(posix_file_system()), ErrorCode::kInvalidArgument, Reason::kAlreadySigned));
    EXPECT_EQ(set.signature(), text);
  }
}

/// What the key that signed it is to sign again.
Status sign_again(const SignedSet& set) {
  WriterLock sets = WriterLock::take(posix_file_system(), set.folders.sets()).value();
  auto folder = posix_file_system().open_folder(set.folders.set()).value();
  AdmittedSet admitted = admit_whole(std::move(folder), "set-1", 1U << 20U).value();
  return add_signature(sets, admitted, signing_key());
}

TEST(AddSignature, ASignatureOfTheSameKeyOverOtherFilesCountsAsAnother) {
  const SignedSet set;
  Json statement = set.statement();
  statement["predicate"]["resources"].push_back(
      {{"name", "zzz"}, {"algorithm", "sha256"}, {"digest", digest_of("z").hex()}});
  set.put_statement(statement);
  EXPECT_TRUE(refused(sign_again(set), ErrorCode::kInvalidArgument, Reason::kAlreadySigned));
}

TEST(AddSignature, ASignatureOfTheSameKeyOverAnotherManifestCountsAsAnother) {
  const SignedSet set;
  Json statement = set.statement();
  for (Json& file : statement["predicate"]["resources"]) {
    if (file["name"] == "flight-manifest.json") file["digest"] = digest_of("another").hex();
  }
  set.put_statement(statement);
  EXPECT_TRUE(refused(sign_again(set), ErrorCode::kInvalidArgument, Reason::kAlreadySigned));
}

TEST(AddSignature, WhatStandsInItsPlaceAndIsNoSafeFileIsRefusedAsThat) {
  const UnsignedSet set;
  fs::create_directory(set.folders.set() / "model.sig");
  EXPECT_TRUE(refused(set.sign(posix_file_system()), ErrorCode::kEngineDeserialize, Reason::kNotRegularFile));
}

class AddSignatureFault : public testing::TestWithParam<bool> {};

TEST_P(AddSignatureFault, TheSetIsUnsignedOrSignedWhole) {
  const bool is_kill = GetParam();
  UnsyncedFileSystem unsynced;
  std::map<bool, int> seen;
  std::uint64_t n = 1;
  for (;; ++n) {
    const UnsignedSet set;
    const auto before = set.names(set.folders.set());
    FaultFileSystem files(unsynced);
    files.arm({n, n % 2 == 0 ? Reason::kDiskFull : Reason::kIo, n % 2 == 0 ? ENOSPC : EIO, is_kill});
    const Status done = set.sign(files);
    if (!files.has_fired()) break;
    const std::string what = std::to_string(n) + ": " + files.journal()[n - 1];
    EXPECT_TRUE(done.ok() || done.error().reason != Reason::kAlreadySigned) << what;
    ++seen[set.is_signed()];
    GatePolicy policy = trusting_policy();
    policy.allow_unsigned = !set.is_signed();
    EXPECT_TRUE(accepted(set.folders.admit(policy))) << what;
    auto names = set.names(set.folders.set());
    std::erase(names, "model.sig");
    EXPECT_EQ(names, before) << what << ": nothing else is in the set";
    EXPECT_TRUE(is_kill || set.names(set.folders.sets()) == std::vector<std::string>({"CURRENT", "set-1"}))
        << what;
    EXPECT_TRUE(accepted(set.sign(unsynced))) << what << ": the next attempt";
    EXPECT_TRUE(accepted(set.folders.admit(trusting_policy()))) << what;
    EXPECT_THAT(set.names(set.folders.sets()), testing::ElementsAre("CURRENT", "set-1")) << what;
    ASSERT_LT(n, 500U) << "the sweep does not end";
  }
  EXPECT_GT(n, 30U);
  EXPECT_GT(seen[false], 25);
  EXPECT_GE(seen[true], 2) << "a fault at each sync of the folders";
}

INSTANTIATE_TEST_SUITE_P(FaultOrKill, AddSignatureFault, testing::Bool(),
                         [](const auto& kind) { return kind.param ? "Kill" : "Fault"; });

TEST(AddSignature, IsDurableBeforeItIsReportedAlsoWhereItWasThere) {
  const UnsignedSet set;
  UnsyncedFileSystem unsynced;
  for (const bool is_first : {true, false}) {
    FaultFileSystem files(unsynced);
    ASSERT_TRUE(accepted(set.sign(files)));
    const std::vector<std::string> journal = files.journal();
    const auto count = std::count(journal.begin(), journal.end(), "sync-folder");
    EXPECT_EQ(count, 2) << "of the set and of the sets; first: " << is_first;
    EXPECT_EQ(journal.back(), "sync-folder");
  }
}

TEST(CommitWithAKey, TheSetIsSignedBeforeItAppears) {
  UnsyncedFileSystem unsynced;
  const PublishedFolders folders(&signing_key());
  FaultFileSystem files(unsynced);
  const Manifest draft = draft_of({folders.records()[0]}, "set-2");
  ASSERT_TRUE(
      accepted(publish_set(files, folders.sets(), folders.cache(), draft, 1U << 20U, &signing_key())));
  const std::vector<std::string> journal = files.journal();
  const auto at = [&](const std::string& step) {
    return std::find_if(journal.begin(), journal.end(),
                        [&](const std::string& line) { return line.starts_with(step); }) -
           journal.begin();
  };
  const auto end = static_cast<std::ptrdiff_t>(journal.size());
  ASSERT_LT(at("rename"), end);
  EXPECT_LT(at("sync model.sig"), at("rename"));
  EXPECT_TRUE(accepted(admit_set(posix_file_system(), folders.sets() / "set-2", trusting_policy())));
}

TEST(CommitWithAKey, ASetThatLacksItsSignatureIsTakenOverAndSigned) {
  UnsyncedFileSystem files;
  const PublishedFolders folders;  // unsigned, as if the signer had been stopped
  fs::remove(folders.sets() / "CURRENT");
  const Manifest draft = draft_of(folders.records(), "set-1");
  const auto again = [&](const PrivateKey& key) {
    return publish_set(files, folders.sets(), folders.cache(), draft, 1U << 20U, &key);
  };
  ASSERT_TRUE(accepted(again(signing_key())));
  EXPECT_TRUE(accepted(folders.admit(trusting_policy())));
  EXPECT_TRUE(accepted(again(signing_key())));
  EXPECT_TRUE(refused(again(other_key()), ErrorCode::kInvalidArgument, Reason::kAlreadySigned));
  EXPECT_TRUE(accepted(folders.admit(trusting_policy())));
}

}  // namespace
}  // namespace skua::test
