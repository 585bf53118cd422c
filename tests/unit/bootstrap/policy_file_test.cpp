#include "bootstrap/policy_file.h"

#include <gmock/gmock.h>

#include <fstream>
#include <iterator>

#include "cache/p256.h"
#include "temp_folder.h"
#include "verdicts.h"

namespace skua::test::policy_file_tests {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr auto kInvalid = ErrorCode::kInvalidArgument;
const std::string kHead = "skua_policy: 1\n";

Result<PolicyFile> parse(const std::string& text) { return parse_policy_file(text, "keys/policy.yaml"); }

std::string page(const std::string& name) {
  std::ifstream stream(std::string(SKUA_SOURCE_DIR) + "/docs/" + name);
  return {std::istreambuf_iterator<char>(stream), {}};
}

TEST(PolicyFile, NothingIsRelaxedUnlessItIsSaid) {
  const PolicyFile policy = parse(kHead).value();
  EXPECT_FALSE(policy.allow_unsigned);
  EXPECT_TRUE(policy.is_expiry_enforced);
  EXPECT_THAT(policy.trusted_keys, IsEmpty());
  EXPECT_THAT(relaxations_of(policy), IsEmpty());
}

TEST(PolicyFile, EveryRelaxationHasAName) {
  const PolicyFile policy = parse(kHead + "allow_unsigned: true\nexpiry: off\n").value();
  EXPECT_THAT(relaxations_of(policy), ElementsAre(Field(&Relaxation::name, "allow_unsigned"),
                                                  Field(&Relaxation::name, "expiry_off")));
  EXPECT_THAT(relaxations_of(parse(kHead + "allow_unsigned: false\nexpiry: enforced\n").value()), IsEmpty());
}

TEST(PolicyFile, KeysCountFromTheFilesFolder) {
  EXPECT_THAT(parse(kHead + "trusted_keys: [a.pub, /etc/skua/b.pub]\n").value().trusted_keys,
              ElementsAre("keys/a.pub", "/etc/skua/b.pub"));
}

TEST(PolicyFile, WhatIsNotUnderstoodIsRefusedWithItsPlace) {
  for (const char* bad :
       {"allow_unsigned: true\n", "skua_policy: 2\n", "skua_policy: 1\nallow_unsigned: yes\n",
        "skua_policy: 1\nallow_unsigned: true\nallow_unsigned: true\n", "- 1\n",
        "skua_policy: 1\nexpiry: none\n", "skua_policy: 1\nexpiry: false\n",
        "skua_policy: 1\nallow_everything: true\n", "skua_policy: 1\ntrusted_keys: a.pub\n",
        "skua_policy: 1\ntrusted_keys: ['']\n", "skua_policy: 1\ntrusted_keys: [a, b, c]\n",
        "skua_policy: &a 1\nexpiry: *a\n", "skua_policy: 1\n---\nskua_policy: 1\n", ""}) {
    const auto policy = parse(bad);
    ASSERT_FALSE(policy.ok()) << bad;
    EXPECT_EQ(policy.error().code, kInvalid);
    EXPECT_THAT(policy.error().message, HasSubstr("keys/policy.yaml")) << bad;
  }
}

TEST(PolicyFile, TheDocumentedExamplesAreRead) {
  const std::string text = page("formats/policy.md"), fence = "```yaml\n";
  const std::size_t begin = text.find(fence) + fence.size();
  const PolicyFile documented = parse(text.substr(begin, text.find("```", begin) - begin)).value();
  EXPECT_THAT(documented.trusted_keys, ElementsAre("keys/keys/current.pub", "keys/keys/next.pub"));
  EXPECT_THAT(relaxations_of(documented), IsEmpty());
  const PolicyFile development = parse(page("examples/development-policy.yaml")).value();
  EXPECT_TRUE(development.allow_unsigned);
  EXPECT_FALSE(development.is_expiry_enforced);
}

TEST(PolicyFile, IsOpenedTheSafeWay) {
  const TempFolder folder;
  const fs::path file = folder.write("p.yaml", kHead);
  FileSystem& files = posix_file_system();
  ASSERT_TRUE(is_ok(read_policy_file(files, file)));
  fs::permissions(file, fs::perms::others_write, fs::perm_options::add);
  EXPECT_TRUE(is_error(read_policy_file(files, file), kInvalid, Reason::kFileMode));
  fs::permissions(file, fs::perms::others_write, fs::perm_options::remove);
  fs::permissions(folder.path(), fs::perms::others_write, fs::perm_options::add);
  EXPECT_TRUE(is_error(read_policy_file(files, file), kInvalid, Reason::kFileMode));
  fs::permissions(folder.path(), fs::perms::others_write, fs::perm_options::remove);
  fs::create_symlink("p.yaml", folder.path() / "link.yaml");
  EXPECT_TRUE(
      is_error(read_policy_file(files, folder.path() / "link.yaml"), kInvalid, Reason::kNotRegularFile));
  fs::create_hard_link(file, folder.path() / "second.yaml");
  EXPECT_TRUE(is_error(read_policy_file(files, file), kInvalid, Reason::kFileLinks));
  folder.write("long.yaml", kHead + std::string(65536, '#'));
  EXPECT_TRUE(is_error(read_policy_file(files, folder.path() / "long.yaml"), kInvalid, Reason::kTooLarge));
  EXPECT_TRUE(is_error(read_policy_file(files, folder.path() / "none.yaml"), kInvalid, Reason::kNotFound));
}

TEST(PolicyFile, TwoDifferentKeysAreTheMost) {
  const TempFolder folder;
  std::vector<fs::path> keys;
  for (const char* name : {"a.pub", "b.pub", "c.pub"})
    keys.push_back(folder.write(name, PrivateKey::generate().value().public_key().value().pem()));
  GatePolicy policy;
  FileSystem& files = posix_file_system();
  ASSERT_TRUE(is_ok(trust_keys(files, {keys[0], keys[1], keys[0]}, policy)));
  EXPECT_EQ(policy.trusted_keys.size(), 2U);
  EXPECT_TRUE(is_error(trust_keys(files, {keys[2]}, policy), kInvalid, Reason::kInvalidArgument));
}

}  // namespace
}  // namespace skua::test::policy_file_tests
