#include "skua/sidecar.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "cache_fixture.h"

namespace skua::test {
namespace {

TEST(Sidecar, DigestIsSha256) {
  // FIPS 180-4, the message "abc".
  EXPECT_EQ(digest_of("abc").hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sidecar, WritesThePayloadAndExactly64Digits) {
  const TempFolder temp;
  const fs::path file = temp.path() / "net.engine";
  ASSERT_TRUE(accepted(Sha256Sidecar::write_atomic_and_sidecar(file, bytes_of("payload"))));
  EXPECT_EQ(temp.read("net.engine"), "payload");
  EXPECT_EQ(temp.read("net.engine.sha256"), digest_of("payload").hex());
  EXPECT_EQ(Sha256Sidecar::path_of(file), temp.path() / "net.engine.sha256");
  EXPECT_TRUE(Sha256Sidecar::verify(file).value());
  EXPECT_EQ(std::distance(fs::directory_iterator(temp.path()), {}), 2) << "no temporary may stay";
}

TEST(Sidecar, WriteAtomicReplacesAndLeavesNoTemporary) {
  const TempFolder temp;
  temp.write("a", "old");
  ASSERT_TRUE(accepted(Sha256Sidecar::write_atomic(temp.path() / "a", bytes_of("new"))));
  EXPECT_EQ(temp.read("a"), "new");
  EXPECT_EQ(std::distance(fs::directory_iterator(temp.path()), {}), 1);
  EXPECT_FALSE(Sha256Sidecar::write_atomic(temp.path() / "none" / "a", bytes_of("new")).ok());
}

TEST(Sidecar, AnswersForChangedAndMissingPayloads) {
  const TempFolder temp;
  const fs::path file = temp.path() / "a";
  ASSERT_TRUE(accepted(Sha256Sidecar::write_atomic_and_sidecar(file, bytes_of("payload"))));
  temp.write("a", "pAyload");
  EXPECT_FALSE(Sha256Sidecar::verify(file).value());
  fs::remove(file);
  EXPECT_FALSE(Sha256Sidecar::verify(file).value());
  EXPECT_FALSE(Sha256Sidecar::verify(temp.path() / "no" / "folder").value());
}

TEST(Sidecar, RefusesAMissingSidecar) {
  const TempFolder temp;
  temp.write("a", "payload");
  EXPECT_TRUE(refused(Sha256Sidecar::verify(temp.path() / "a"), ErrorCode::kEngineSidecarMissing,
                      Reason::kSidecarMissing));
}

TEST(Sidecar, RefusesEveryOtherContentThan64LowerCaseDigits) {
  const TempFolder temp;
  const fs::path file = temp.write("a", "payload");
  const std::string hex = digest_of("payload").hex();
  temp.write("a.sha256", hex);
  ASSERT_TRUE(Sha256Sidecar::verify(file).value());
  std::string upper = hex;
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  const std::vector<std::string> bad = {
      "",        hex.substr(1), hex + "\n",          hex + "  a\n",         " " + hex,
      hex + hex, upper,         "g" + hex.substr(1), std::string(64, '\0'), "\xef\xbb\xbf" + hex};
  for (const std::string& content : bad) {
    temp.write("a.sha256", content);
    EXPECT_TRUE(
        refused(Sha256Sidecar::verify(file), ErrorCode::kEngineDeserialize, Reason::kSidecarMalformed))
        << content;
  }
}

TEST(Sidecar, FollowsNoLink) {
  const TempFolder temp;
  temp.write("real", "payload");
  fs::create_symlink("real", temp.path() / "link");
  EXPECT_TRUE(accepted(Sha256Sidecar::digest_file(temp.path() / "real")));
  EXPECT_FALSE(Sha256Sidecar::digest_file(temp.path() / "link").ok());
  EXPECT_FALSE(Sha256Sidecar::digest_file(temp.path()).ok());
  EXPECT_TRUE(refused(Sha256Sidecar::digest_file(""), ErrorCode::kInvalidArgument, Reason::kInvalidArgument));
}

TEST(Sidecar, AggregateHashDependsOnNamesAndBytesNotOnOrderOrFolder) {
  const TempFolder temp;
  const std::vector<fs::path> files = {temp.write("x/b", "2"), temp.write("x/a", "1"),
                                       temp.write("y/c", "3")};
  const Sha256 expected = digest_of(digest_of("1").hex() + " a\n" + digest_of("2").hex() + " b\n" +
                                    digest_of("3").hex() + " c\n");
  std::vector<fs::path> order = files;
  std::sort(order.begin(), order.end());
  do {
    EXPECT_EQ(Sha256Sidecar::aggregate_hash(order).value(), expected);
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_EQ(
      Sha256Sidecar::aggregate_hash({temp.write("z/c", "3"), temp.write("z/a", "1"), temp.write("z/b", "2")})
          .value(),
      expected);
  EXPECT_NE(Sha256Sidecar::aggregate_hash({temp.write("w/d", "3"), files[0], files[1]}).value(), expected)
      << "another name";
  EXPECT_NE(Sha256Sidecar::aggregate_hash({temp.write("v/c", "4"), files[0], files[1]}).value(), expected)
      << "other bytes";
}

TEST(Sidecar, AggregateHashRefusesAmbiguousNames) {
  const TempFolder temp;
  const fs::path a = temp.write("x/a", "1");
  EXPECT_TRUE(accepted(Sha256Sidecar::aggregate_hash({a, temp.write("y/b", "1")})));
  EXPECT_TRUE(refused(Sha256Sidecar::aggregate_hash({a, temp.write("y/a", "1")}), ErrorCode::kInvalidArgument,
                      Reason::kInvalidArgument));
  EXPECT_TRUE(refused(Sha256Sidecar::aggregate_hash({a, temp.write("y/c\nd", "1")}),
                      ErrorCode::kInvalidArgument, Reason::kInvalidArgument));
  EXPECT_FALSE(Sha256Sidecar::aggregate_hash({a, temp.path() / "none"}).ok());
}

}  // namespace
}  // namespace skua::test
