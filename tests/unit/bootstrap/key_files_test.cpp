#include "bootstrap/key_files.h"

#include <gmock/gmock.h>

#include "fault_filesystem.h"
#include "temp_folder.h"
#include "verdicts.h"

namespace skua::test {
namespace {

namespace fs = std::filesystem;

constexpr auto kInvalid = ErrorCode::kInvalidArgument;

class Keys : public ::testing::Test {
 protected:
  fs::path secret() const { return folder_.path() / "k.key"; }
  fs::path shared() const { return folder_.path() / "k.pub"; }
  Status write(std::string_view passphrase = {}) const {
    return write_key_pair(files_, secret(), shared(), key_, passphrase);
  }
  fs::path secret_text(std::string_view text) const {
    const fs::path file = folder_.write("secret", text);
    fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
    return file;
  }
  static fs::perms mode(const fs::path& file) { return fs::status(file).permissions(); }

  TempFolder folder_;
  FileSystem& files_ = posix_file_system();
  PrivateKey key_ = PrivateKey::generate().value();
};

TEST_F(Keys, PairReadsBackAndTheSecretHalfIsItsOwnersAlone) {
  ASSERT_TRUE(is_ok(write()));
  EXPECT_EQ(mode(secret()), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_NE(mode(shared()) & fs::perms::others_read, fs::perms::none);
  const PublicKey expected = key_.public_key().value();
  EXPECT_EQ(read_public_key(files_, shared()).value(), expected);
  EXPECT_EQ(read_private_key(files_, secret(), {}).value().public_key().value(), expected);
  EXPECT_FALSE(is_private_key_encrypted(files_, secret()).value());
}

TEST_F(Keys, EncryptedKeyOpensWithItsPassphraseAlone) {
  ASSERT_TRUE(is_ok(write("right")));
  EXPECT_TRUE(is_private_key_encrypted(files_, secret()).value());
  EXPECT_TRUE(is_ok(read_private_key(files_, secret(), "right")));
  for (const char* wrong : {"", "Right", "right "})
    EXPECT_TRUE(is_error(read_private_key(files_, secret(), wrong), kInvalid, Reason::kPassphraseWrong))
        << wrong;
}

TEST_F(Keys, ADiskThatFailsIsToldWithTheKeysName) {
  ASSERT_TRUE(is_ok(write()));
  for (std::uint64_t n = 1;; ++n) {
    FaultFileSystem files;
    files.arm({n});
    const auto key = read_private_key(files, secret(), {});
    if (!files.has_fired()) {
      EXPECT_TRUE(is_ok(key)) << "the control";
      break;
    }
    EXPECT_TRUE(is_error(key, kInvalid, Reason::kIo, "k.key")) << files.journal()[n - 1];
  }
}

TEST_F(Keys, ALackOfMemoryIsNoFaultOfTheFile) {
  ASSERT_TRUE(is_ok(write()));
  FaultFileSystem files;
  files.arm(without_memory(3));  // the open key is looked at
  EXPECT_EQ(read_public_key(files, shared()).error().code, ErrorCode::kOutOfMemory);
}

/// Whatever step of it fails, both halves are there or neither.
TEST_F(Keys, APairIsWrittenWholeOrNotAtAll) {
  std::uint64_t n = 1;
  for (;; ++n) {
    FaultFileSystem files;
    files.arm({n});
    const Status written = write_key_pair(files, secret(), shared(), key_, {});
    if (!files.has_fired()) {
      EXPECT_TRUE(is_ok(written)) << "the control";
      break;
    }
    EXPECT_TRUE(is_error(written, kInvalid, Reason::kIo)) << files.journal()[n - 1];
    EXPECT_TRUE(fs::is_empty(folder_.path())) << files.journal()[n - 1];
  }
  EXPECT_GT(n, 10U);
}

TEST_F(Keys, NeitherHalfIsEverOverwritten) {
  for (const fs::path& there : {secret(), shared()}) {
    folder_.write(there.filename(), "mine");
    EXPECT_TRUE(is_error(write(), kInvalid, Reason::kKeyExists));
    EXPECT_EQ(folder_.read(there.filename()), "mine");
    fs::remove(there);
    EXPECT_TRUE(fs::is_empty(folder_.path()));  // nor is the other half left
  }
  EXPECT_TRUE(is_ok(write()));
}

TEST_F(Keys, SecretThatOthersMayReadIsRefused) {
  ASSERT_TRUE(is_ok(write()));
  for (const fs::perms others : {fs::perms::group_read, fs::perms::others_read}) {
    fs::permissions(secret(), others, fs::perm_options::add);
    EXPECT_TRUE(is_error(read_private_key(files_, secret(), {}), kInvalid, Reason::kFileMode));
    EXPECT_TRUE(is_error(is_private_key_encrypted(files_, secret()), kInvalid, Reason::kFileMode));
    EXPECT_TRUE(is_error(read_passphrase(files_, secret()), kInvalid, Reason::kFileMode));
    fs::permissions(secret(), others, fs::perm_options::remove);
  }
  EXPECT_TRUE(is_ok(read_private_key(files_, secret(), {})));
}

TEST_F(Keys, FolderThatOthersMayWriteToHoldsNoKeys) {
  ASSERT_TRUE(is_ok(write()));
  fs::permissions(folder_.path(), fs::perms::group_write, fs::perm_options::add);
  EXPECT_TRUE(is_error(read_public_key(files_, shared()), kInvalid, Reason::kFileMode));
  EXPECT_TRUE(is_error(read_private_key(files_, secret(), {}), kInvalid, Reason::kFileMode));
  const Status written = write_key_pair(files_, folder_.path() / "n.key", folder_.path() / "n.pub", key_, {});
  EXPECT_TRUE(is_error(written, kInvalid, Reason::kFileMode));
  EXPECT_FALSE(folder_.has("n.pub"));
}

TEST_F(Keys, NeitherHalfIsWrittenWhereOthersMayWrite) {
  for (const char* name : {"mine", "ours"}) fs::create_directory(folder_.path() / name);
  fs::permissions(folder_.path() / "ours", fs::perms::group_write, fs::perm_options::add);
  const auto write_to = [&](const char* secret_folder, const char* shared_folder) {
    return write_key_pair(files_, folder_.path() / secret_folder / "k.key",
                          folder_.path() / shared_folder / "k.pub", key_, {});
  };
  EXPECT_TRUE(is_error(write_to("mine", "ours"), kInvalid, Reason::kFileMode));
  EXPECT_TRUE(is_error(write_to("ours", "mine"), kInvalid, Reason::kFileMode));
  EXPECT_TRUE(is_ok(write_to("mine", "mine"))) << "the control";
}

TEST_F(Keys, LinksAndOtherFilesAreRefusedByName) {
  ASSERT_TRUE(is_ok(write()));
  fs::create_symlink("k.pub", folder_.path() / "link.pub");
  const auto link = read_public_key(files_, folder_.path() / "link.pub");
  EXPECT_TRUE(is_error(link, kInvalid, Reason::kNotRegularFile));
  EXPECT_THAT(link.error().message, ::testing::HasSubstr("link.pub"));
  EXPECT_TRUE(is_error(read_public_key(files_, folder_.path() / "none"), kInvalid, Reason::kNotFound));
  EXPECT_TRUE(is_error(read_public_key(files_, secret()), kInvalid, Reason::kTrustedKeyMalformed));
  EXPECT_TRUE(
      is_error(read_private_key(files_, secret_text("no key"), {}), kInvalid, Reason::kPrivateKeyMalformed));
  EXPECT_TRUE(
      is_error(read_public_key(files_, secret_text(std::string(20000, 'x'))), kInvalid, Reason::kTooLarge));
}

TEST_F(Keys, PassphraseFileHoldsOneLine) {
  for (const char* good : {"secret", "secret\n"})
    EXPECT_EQ(read_passphrase(files_, secret_text(good)).value(), "secret");
  EXPECT_EQ(read_passphrase(files_, secret_text(std::string(1000, 'x'))).value().size(), 1000U);
  for (const std::string& bad : {std::string(), std::string("\n"), std::string("a\nb\n"),
                                 std::string("a\r\n"), std::string("a\0b", 3), std::string(1001, 'x')}) {
    EXPECT_TRUE(is_error(read_passphrase(files_, secret_text(bad)), kInvalid, Reason::kMalformed)) << bad;
  }
}

}  // namespace
}  // namespace skua::test
