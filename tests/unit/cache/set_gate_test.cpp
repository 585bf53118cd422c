#include "cache/set_gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <set>

#include "signed_set.h"

namespace skua::test::set_gate_tests {
namespace {

constexpr auto kManifestError = ErrorCode::kManifest;
constexpr auto kUnsafe = ErrorCode::kEngineDeserialize;

struct SetFault {
  std::string name;
  int stage;
  ErrorCode code;
  Reason reason;
  void (*spoil)(SignedSet&);
};

/// Stage 1 of set_gate.h in its own order, then the others.
std::vector<SetFault> signature_faults() {
  return {
      {"unsigned", 1, kManifestError, Reason::kUnsignedSet,
       [](SignedSet& c) { fs::remove(c.file("model.sig")); }},
      {"no key", 2, kManifestError, Reason::kNoTrustedKey,
       [](SignedSet& c) { c.policy.trusted_keys.clear(); }},
      {"signature mode", 3, kUnsafe, Reason::kFileMode,
       [](SignedSet& c) {
         fs::permissions(c.file("model.sig"), fs::perms::others_write, fs::perm_options::add);
       }},
      {"huge signature", 4, kManifestError, Reason::kSignatureTooLarge,
       [](SignedSet& c) { fs::resize_file(c.file("model.sig"), kSignatureMaxBytes + 1); }},
      {"no bundle", 4, kManifestError, Reason::kSignatureMalformed,
       [](SignedSet& c) { c.write("model.sig", "{}"); }},
      {"another key", 5, kManifestError, Reason::kSignatureKeyUnknown,
       [](SignedSet& c) { c.policy.trusted_keys = {other_key().public_key().value()}; }},
      {"forged", 6, kManifestError, Reason::kSignatureInvalid,
       [](SignedSet& c) {
         DsseBundle bundle = decode_bundle(c.read("model.sig")).value();
         bundle.payload += " ";
         c.write("model.sig", encode_bundle(bundle));
       }},
      {"no statement", 7, kManifestError, Reason::kStatementMalformed,
       [](SignedSet& c) { c.put_payload("{}"); }},
      {"manifest not listed", 8, kManifestError, Reason::kManifestNotSigned,
       [](SignedSet& c) {
         Json statement = c.statement();
         auto& files = statement["predicate"]["resources"];
         files.erase(std::find_if(files.begin(), files.end(),
                                  [](const Json& f) { return f["name"] == "flight-manifest.json"; }));
         c.put_statement(statement);
       }},
  };
}

std::vector<SetFault> manifest_faults() {
  return {
      {"no manifest", 9, kManifestError, Reason::kManifestMissing,
       [](SignedSet& c) { fs::remove(c.file("flight-manifest.json")); }},
      {"huge manifest", 9, kManifestError, Reason::kManifestTooLarge,
       [](SignedSet& c) { fs::resize_file(c.file("flight-manifest.json"), kManifestMaxBytes + 1); }},
      {"manifest mode", 9, kUnsafe, Reason::kFileMode,
       [](SignedSet& c) {
         fs::permissions(c.file("flight-manifest.json"), fs::perms::others_write, fs::perm_options::add);
       }},
      {"folder mode", 9, kUnsafe, Reason::kFileMode,
       [](SignedSet& c) { fs::permissions(c.file(""), fs::perms::group_write, fs::perm_options::add); }},
      {"changed manifest", 10, kManifestError, Reason::kManifestNotSigned,
       [](SignedSet& c) { c.write("flight-manifest.json", c.manifest_text() + " "); }},
      {"garbage", 11, kManifestError, Reason::kManifestMalformed, [](SignedSet& c) { c.put_manifest("{"); }},
      {"schema", 11, kManifestError, Reason::kManifestSchemaVersion,
       [](SignedSet& c) { c.put_manifest(R"({"kind": "skua.flight-manifest", "schema": 2})"); }},
      {"set id", 12, kManifestError, Reason::kSetIdMismatch,
       [](SignedSet& c) { c.edit_manifest([](Manifest& m) { m.set_id = "set-2"; }); }},
      {"file lists", 13, kManifestError, Reason::kStatementFilesMismatch,
       [](SignedSet& c) {
         Json statement = c.statement();
         statement["predicate"]["resources"].push_back(
             {{"name", "zzz"}, {"algorithm", "sha256"}, {"digest", digest_of("z").hex()}});
         c.put_statement(statement);
       }},
      {"sequence", 14, kManifestError, Reason::kSequenceTooOld,
       [](SignedSet& c) { c.policy.minimum_release_sequence = 2; }},
      {"sequence step", 14, kManifestError, Reason::kSequenceStepTooLarge,
       [](SignedSet& c) { c.policy.maximum_release_sequence = 0; }},
      {"expiry", 15, kManifestError, Reason::kSetExpired,
       [](SignedSet& c) { c.edit_manifest([](Manifest& m) { m.not_after = "2020-01-01T00:00:00Z"; }); }},
  };
}

std::vector<SetFault> file_faults() {
  return {
      {"unlisted file", 16, kManifestError, Reason::kUnlistedFile,
       [](SignedSet& c) { c.write("notes.txt", "x"); }},
      {"unlisted golden", 16, kManifestError, Reason::kUnlistedFile,
       [](SignedSet& c) { c.write("golden/notes.txt", "x"); }},
      {"hidden file", 16, kManifestError, Reason::kUnlistedFile,
       [](SignedSet& c) { c.write(".hidden", "x"); }},
      {"empty folder", 16, kManifestError, Reason::kUnlistedFile,
       [](SignedSet& c) { fs::create_directory(c.file("extra")); }},
      {"unlisted folder", 16, kManifestError, Reason::kUnlistedFile,
       [](SignedSet& c) { c.write("extra/deep/file", "x"); }},
      {"unlisted link", 16, kManifestError, Reason::kUnlistedFile,
       [](SignedSet& c) { fs::create_symlink("/", c.file("extra")); }},
      {"missing file", 17, kManifestError, Reason::kListedFileMissing,
       [](SignedSet& c) { fs::remove(c.file(c.engine())); }},
      {"missing golden", 17, kManifestError, Reason::kListedFileMissing,
       [](SignedSet& c) { fs::remove_all(c.file("golden")); }},
      {"file size", 17, kManifestError, Reason::kFileSizeMismatch,
       [](SignedSet& c) { c.write(c.engine(), "short"); }},
      {"file mode", 17, kUnsafe, Reason::kFileMode,
       [](SignedSet& c) {
         fs::permissions(c.file(c.engine()), fs::perms::group_write, fs::perm_options::add);
       }},
      {"file link", 17, kUnsafe, Reason::kNotRegularFile,
       [](SignedSet& c) {
         fs::rename(c.file(c.engine()), c.folders.temp().path() / "e"),
             fs::create_symlink("../../e", c.file(c.engine()));
       }},
      {"file names", 17, kUnsafe, Reason::kFileLinks,
       [](SignedSet& c) { fs::create_hard_link(c.file(c.engine()), c.folders.temp().path() / "second"); }},
      {"too large", 18, kManifestError, Reason::kSetTooLarge,
       [](SignedSet& c) { c.policy.flight_set_limit_bytes = 100; }},
  };
}

std::vector<SetFault> set_faults() {
  std::vector<SetFault> faults = signature_faults();
  for (const auto& more : {manifest_faults(), file_faults()}) {
    faults.insert(faults.end(), more.begin(), more.end());
  }
  return faults;
}

TEST(SetGate, AdmitsAnUntouchedSet) {
  SignedSet c;
  const auto admitted = c.admit();
  ASSERT_TRUE(accepted(admitted));
  EXPECT_EQ(admitted->manifest.set_id, "set-1");
  EXPECT_EQ(admitted->manifest_sha256, digest_of(c.manifest_text()));
  EXPECT_FALSE(admitted->is_unsigned);
  EXPECT_EQ(admitted->signer, signing_key().public_key()->fingerprint());
  EXPECT_TRUE(accepted(admit_set(posix_file_system(), c.folders.set() / "", c.policy)))
      << "with a slash at the end";
}

TEST(SetGate, AdmitsAnUnsignedSetWhereThePolicyAllowsIt) {
  const PublishedFolders folders;
  const auto admitted = folders.admit(ground_policy());
  ASSERT_TRUE(accepted(admitted));
  EXPECT_TRUE(admitted->is_unsigned);
  EXPECT_FALSE(admitted->signer.has_value());
  EXPECT_TRUE(refused(folders.admit(trusting_policy()), kManifestError, Reason::kUnsignedSet));
}

TEST(SetGate, EitherOfTwoTrustedKeysWillDo) {
  SignedSet c;
  const PublicKey current = c.policy.trusted_keys[0];
  const PublicKey next = other_key().public_key().value();
  for (const auto& keys : {std::vector{current, next}, std::vector{next, current}}) {
    c.policy.trusted_keys = keys;
    const auto admitted = c.admit();
    ASSERT_TRUE(accepted(admitted));
    EXPECT_EQ(admitted->signer, current.fingerprint());
  }
  c.policy.trusted_keys = {next};
  EXPECT_TRUE(refused(c.admit(), kManifestError, Reason::kSignatureKeyUnknown));
}

TEST(SetGate, EveryFaultIsRefusedWithItsCode) {
  for (const SetFault& fault : set_faults()) {
    SignedSet c;
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
      SignedSet c;
      later.spoil(c);
      earlier.spoil(c);
      EXPECT_TRUE(refused(c.admit(), earlier.code, earlier.reason))
          << earlier.name << " before " << later.name;
      stages.emplace(earlier.stage, later.stage);
    }
  }
  for (int stage = 1; stage < 18; ++stage) EXPECT_TRUE(stages.contains({stage, stage + 1})) << stage;
}

TEST(SetGate, ASignatureIsNeverIgnored) {
  for (const bool allow_unsigned : {true, false}) {
    SignedSet c;
    c.policy.allow_unsigned = allow_unsigned;
    EXPECT_FALSE(c.admit()->is_unsigned) << "the control";
    c.policy.trusted_keys = {other_key().public_key().value()};
    EXPECT_TRUE(refused(c.admit(), kManifestError, Reason::kSignatureKeyUnknown));
    c.policy.trusted_keys.clear();
    EXPECT_TRUE(refused(c.admit(), kManifestError, Reason::kNoTrustedKey));
    c.policy.trusted_keys = trusting_policy().trusted_keys;
    c.write("model.sig", "{}");
    EXPECT_TRUE(refused(c.admit(), kManifestError, Reason::kSignatureMalformed));
    c.write("model.sig", "");
    EXPECT_TRUE(refused(c.admit(), kManifestError, Reason::kSignatureMalformed));
  }
  const GatePolicy nothing_said;
  EXPECT_FALSE(nothing_said.allow_unsigned);
}

TEST(SetGate, NothingIsInterpretedBeforeTheSignatureHolds) {
  // A payload and a manifest that would each be refused for their form; the signature is judged first.
  SignedSet c;
  DsseBundle bundle = decode_bundle(c.read("model.sig")).value();
  bundle.payload = "{";
  c.write("model.sig", encode_bundle(bundle));
  c.write("flight-manifest.json", "{");
  EXPECT_TRUE(refused(c.admit(), kManifestError, Reason::kSignatureInvalid));
  Spy spy;
  auto folder = std::make_unique<SpyFolder>(posix_file_system().open_folder(c.folders.set()).value(), spy);
  EXPECT_FALSE(admit_folder(std::move(folder), "set-1", c.policy).ok());
  EXPECT_EQ(spy.opens, (std::map<std::string, int>{{"model.sig", 1}})) << "the manifest was not opened";
}

TEST(SetGate, BoundsAreInclusive) {
  SignedSet c;
  c.policy.minimum_release_sequence = 1;
  c.policy.flight_set_limit_bytes = total_bytes(c.admit()->manifest.files);
  EXPECT_TRUE(accepted(c.admit()));
  --c.policy.flight_set_limit_bytes;
  EXPECT_TRUE(refused(c.admit(), kManifestError, Reason::kSetTooLarge));
  constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max();
  EXPECT_EQ(total_bytes({{"a", kHuge, {}}, {"b", 5, {}}}), kHuge) << "no overflow to a small sum";
}

TEST(SetGate, AGoldenFolderThatOthersMayWriteToIsRefused) {
  SignedSet c;
  ASSERT_TRUE(accepted(c.admit())) << "the control";
  fs::permissions(c.file("golden"), fs::perms::others_write, fs::perm_options::add);
  const auto found = c.admit();
  ASSERT_TRUE(refused(found, ErrorCode::kEngineDeserialize, Reason::kFileMode));
  EXPECT_THAT(found.error().message, testing::HasSubstr("golden:"));
}

TEST(SetGate, AFolderOfAnotherOwnerIsRefusedByName) {
  SignedSet c;
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
  SignedSet c;
  Spy spy;
  auto folder = std::make_unique<SpyFolder>(posix_file_system().open_folder(c.folders.set()).value(), spy);
  const auto admitted = admit_folder(std::move(folder), "set-1", c.policy);
  ASSERT_TRUE(accepted(admitted));
  EXPECT_EQ(spy.opens, (std::map<std::string, int>{{"flight-manifest.json", 1}, {"model.sig", 1}}));
  EXPECT_EQ(spy.bytes_read["flight-manifest.json"], fs::file_size(c.file("flight-manifest.json")));
}

TEST(SetGate, AFileOfAnotherUserIsRefused) {
  SignedSet c;
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
  SignedSet c;
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

TEST(CurrentSet, AFolderThatOthersMayWriteIsRefused) {
  const PublishedFolders folders;
  fs::permissions(folders.sets(), fs::perms::others_write, fs::perm_options::add);
  EXPECT_TRUE(refused(current_set(posix_file_system(), folders.sets()), ErrorCode::kEngineDeserialize,
                      Reason::kFileMode));
}

}  // namespace
}  // namespace skua::test::set_gate_tests
