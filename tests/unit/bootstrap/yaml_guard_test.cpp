// Files that are no configuration, or one that means harm: each a typed refusal, none waits or grows.
#include "yaml/yaml_guard.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bootstrap/config_yaml.h"
#include "temp_folder.h"

namespace skua::yaml_guard_tests {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::size_t kMiB = 1U << 20U;

std::string repeated(const std::string& part, std::size_t count) {
  std::string text;
  text.reserve(part.size() * count);
  for (std::size_t i = 0; i < count; ++i) text += part;
  return text;
}

void expect_refused(const std::string& text, const std::string& start, const std::string& part) {
  const auto read = parse_config_yaml(text, "c.yaml");
  ASSERT_FALSE(read.ok()) << part;
  EXPECT_EQ(read.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(read.error().reason, Reason::kMalformed);
  EXPECT_THAT(read.error().message, StartsWith(start));
  EXPECT_THAT(read.error().message, HasSubstr(part));
}

TEST(YamlGuard, AliasesAreRefusedAndAnchorsAreNot) {
  expect_refused("a: &x 1\nb: *x\n", "c.yaml:2:4: ", "an alias (*name) is not allowed");
  expect_refused("a: &x [*x]\n", "c.yaml:1:8: ", "an alias");
  expect_refused("a: *x\n", "c.yaml:1:4: ", "anchor is not defined");
  EXPECT_TRUE(parse_config_yaml("a: &x 1\nb: '*x'\n", "c.yaml").ok());
}

TEST(YamlGuard, BillionLaughsStopAtTheFirst) {
  std::string text = "l0: &l0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]\n";
  for (int level = 1; level < 30; ++level) {
    const std::string below = "*l" + std::to_string(level - 1);
    text += "l" + std::to_string(level) + ": &l" + std::to_string(level) + " [" + below;
    text += repeated(", " + below, 8) + "]\n";
  }
  expect_refused(text, "c.yaml:2:", "an alias");
}

TEST(YamlGuard, DepthHasALimitInEveryStyle) {
  const auto lists = [](std::size_t depth) {
    return "a: " + repeated("[", depth) + repeated("]", depth) + "\n";
  };
  EXPECT_TRUE(parse_config_yaml(lists(kYamlDepthLimit - 1), "c.yaml").ok());
  expect_refused(lists(kYamlDepthLimit), "c.yaml:1:", "within each other");
  for (const char* const part : {"[", "{a: ", "- ", "? ", "{? ", "[{a: "}) {
    const std::string opening = part;
    const auto read = parse_config_yaml(repeated(opening, (kMiB - 1) / opening.size()), "c.yaml");
    ASSERT_FALSE(read.ok()) << opening;
    EXPECT_EQ(read.error().reason, Reason::kMalformed) << opening;
  }
}

TEST(YamlGuard, TheNumberOfValuesHasALimit) {
  const auto list = [](std::size_t count) { return "a: [" + repeated("1,", count) + "]\n"; };
  EXPECT_TRUE(parse_config_yaml(list(kYamlValueLimit - 3), "c.yaml").ok());
  expect_refused(list(kYamlValueLimit - 2), "c.yaml:1:", "more than 65536 values");
}

TEST(YamlGuard, KeysOfOurBlockHaveALimit) {
  std::string text = "components:\n  c7_inference:\n";
  for (int i = 0; i < 20000; ++i) text += "    k" + std::to_string(i) + ": 1\n";
  const auto read = parse_config_yaml(text, "c.yaml");
  ASSERT_FALSE(read.ok());
  EXPECT_THAT(read.error().message,
              StartsWith("c.yaml:1027:5: components.c7_inference: more than 1024 keys"));
}

TEST(YamlGuard, BytesThatAreNoTextAreRefusedWithTheirLine) {
  using namespace std::string_literals;
  expect_refused("a: 1\nb: \0\n"s, "c.yaml:2: ", "not text");
  expect_refused("a: 1\n\0"s, "c.yaml:2: ", "not text");
  expect_refused("a: 1\n\x04\nb: 2\n", "c.yaml:2: ", "not text");
  expect_refused("a: \xff\xfe\n", "c.yaml:1: ", "expected UTF-8");
  expect_refused("a: \xc0\x80\n", "c.yaml:1: ", "expected UTF-8");
  expect_refused(
      "\xff\xfe"
      "a\0:\0 \0"s,
      "c.yaml:1: ", "expected UTF-8");
  EXPECT_TRUE(parse_config_yaml("\xef\xbb\xbf"
                                "a: 1\r\nb: \"\xc3\xa4\"\n",
                                "c.yaml")
                  .ok());
}

TEST(YamlGuard, WhatIsNoOrMoreThanOneDocumentIsRefused) {
  for (const char* text : {"", "\n", "# nothing\n"}) expect_refused(text, "c.yaml: ", "found 0");
  expect_refused("a: 1\n---\na: 2\n", "c.yaml: ", "found 2");
  expect_refused("a: [1\n", "c.yaml:", "not YAML");
}

class ConfigFileTest : public ::testing::Test {
 protected:
  void expect_reason(const std::filesystem::path& path, Reason reason) {
    const auto read = read_config_yaml(path);
    ASSERT_FALSE(read.ok()) << path;
    EXPECT_EQ(read.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(read.error().reason, reason) << read.error().message;
    EXPECT_THAT(read.error().message, HasSubstr(path.string()));
  }

  test::TempFolder folder_;
};

TEST_F(ConfigFileTest, TenMegabytesAreNotRead) {
  const std::string anchors = repeated("a: &x 1\n", 10 * kMiB / 8);
  expect_reason(folder_.write("large.yaml", anchors), Reason::kTooLarge);
  // The limit is of the file, not of what is in it.
  const auto just = folder_.write("just.yaml", "# " + std::string(kMiB - 8, 'x') + "\na: 1\n");
  EXPECT_TRUE(read_config_yaml(just).ok());
}

TEST_F(ConfigFileTest, WhatIsNoRegularFileIsRefusedAndNeverWaitedFor) {
  expect_reason(folder_.path() / "missing.yaml", Reason::kNotFound);
  expect_reason(folder_.path() / "no_folder" / "c.yaml", Reason::kNotFound);
  std::filesystem::create_directory(folder_.path() / "folder.yaml");
  expect_reason(folder_.path() / "folder.yaml", Reason::kNotRegularFile);
  const auto fifo = folder_.path() / "fifo.yaml";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  expect_reason(fifo, Reason::kNotRegularFile);
  expect_reason("/dev/zero", Reason::kNotRegularFile);
}

TEST_F(ConfigFileTest, WithoutPermissionItIsRefused) {
  const auto path = folder_.write("secret.yaml", "a: 1\n");
  ASSERT_TRUE(read_config_yaml(path).ok());
  std::filesystem::permissions(folder_.path(), std::filesystem::perms(0755));
  std::filesystem::permissions(path, std::filesystem::perms::none);
  constexpr uid_t kNobody = 65534;
  const uid_t before = geteuid();  // root may read everything
  ASSERT_EQ(seteuid(before == 0 ? kNobody : before), 0);
  expect_reason(path, Reason::kPermissionDenied);
  ASSERT_EQ(seteuid(before), 0);
}

}  // namespace
}  // namespace skua::yaml_guard_tests
