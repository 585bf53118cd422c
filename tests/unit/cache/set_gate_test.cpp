#include "cache/set_gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <set>

#include "cache_fixture.h"

namespace skua::test {
namespace {

constexpr auto kManifestError = ErrorCode::kManifest;

struct SetCase {
  PublishedFolders folders;
  GatePolicy policy = ground_policy();
  Result<AdmittedSet> admit() const { return folders.admit(policy); }
  fs::path file(const std::string& name) const { return folders.set() / name; }
  std::string engine() const { return folders.records()[0].file; }
  void write(const std::string& name, const std::string& text) const {
    folders.temp().write("sets/set-1/" + name, text);
  }
  /// The manifest is replaced by a changed one that is well formed.
  template <typename Change>
  void edit_manifest(Change change) const {
    Manifest manifest = decode_manifest(folders.temp().read("sets/set-1/flight-manifest.json")).value();
    change(manifest);
    write("flight-manifest.json", encode_manifest(manifest));
  }
};

struct SetFault {
  std::string name;
  int stage;
  ErrorCode code;
  Reason reason;
  void (*spoil)(SetCase&);
};

std::vector<SetFault> set_faults() {
  constexpr auto kUnsafe = ErrorCode::kEngineDeserialize;
  return {
      {"signed", 1, kManifestError, Reason::kSignatureNotSupported,
       [](SetCase& c) { c.write("model.sig", "{}"); }},
      {"unsigned", 1, kManifestError, Reason::kUnsignedSet,
       [](SetCase& c) { c.policy.allow_unsigned = false; }},
      {"no manifest", 2, kManifestError, Reason::kManifestMissing,
       [](SetCase& c) { fs::remove(c.file("flight-manifest.json")); }},
      {"huge manifest", 2, kManifestError, Reason::kManifestTooLarge,
       [](SetCase& c) { fs::resize_file(c.file("flight-manifest.json"), kManifestMaxBytes + 1); }},
      {"manifest mode", 2, kUnsafe, Reason::kFileMode,
       [](SetCase& c) {
         fs::permissions(c.file("flight-manifest.json"), fs::perms::others_write, fs::perm_options::add);
       }},
      {"folder mode", 2, kUnsafe, Reason::kFileMode,
       [](SetCase& c) { fs::permissions(c.file(""), fs::perms::group_write, fs::perm_options::add); }},
      {"garbage", 3, kManifestError, Reason::kManifestMalformed,
       [](SetCase& c) { c.write("flight-manifest.json", "{"); }},
      {"schema", 3, kManifestError, Reason::kManifestSchemaVersion,
       [](SetCase& c) {
         c.write("flight-manifest.json", R"({"kind": "skua.flight-manifest", "schema": 2})");
       }},
      {"set id", 4, kManifestError, Reason::kSetIdMismatch,
       [](SetCase& c) { c.edit_manifest([](Manifest& m) { m.set_id = "set-2"; }); }},
      {"sequence", 5, kManifestError, Reason::kSequenceTooOld,
       [](SetCase& c) { c.policy.minimum_release_sequence = 2; }},
      {"expiry", 6, kManifestError, Reason::kExpiryNotSupported,
       [](SetCase& c) { c.edit_manifest([](Manifest& m) { m.not_after = "2030-01-01T00:00:00Z"; }); }},
      {"unlisted file", 7, kManifestError, Reason::kUnlistedFile,
       [](SetCase& c) { c.write("notes.txt", "x"); }},
      {"unlisted golden", 7, kManifestError, Reason::kUnlistedFile,
       [](SetCase& c) { c.write("golden/notes.txt", "x"); }},
      {"hidden file", 7, kManifestError, Reason::kUnlistedFile, [](SetCase& c) { c.write(".hidden", "x"); }},
      {"empty folder", 7, kManifestError, Reason::kUnlistedFile,
       [](SetCase& c) { fs::create_directory(c.file("extra")); }},
      {"unlisted folder", 7, kManifestError, Reason::kUnlistedFile,
       [](SetCase& c) { c.write("extra/deep/file", "x"); }},
      {"unlisted link", 7, kManifestError, Reason::kUnlistedFile,
       [](SetCase& c) { fs::create_symlink("/", c.file("extra")); }},
      {"missing file", 8, kManifestError, Reason::kListedFileMissing,
       [](SetCase& c) { fs::remove(c.file(c.engine())); }},
      {"missing golden", 8, kManifestError, Reason::kListedFileMissing,
       [](SetCase& c) { fs::remove_all(c.file("golden")); }},
      {"file size", 8, kManifestError, Reason::kFileSizeMismatch,
       [](SetCase& c) { c.write(c.engine(), "short"); }},
      {"file mode", 8, kUnsafe, Reason::kFileMode,
       [](SetCase& c) {
         fs::permissions(c.file(c.engine()), fs::perms::group_write, fs::perm_options::add);
       }},
      {"file link", 8, kUnsafe, Reason::kNotRegularFile,
       [](SetCase& c) {
         fs::rename(c.file(c.engine()), c.folders.temp().path() / "e"),
             fs::create_symlink("../../e", c.file(c.engine()));
       }},
      {"file names", 8, kUnsafe, Reason::kFileLinks,
       [](SetCase& c) { fs::create_hard_link(c.file(c.engine()), c.folders.temp().path() / "second"); }},
      {"too large", 9, kManifestError, Reason::kSetTooLarge,
       [](SetCase& c) { c.policy.flight_set_limit_bytes = 100; }},
  };
}

TEST(SetGate, AdmitsAnUntouchedSet) {
  const SetCase c;
  const auto admitted = c.admit();
  ASSERT_TRUE(accepted(admitted));
  EXPECT_EQ(admitted->manifest.set_id, "set-1");
  EXPECT_EQ(admitted->manifest_sha256, digest_of(c.folders.temp().read("sets/set-1/flight-manifest.json")));
  EXPECT_TRUE(admitted->is_unsigned);
  EXPECT_TRUE(accepted(admit_set(posix_file_system(), c.folders.set() / "", c.policy)))
      << "with a slash at the end";
}

TEST(SetGate, EveryFaultIsRefusedWithItsCode) {
  for (const SetFault& fault : set_faults()) {
    SetCase c;
    ASSERT_TRUE(accepted(c.admit())) << "the control of " << fault.name;
    fault.spoil(c);
    EXPECT_TRUE(refused(c.admit(), fault.code, fault.reason)) << fault.name;
  }
}

TEST(SetGate, OfTwoFaultsTheEarlierDecides) {
  const std::vector<SetFault> faults = set_faults();
  std::set<std::pair<int, int>> stages;
  for (const SetFault& earlier : faults) {
    for (const SetFault& later : faults) {
      // Neighbours and one further: enough for the order, and every case publishes a set. A later fault that
      // edits the manifest is there before an earlier one replaces it.
      if (later.stage <= earlier.stage || later.stage > earlier.stage + 2) continue;
      SetCase c;
      later.spoil(c);
      earlier.spoil(c);
      EXPECT_TRUE(refused(c.admit(), earlier.code, earlier.reason))
          << earlier.name << " before " << later.name;
      stages.emplace(earlier.stage, later.stage);
    }
  }
  for (int stage = 1; stage < 9; ++stage) EXPECT_TRUE(stages.contains({stage, stage + 1})) << stage;
}

TEST(SetGate, ASignatureIsNeverIgnored) {
  for (const bool allow_unsigned : {true, false}) {
    SetCase c;
    c.policy.allow_unsigned = allow_unsigned;
    c.write("model.sig", "{}");
    EXPECT_TRUE(refused(c.admit(), kManifestError, Reason::kSignatureNotSupported));
  }
  const GatePolicy nothing_said;
  EXPECT_FALSE(nothing_said.allow_unsigned);
}

TEST(SetGate, BoundsAreInclusive) {
  SetCase c;
  c.policy.minimum_release_sequence = 1;
  c.policy.flight_set_limit_bytes = total_bytes(c.admit()->manifest.files);
  EXPECT_TRUE(accepted(c.admit()));
  --c.policy.flight_set_limit_bytes;
  EXPECT_TRUE(refused(c.admit(), kManifestError, Reason::kSetTooLarge));
  constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max();
  EXPECT_EQ(total_bytes({{"a", kHuge, {}}, {"b", 5, {}}}), kHuge) << "no overflow to a small sum";
}

TEST(SetGate, AGoldenFolderThatOthersMayWriteToIsRefused) {
  const SetCase c;
  ASSERT_TRUE(accepted(c.admit())) << "the control";
  fs::permissions(c.file("golden"), fs::perms::others_write, fs::perm_options::add);
  const auto found = c.admit();
  ASSERT_TRUE(refused(found, ErrorCode::kEngineDeserialize, Reason::kFileMode));
  EXPECT_THAT(found.error().message, testing::HasSubstr("golden:"));
}

TEST(SetGate, AFolderOfAnotherOwnerIsRefusedByName) {
  const SetCase c;
  Spy spy;
  const auto admit = [&] {
    auto real = posix_file_system().open_folder(c.folders.set()).value();
    return admit_folder(std::make_unique<SpyFolder>(std::move(real), spy), "set-1", c.policy);
  };
  EXPECT_TRUE(accepted(admit())) << "the control";
  for (const std::string folder : {"set-1", "golden"}) {
    spy.edit_info = [&](const std::string& name, FileInfo& info) {
      if (name == folder) info.owner = 12345;
    };
    const auto found = admit();
    ASSERT_TRUE(refused(found, ErrorCode::kEngineDeserialize, Reason::kFileOwner)) << folder;
    EXPECT_THAT(found.error().message, testing::HasSubstr(folder + ":"));
  }
}

TEST(SetGate, ReadsTheManifestOnceAndWritesNothing) {
  const SetCase c;
  Spy spy;
  auto folder = std::make_unique<SpyFolder>(posix_file_system().open_folder(c.folders.set()).value(), spy);
  const auto admitted = admit_folder(std::move(folder), "set-1", c.policy);
  ASSERT_TRUE(accepted(admitted));
  EXPECT_EQ(spy.opens, (std::map<std::string, int>{{"flight-manifest.json", 1}}));
  EXPECT_EQ(spy.bytes_read["flight-manifest.json"], fs::file_size(c.file("flight-manifest.json")));
}

TEST(SetGate, AFileOfAnotherUserIsRefused) {
  const SetCase c;
  Spy spy;
  const auto admit = [&] {
    auto folder = std::make_unique<SpyFolder>(posix_file_system().open_folder(c.folders.set()).value(), spy);
    return admit_folder(std::move(folder), "set-1", c.policy);
  };
  EXPECT_TRUE(accepted(admit()));
  spy.edit_info = [&](const std::string& name, FileInfo& info) {
    info.owner = name == c.engine() ? 4242 : info.owner;
  };
  EXPECT_TRUE(refused(admit(), ErrorCode::kEngineDeserialize, Reason::kFileOwner));
}

TEST(SetGate, AMissingSetIsNamed) {
  const SetCase c;
  const auto refusal = admit_set(posix_file_system(), c.folders.sets() / "none", c.policy);
  EXPECT_TRUE(refused(refusal, kManifestError, Reason::kSetMissing));
  EXPECT_THAT(refusal.error().message, testing::HasSubstr("none"));
}

TEST(CurrentSet, IsTheSetThatCurrentNames) {
  const PublishedFolders folders;
  const auto current = [&] { return current_set(posix_file_system(), folders.sets()); };
  EXPECT_EQ(current().value(), folders.set());
  EXPECT_EQ(folders.temp().read("sets/CURRENT"), "set-1\n");
  for (const std::string bad :
       {"", "\n", "set-1", "set-1\n\n", "set-1\nset-2\n", "../set-1\n", "SET\n", " set-1\n"}) {
    folders.temp().write("sets/CURRENT", bad);
    EXPECT_TRUE(refused(current(), kManifestError, Reason::kCurrentMalformed)) << bad;
  }
  folders.temp().write("sets/CURRENT", std::string(200, 'a') + "\n");
  EXPECT_TRUE(refused(current(), kManifestError, Reason::kCurrentMalformed));
  folders.temp().write("sets/CURRENT", "set-9\n");
  EXPECT_TRUE(refused(current(), kManifestError, Reason::kSetMissing));
  fs::remove(folders.sets() / "CURRENT");
  EXPECT_TRUE(refused(current(), kManifestError, Reason::kCurrentMissing));
  fs::create_symlink("set-1", folders.sets() / "CURRENT");
  EXPECT_TRUE(refused(current(), ErrorCode::kEngineDeserialize, Reason::kNotRegularFile));
  EXPECT_TRUE(refused(current_set(posix_file_system(), folders.sets() / "none"), kManifestError,
                      Reason::kSetMissing));
}

}  // namespace
}  // namespace skua::test
