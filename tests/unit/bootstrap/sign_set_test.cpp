// Signing what is published: `skua sign`, and provisioning with a key.
#include "bootstrap/sign_set.h"

#include "bootstrap/verify_set.h"
#include "core/exit_status.h"
#include "fault_filesystem.h"
#include "provision_fixture.h"
#include "verdicts.h"

namespace skua::test {
namespace {

constexpr std::uint64_t kLimit = std::uint64_t{1} << 30U;

class SignedSets : public Provisioning {
 protected:
  Result<SignedSet> sign(const fs::path& folder, const PrivateKey& key) const {
    return sign_set(posix_file_system(), folder, kLimit, key);
  }
  /// The set gate's word on CURRENT, where `key` alone is trusted.
  Status judged(const PrivateKey& key) const {
    GatePolicy policy;
    policy.trusted_keys = {key.public_key().value()};
    SKUA_ASSIGN_OR_RETURN(const SetVerdict verdict, verify_set(posix_file_system(), current(), policy,
                                                               context_.compile.host, system_clock()));
    return verdict.overall();
  }
  Result<ProvisionReport> run_with(const PrivateKey& key) {
    context_.key = &key;
    auto report = run();
    context_.key = nullptr;
    return report;
  }

  PrivateKey key_ = PrivateKey::generate().value(), other_ = PrivateKey::generate().value();
};
using SignSet = SignedSets;
using ProvisioningSigned = SignedSets;

TEST_F(SignSet, SignsOnceAndThenLeavesTheSetAlone) {
  ASSERT_TRUE(run().ok());
  const auto first = sign(sets(), key_);
  ASSERT_TRUE(is_ok(first));
  EXPECT_TRUE(first->is_added);
  EXPECT_EQ(first->set_dir, current());
  EXPECT_EQ(first->signer, key_.public_key().value().fingerprint());
  EXPECT_TRUE(is_ok(judged(key_)));
  EXPECT_TRUE(is_error(judged(other_), ErrorCode::kManifest, Reason::kSignatureKeyUnknown));
  const auto before = tree();
  const auto again = sign(current(), key_);
  ASSERT_TRUE(is_ok(again));
  EXPECT_FALSE(again->is_added);
  EXPECT_TRUE(is_error(sign(current() / "", other_), ErrorCode::kInvalidArgument, Reason::kAlreadySigned));
  EXPECT_EQ(tree(), before);
}

TEST_F(SignSet, EveryByteIsVerifiedFirst) {
  ASSERT_TRUE(run().ok());
  std::vector<std::string> names;
  for (const auto& [name, bytes] : tree()) {
    if (!name.ends_with("/CURRENT") && !name.ends_with("/flight-manifest.json")) names.push_back(name);
  }
  ASSERT_EQ(names.size(), 8U);  // two engines, each with sidecar, build record and golden file
  for (const std::string& name : names) {
    const std::string good = folder_.read(name);
    std::string bad = good;
    bad[bad.size() / 2] = static_cast<char>(bad[bad.size() / 2] ^ 1);
    folder_.write(name, bad);
    const auto result = sign(sets(), key_);
    ASSERT_FALSE(result.ok()) << name;
    EXPECT_EQ(exit_status_of(result.error()), 5) << result.error().describe();
    EXPECT_FALSE(fs::exists(current() / "model.sig")) << name;
    folder_.write(name, good);
  }
  EXPECT_TRUE(is_ok(sign(sets(), key_)));
}

TEST_F(SignSet, ADiskThatFailsLeavesTheSetUnsignedOrSignedWhole) {
  ASSERT_TRUE(run().ok());
  std::uint64_t n = 1;
  for (;; ++n) {
    fs::remove(current() / "model.sig");
    FaultFileSystem files;
    files.arm({n});
    const auto result = sign_set(files, sets(), kLimit, key_);
    const bool is_signed = fs::exists(current() / "model.sig");
    EXPECT_TRUE(!is_signed || judged(key_).ok());
    if (!files.has_fired()) {
      EXPECT_TRUE(is_ok(result)) << "the control";
      break;
    }
    if (result.ok()) {
      EXPECT_TRUE(is_signed);
    } else {
      EXPECT_NE(exit_status_of(result.error()), 1) << result.error().describe();
    }
    ASSERT_LT(n, 1000U) << "the sweep does not end";
  }
  EXPECT_GT(n, 60U);
}

TEST_F(SignSet, AVerdictNamesTheFirstFileThatFails) {
  ASSERT_TRUE(run().ok());
  ASSERT_TRUE(is_ok(sign(sets(), key_)));
  GatePolicy policy;
  policy.trusted_keys = {key_.public_key().value()};
  const auto verdict = [&](std::size_t workers) {
    return verify_set(posix_file_system(), current(), policy, context_.compile.host, system_clock(), workers)
        .value();
  };
  EXPECT_TRUE(is_ok(verdict(2).overall()));
  EXPECT_EQ(verdict(2).workers, 2U);
  EXPECT_GE(verdict(0).workers, 1U) << "as many as the set is worth";
  const std::string golden = verdict(1).manifest.artifacts[0].engine.golden.file;
  const auto name = fs::relative(current(), folder_.path()) / "golden" / golden;
  std::string bytes = folder_.read(name);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  folder_.write(name, bytes);
  EXPECT_TRUE(is_error(verdict(1).overall(), ErrorCode::kManifest, Reason::kListedFileHashMismatch, golden));
}

TEST_F(SignSet, WhatIsNoFaultOfTheSetIsTheCallersToLookAt) {
  ASSERT_TRUE(run().ok());
  {
    const auto lock = WriterLock::take(posix_file_system(), sets());
    ASSERT_TRUE(is_ok(lock));
    EXPECT_TRUE(is_error(sign(sets(), key_), ErrorCode::kInvalidArgument, Reason::kFolderBusy));
  }
  EXPECT_TRUE(is_error(sign(sets() / "none", key_), ErrorCode::kManifest, Reason::kSetMissing));
  EXPECT_TRUE(is_ok(sign(sets(), key_)));
}

TEST_F(ProvisioningSigned, ANewSetIsSignedBeforeCurrentNamesIt) {
  const auto report = run_with(key_);
  ASSERT_TRUE(is_ok(report));
  EXPECT_TRUE(report->is_published);
  EXPECT_FALSE(report->is_signature_added);
  EXPECT_EQ(report->signer, key_.public_key().value().fingerprint());
  EXPECT_TRUE(is_ok(judged(key_)));
}

TEST_F(ProvisioningSigned, WhatFliesUnsignedIsSignedWhereItLiesOnce) {
  ASSERT_TRUE(is_ok(run()));
  EXPECT_TRUE(is_error(judged(key_), ErrorCode::kManifest, Reason::kUnsignedSet));
  const fs::path flying = current();
  const auto report = run_with(key_);
  ASSERT_TRUE(is_ok(report));
  EXPECT_FALSE(report->is_published);
  EXPECT_TRUE(report->is_signature_added);
  EXPECT_EQ(current(), flying);
  EXPECT_TRUE(is_ok(judged(key_)));
  const auto before = tree();
  const auto again = run_with(key_);
  ASSERT_TRUE(is_ok(again));
  EXPECT_FALSE(again->is_published || again->is_signature_added);
  EXPECT_TRUE(is_ok(run()));  // without a key a signed set that is what was asked for stays, too
  EXPECT_EQ(tree(), before);
}

TEST_F(ProvisioningSigned, WithoutAKeyNothingTakesASignedSetsPlace) {
  ASSERT_TRUE(is_ok(run_with(key_)));
  const auto before = tree();
  folder_.write("a.onnx", "another model");
  EXPECT_TRUE(is_error(run(), ErrorCode::kInvalidArgument, Reason::kUnsignedSet));
  EXPECT_EQ(tree(), before);
  EXPECT_TRUE(is_ok(run_with(key_))) << "the control";
}

TEST_F(ProvisioningSigned, ADamagedSetIsASignedOneAllTheSame) {
  ASSERT_TRUE(is_ok(run_with(key_)));
  const auto manifest = fs::relative(current(), folder_.path()) / "flight-manifest.json";
  folder_.write(manifest, "{");
  folder_.write("a.onnx", "another model");
  EXPECT_TRUE(is_error(run(), ErrorCode::kInvalidArgument, Reason::kUnsignedSet));
  EXPECT_TRUE(is_ok(run_with(key_))) << "the control";
}

TEST_F(ProvisioningSigned, ADamagedCurrentMakesNoSignedSetsUnsigned) {
  ASSERT_TRUE(is_ok(run_with(key_)));
  folder_.write("a.onnx", "another model");
  for (const char* text : {"", "set", "set-99\n"}) {
    folder_.write("sets/CURRENT", text);
    EXPECT_TRUE(is_error(run(), ErrorCode::kInvalidArgument, Reason::kUnsignedSet)) << text;
  }
  fs::remove(sets() / "CURRENT");
  EXPECT_TRUE(is_error(run(), ErrorCode::kInvalidArgument, Reason::kUnsignedSet));
  EXPECT_TRUE(is_ok(run_with(key_))) << "the control";
}

TEST_F(ProvisioningSigned, ADiskThatDoesNotAnswerMakesNoSignedSetAnUnsignedOne) {
  ASSERT_TRUE(is_ok(run_with(key_)));
  const fs::path signed_set = current();
  folder_.write("a.onnx", "another model");
  std::uint64_t n = 1;
  for (;; ++n) {
    FaultFileSystem disk;
    disk.arm({n});
    const auto report = run_on(disk);
    EXPECT_FALSE(report.ok()) << "operation " << n << ": " << disk.journal()[n - 1];
    ASSERT_EQ(current(), signed_set) << "operation " << n;
    if (!disk.has_fired()) break;
  }
  EXPECT_GT(n, 40U);
}

/// Somebody put an engine of his own into an unsigned set and left all that the set says of its making as it
/// was. What it says is no reason to sign it: its engines are compared with the cache's.
TEST_F(ProvisioningSigned, APlantedSetIsNotSignedForWhatItSaysOfItself) {
  const std::string genuine = folder_.read("a.onnx");
  folder_.write("a.onnx", "planted");
  ASSERT_TRUE(is_ok(run()));
  const fs::path planted = current();
  folder_.write("a.onnx", genuine);
  fs::remove_all(folder_.path() / "cache");
  fs::create_directories(folder_.path() / "cache");
  context_.ports.difference = [](const auto&, const auto&, const auto&, const auto&, ReuseFacts&) {
    return Result<std::string>("");
  };
  ASSERT_FALSE(run()->is_published) << "the control: without a key it passes for what was asked";
  const auto report = run_with(key_);
  ASSERT_TRUE(is_ok(report));
  EXPECT_TRUE(report->is_published);
  EXPECT_NE(current(), planted);
  EXPECT_FALSE(fs::exists(planted / "model.sig"));
  EXPECT_TRUE(is_ok(judged(key_)));
}

TEST_F(ProvisioningSigned, WhatAnotherKeySignedIsPublishedUnderAHigherSequence) {
  ASSERT_TRUE(is_ok(run_with(other_)));
  const auto before = tree();
  const auto report = run_with(key_);
  ASSERT_TRUE(is_ok(report));
  EXPECT_TRUE(report->is_published);
  EXPECT_EQ(report->manifest.release_sequence, 2U);
  EXPECT_EQ(compiled_, 2);  // the engines are the same
  EXPECT_TRUE(is_ok(judged(key_)));
  auto after = tree();
  for (const auto& [name, bytes] : before)
    EXPECT_TRUE(name == "sets/CURRENT" || after.at(name) == bytes) << name;
}

TEST_F(ProvisioningSigned, ASetIdOrSequenceInUseKeepsItsError) {
  ASSERT_TRUE(is_ok(run_with(other_)));
  const auto before = tree();
  spec_.release_sequence = 1;
  EXPECT_TRUE(is_error(run_with(key_), ErrorCode::kInvalidArgument, Reason::kInvalidArgument));
  spec_.release_sequence.reset();
  spec_.set_id = current().filename().string();
  EXPECT_TRUE(is_error(run_with(key_), ErrorCode::kInvalidArgument, Reason::kExists));
  EXPECT_EQ(tree(), before);
}

/// A writer that was stopped just before it moved CURRENT.
TEST_F(ProvisioningSigned, ASetThatOnlyLacksCurrentIsTakenUpByTheKeyThatMay) {
  ASSERT_TRUE(is_ok(run_with(other_)));
  fs::remove(sets() / "CURRENT");
  const auto report = run_with(key_);
  ASSERT_TRUE(is_ok(report));
  EXPECT_EQ(report->manifest.release_sequence, 2U);
  EXPECT_TRUE(is_ok(judged(key_)));
  fs::remove(sets() / "CURRENT");
  const auto again = run_with(key_);
  ASSERT_TRUE(is_ok(again));
  EXPECT_EQ(again->manifest.release_sequence, 2U);
}

}  // namespace
}  // namespace skua::test
