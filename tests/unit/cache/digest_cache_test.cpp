// Remembered digests: what is believed, what is hashed again, and what a damaged or forged memory can do.
#include "cache/digest_cache.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "cache_fixture.h"
#include "fault_filesystem.h"

namespace skua::test {
namespace {

class UtcClock final : public Clock {
 public:
  std::int64_t monotonic_ns() const noexcept override { return 0; }
  std::int64_t utc_us() const noexcept override { return system_clock().utc_us() + ahead_us; }
  std::int64_t ahead_us = 3600'000'000;  ///< so that a file that was just written is an hour old
};

class Digests : public testing::Test {
 protected:
  Digests() { temp_.write("model", kContent); }

  fs::path model() const { return temp_.path() / "model"; }
  std::unique_ptr<Folder> folder() const { return posix_file_system().open_folder(temp_.path()).value(); }
  /// As one run of a program does: read, ask, write. Answers the digest; `hashed_` is what had to be read for
  /// it.
  Sha256 ask(bool is_remembering = true) {
    DigestCache digests(clock_);
    if (is_remembering) digests.read(*folder());
    const Sha256 digest = digests.digest_of(posix_file_system(), model()).value();
    EXPECT_TRUE(accepted(digests.write(*folder())));
    hashed_ = digests.bytes_hashed();
    return digest;
  }
  timespec modified() const {
    struct stat status {};
    EXPECT_EQ(stat(model().c_str(), &status), 0);
    return status.st_mtim;
  }
  void set_modified(const fs::path& file, timespec time) const {
    const timespec times[] = {{0, UTIME_OMIT}, time};
    EXPECT_EQ(utimensat(AT_FDCWD, file.c_str(), times, 0), 0);
  }
  std::string memory() const { return temp_.read(std::string(kDigestCacheName)); }
  void set_memory(const std::string& text) const { temp_.write(std::string(kDigestCacheName), text); }

  static constexpr const char* kContent = "twelve bytes";
  static constexpr const char* kOther = "other twelve";
  TempFolder temp_;
  UtcClock clock_;
  std::uint64_t hashed_ = 0;
};

TEST_F(Digests, AFileAtRestIsHashedOnce) {
  EXPECT_EQ(ask(), digest_of(kContent));
  EXPECT_EQ(hashed_, 12U);
  EXPECT_EQ(ask(), digest_of(kContent));
  EXPECT_EQ(hashed_, 0U);
}

TEST_F(Digests, WithoutMemoryItIsHashedAgain) {
  ask();
  EXPECT_EQ(ask(false), digest_of(kContent));
  EXPECT_EQ(hashed_, 12U);
}

TEST_F(Digests, AFileThatWasJustWrittenIsNotRemembered) {
  clock_.ahead_us = 0;
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(ask(), digest_of(kContent));
    EXPECT_EQ(hashed_, 12U);
    EXPECT_FALSE(fs::exists(temp_.path() / kDigestCacheName)) << "nothing to remember, nothing written";
  }
  clock_.ahead_us = -3600'000'000;  // a clock that is behind the file's
  ask();
  ask();
  EXPECT_EQ(hashed_, 12U);
}

TEST_F(Digests, AChangeBehindARestoredTimeIsSeen) {
  ask();
  const timespec before = modified();
  temp_.write("model", kOther);  // in place: the same inode and size
  set_modified(model(), before);
  EXPECT_EQ(ask(), digest_of(kOther));
  EXPECT_EQ(hashed_, 12U);
  ask();
  EXPECT_EQ(hashed_, 0U) << "the control";
}

TEST_F(Digests, AFileMovedIntoItsPlaceIsSeen) {
  ask();
  temp_.write("new", kOther);
  set_modified(temp_.path() / "new", modified());
  fs::rename(temp_.path() / "new", model());
  EXPECT_EQ(ask(), digest_of(kOther));
}

class ChangingFiles final : public FileSystem {
 public:
  explicit ChangingFiles(Spy& spy) : spy_(spy) {}
  Result<std::unique_ptr<Folder>> open_folder(const fs::path& path) override {
    SKUA_ASSIGN_OR_RETURN(auto real, posix_file_system().open_folder(path));
    return std::unique_ptr<Folder>(std::make_unique<SpyFolder>(std::move(real), spy_));
  }

 private:
  Spy& spy_;
};

TEST_F(Digests, AFileThatChangesWhileItIsHashedIsNotRemembered) {
  Spy spy;
  bool is_changing = true;
  spy.on_read = [&](const std::string&) {
    if (is_changing) temp_.write("model", kOther);
  };
  ChangingFiles files(spy);
  DigestCache digests(clock_);
  EXPECT_TRUE(digests.digest_of(files, model()).ok());
  is_changing = false;
  EXPECT_EQ(digests.digest_of(files, model()).value(), digest_of(kOther));
  const std::uint64_t hashed = digests.bytes_hashed();
  EXPECT_EQ(digests.digest_of(files, model()).value(), digest_of(kOther));
  EXPECT_EQ(digests.bytes_hashed(), hashed) << "the control: at rest it is remembered";
}

TEST_F(Digests, AnythingButTheVeryFormatIsAsGoodAsNothing) {
  ask();
  const std::string good = memory();
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    EXPECT_NE(text.find(from), std::string::npos) << from;
    return text.replace(text.find(from), from.size(), to);
  };
  const std::vector<std::string> bad = {"",
                                        "{}",
                                        good.substr(0, good.size() / 2),
                                        good + "x",
                                        with("\"schema\": 1", "\"schema\": 2"),
                                        with("skua.source-digests", "skua.build-record"),
                                        with("\"sha256\": \"", "\"sha256\": \"Z"),
                                        with("\"identity\"", "\"name\""),
                                        with("\"hashed_us\": ", "\"hashed_us\": -"),
                                        with("\"kind\"", "\"more\": 1, \"kind\""),
                                        std::string(3U << 20U, ' ')};
  for (const std::string& text : bad) {
    set_memory(text);
    EXPECT_EQ(ask(), digest_of(kContent));
    EXPECT_EQ(hashed_, 12U) << text.substr(0, 80);
    EXPECT_EQ(ask(), digest_of(kContent));
    EXPECT_EQ(hashed_, 0U) << "it was written anew";
  }
  set_memory(good);
  ask();
  EXPECT_EQ(hashed_, 0U) << "the control";
}

TEST_F(Digests, AMemoryThatOthersMayWriteIsNotBelieved) {
  ask();
  const fs::path file = temp_.path() / kDigestCacheName;
  fs::permissions(file, fs::perms::group_write, fs::perm_options::add);
  ask();
  EXPECT_EQ(hashed_, 12U);
  fs::rename(file, temp_.path() / "moved");
  fs::create_symlink("moved", file);
  ask();
  EXPECT_EQ(hashed_, 12U) << "nor one behind a link";
}

TEST_F(Digests, AForgedEntryIsBelievedUntilItIsAskedWithoutMemory) {
  // Whoever may write the engine cache may also write its engines: docs/formats/digest-cache.md says what
  // follows.
  ask();
  std::string text = memory();
  const std::string digest = digest_of(kContent).hex();
  set_memory(text.replace(text.find(digest), digest.size(), digest_of(kOther).hex()));
  EXPECT_EQ(ask(), digest_of(kOther));
  EXPECT_EQ(ask(false), digest_of(kContent));
  EXPECT_EQ(ask(), digest_of(kContent)) << "which also puts it right";
}

TEST_F(Digests, AnEntryFromBeforeTheFileHadComeToRestIsNotBelieved) {
  ask();
  std::string text = memory();
  const std::size_t at = text.find("\"hashed_us\": ") + 13;
  set_memory(text.replace(at, text.find_first_of(",\n}", at) - at, "1"));
  ask();
  EXPECT_EQ(hashed_, 12U);
}

TEST_F(Digests, ADiskThatFailsIsAnErrorAndRemembersNothing) {
  std::uint64_t n = 1;
  for (;; ++n) {
    FaultFileSystem files;
    files.arm({n});
    DigestCache digests(clock_);
    const auto digest = digests.digest_of(files, model());
    if (!files.has_fired()) break;
    EXPECT_TRUE(refused(digest, ErrorCode::kIo, Reason::kIo)) << files.journal()[n - 1];
    EXPECT_TRUE(accepted(digests.write(*folder())));
    EXPECT_FALSE(temp_.has(std::string(kDigestCacheName))) << files.journal()[n - 1];
  }
  EXPECT_GE(n, 5U) << "open, look, read, look again";
  DigestCache digests(clock_);
  ASSERT_TRUE(accepted(digests.digest_of(posix_file_system(), model())));
  FaultFileSystem files;
  const auto broken = files.open_folder(temp_.path()).value();
  files.arm({1});
  EXPECT_TRUE(refused(digests.write(*broken), ErrorCode::kIo, Reason::kIo));
  EXPECT_TRUE(accepted(digests.write(*folder()))) << "what was not written is written then";
}

TEST_F(Digests, OnlyRegularFilesHaveADigest) {
  DigestCache digests(clock_);
  EXPECT_TRUE(refused(digests.digest_of(posix_file_system(), temp_.path() / "none"), ErrorCode::kIo,
                      Reason::kNotFound));
  fs::create_directory(temp_.path() / "folder");
  EXPECT_EQ(digests.digest_of(posix_file_system(), temp_.path() / "folder").error().reason,
            Reason::kNotRegularFile);
  fs::create_symlink("model", temp_.path() / "link");
  EXPECT_FALSE(digests.digest_of(posix_file_system(), temp_.path() / "link").ok());
  EXPECT_TRUE(digests.digest_of(posix_file_system(), model()).ok()) << "the control";
}

TEST_F(Digests, TheOldestAreForgottenBeyondTheBound) {
  DigestCache digests(clock_);
  for (int i = 0; i < 1030; ++i) {
    const std::string name = "m" + std::to_string(i);
    temp_.write(name, name);
    clock_.ahead_us += 1000;
    ASSERT_TRUE(digests.digest_of(posix_file_system(), temp_.path() / name).ok());
  }
  ASSERT_TRUE(accepted(digests.write(*folder())));
  DigestCache again(clock_);
  again.read(*folder());
  EXPECT_EQ(again.digest_of(posix_file_system(), temp_.path() / "m1029").value(), digest_of("m1029"));
  EXPECT_EQ(again.bytes_hashed(), 0U);
  EXPECT_EQ(again.digest_of(posix_file_system(), temp_.path() / "m0").value(), digest_of("m0"));
  EXPECT_EQ(again.bytes_hashed(), 2U);
}

}  // namespace
}  // namespace skua::test
