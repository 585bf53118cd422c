// By which keys a set flies: that of trusted_key, that of next_trusted_key, and nobody else's.
#include <gmock/gmock.h>
#include <unistd.h>

#include "airborne_fixture.h"
#include "event_payload.h"
#include "verdicts.h"

namespace skua::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class AirborneTrust : public AirborneTest {
 protected:
  /// A set signed with `key`, nullptr: not signed; CURRENT names it.
  void publish(const PrivateKey* key) {
    folder_.sign_with(key);
    folder_.publish_set({"ultravpr", "lightglue"}, "lightglue", "set-" + std::to_string(++published_));
  }
  auto build() { return build_pre_constructed(config_, surroundings_); }
  /// Refused before any byte of an engine went to a deserialiser.
  testing::AssertionResult is_refused(ErrorCode code, Reason reason, const std::string& part = "") {
    const auto built = build();
    if (events_.count("c7.engine_deserialized") > 0)
      return testing::AssertionFailure() << "engines were loaded";
    return is_error(built, code, reason, part);
  }

  AirborneConfig config_ = folder_.config();
  const PrivateKey other_ = PrivateKey::generate().value();
  int published_ = 0;
};

TEST_F(AirborneTrust, ASetWithoutSignatureNeverFlies) {
  publish(nullptr);
  EXPECT_TRUE(is_refused(ErrorCode::kManifest, Reason::kUnsignedSet, "model.sig"));
  publish(&folder_.key());
  EXPECT_TRUE(is_ok(build())) << "the control";
}

TEST_F(AirborneTrust, ASetThatSomebodyElseSignedNeverFlies) {
  publish(&other_);
  EXPECT_TRUE(is_refused(ErrorCode::kManifest, Reason::kSignatureKeyUnknown,
                         other_.public_key().value().fingerprint().hex()));
  config_.inference.trusted_key = folder_.write_key("other.pub", other_);
  EXPECT_TRUE(is_ok(build())) << "the control";
}

TEST_F(AirborneTrust, KeysChangeWithoutADayOnTheGround) {
  const fs::path current = config_.inference.trusted_key, next = folder_.write_key("next.pub", other_);
  config_.inference.next_trusted_key = next;
  for (const PrivateKey* key : {&folder_.key(), &other_}) {
    publish(key);
    const auto built = build();
    ASSERT_TRUE(is_ok(built));
    EXPECT_EQ(built->engines.signer, key->public_key().value().fingerprint());
  }
  config_.inference.trusted_key = "";
  EXPECT_TRUE(is_ok(build())) << "next_trusted_key alone";
  publish(&folder_.key());
  EXPECT_TRUE(is_error(build(), ErrorCode::kManifest, Reason::kSignatureKeyUnknown)) << "the old key is out";
  config_.inference.trusted_key = current;
  EXPECT_TRUE(is_ok(build())) << "the control";
}

TEST_F(AirborneTrust, WhoSignedIsTold) {
  publish(&folder_.key());
  ASSERT_TRUE(is_ok(build()));
  const auto ready = std::find_if(events_.events.begin(), events_.events.end(),
                                  [](const Event& event) { return event.kind == "c7.engines_ready"; });
  ASSERT_NE(ready, events_.events.end());
  EXPECT_THAT(missing_keys(*ready), IsEmpty());
  const auto signer = std::find_if(ready->fields.begin(), ready->fields.end(),
                                   [](const Event::Field& field) { return field.key == "signer"; });
  ASSERT_NE(signer, ready->fields.end());
  EXPECT_EQ(signer->value, Event::Value(folder_.key().public_key().value().fingerprint().hex()));
}

TEST_F(AirborneTrust, WithoutAKeyTheOperatorIsToldWhatToDo) {
  publish(&folder_.key());
  config_.inference.trusted_key = "";
  EXPECT_TRUE(is_refused(ErrorCode::kInvalidArgument, Reason::kNoTrustedKey, "c7_inference.trusted_key: "));
  const std::string message = build().error().message;
  for (const char* const part : {"skua keygen", "skua sign", "copy the public half to the aircraft"})
    EXPECT_THAT(message, HasSubstr(part));
}

TEST_F(AirborneTrust, TheSameKeyTwiceIsAMistakeThatNamesBothFields) {
  publish(&folder_.key());
  for (const fs::path& again :
       {config_.inference.trusted_key, folder_.write_key("again.pub", folder_.key())}) {
    config_.inference.next_trusted_key = again;
    EXPECT_TRUE(is_refused(ErrorCode::kInvalidArgument, Reason::kInvalidArgument, again.string()));
    EXPECT_THAT(build().error().message, HasSubstr("components.c7_inference.next_trusted_key"));
    EXPECT_THAT(build().error().message, HasSubstr("trusted_key, found the same"));
  }
}

struct BadKeyFile {
  const char* what;
  Reason reason;
  void (*spoil)(const fs::path& file);
};

const BadKeyFile kBadKeyFiles[] = {
    {"gone", Reason::kNotFound, [](const fs::path& f) { fs::remove(f); }},
    {"empty", Reason::kTrustedKeyMalformed, [](const fs::path& f) { std::ofstream(f, std::ios::trunc); }},
    {"cut short", Reason::kTrustedKeyMalformed,
     [](const fs::path& f) { fs::resize_file(f, fs::file_size(f) - 30); }},
    {"the private half", Reason::kTrustedKeyMalformed,
     [](const fs::path& f) {
       std::ofstream(f, std::ios::trunc) << PrivateKey::generate().value().to_pem().value();
     }},
    {"two keys", Reason::kTrustedKeyMalformed,
     [](const fs::path& f) {
       std::ofstream(f, std::ios::app) << PrivateKey::generate().value().public_key().value().pem();
     }},
    {"writable by others", Reason::kFileMode,
     [](const fs::path& f) { fs::permissions(f, fs::perms::others_write, fs::perm_options::add); }},
    {"a link", Reason::kNotRegularFile,
     [](const fs::path& f) {
       fs::rename(f, f.string() + ".real"), fs::create_symlink(f.string() + ".real", f);
     }},
    {"of two names", Reason::kFileLinks,
     [](const fs::path& f) { fs::create_hard_link(f, f.string() + ".second"); }},
    {"a folder", Reason::kNotRegularFile, [](const fs::path& f) { fs::remove(f), fs::create_directory(f); }},
    {"in a folder that others may write to", Reason::kFileMode,
     [](const fs::path& f) {
       fs::permissions(f.parent_path(), fs::perms::group_write, fs::perm_options::add);
     }},
};

/// In either field: the other one's key is good, and would do for this set.
TEST_F(AirborneTrust, AKeyFileThatIsNotSafeOrNotAKeyIsRefusedAndItsFieldNamed) {
  publish(&folder_.key());
  for (const auto& [name, field] : {std::pair("trusted_key", &RuntimeConfig::trusted_key),
                                    std::pair("next_trusted_key", &RuntimeConfig::next_trusted_key)}) {
    for (const BadKeyFile& bad : kBadKeyFiles) {
      const fs::path folder = folder_.root() / "etc", file = folder / "key.pub";
      fs::create_directory(folder);
      folder_.write_key("etc/key.pub", other_);
      config_ = folder_.config();
      config_.inference.next_trusted_key = config_.inference.trusted_key;
      config_.inference.*field = file;
      bad.spoil(file);
      const std::string where = std::string("components.c7_inference.") + name + ": key " + file.string();
      EXPECT_TRUE(is_refused(ErrorCode::kInvalidArgument, bad.reason, where)) << name << ", " << bad.what;
      fs::remove_all(folder);
    }
    fs::create_directory(folder_.root() / "etc");
    folder_.write_key("etc/key.pub", other_);
    EXPECT_TRUE(is_ok(build())) << name << ": the control";
    fs::remove_all(folder_.root() / "etc");
    events_.events.clear();
  }
}

TEST_F(AirborneTrust, AKeyOfAnotherUserIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  publish(&folder_.key());
  ASSERT_EQ(::chown(config_.inference.trusted_key.c_str(), 12345, 12345), 0);
  EXPECT_TRUE(is_refused(ErrorCode::kInvalidArgument, Reason::kFileOwner, "trusted_key"));
}

}  // namespace
}  // namespace skua::test
