// A file that an operator names for output: nothing is lost that was not meant.
#include "core/output_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "temp_folder.h"
#include "verdicts.h"

namespace skua::output_file_tests {
namespace {

using skua::test::is_error;
using skua::test::TempFolder;

constexpr ErrorCode kInvalid = ErrorCode::kInvalidArgument;

TEST(OutputFile, IsCreatedOrEmptied) {
  const TempFolder folder;
  ASSERT_TRUE(open_output("--trace", folder.path() / "new").ok());
  EXPECT_EQ(folder.read("new"), "");
  folder.write("old", "of the last flight");
  const auto opened = open_output("--trace", folder.path() / "old");
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(::write(opened->get(), "now", 3), 3);
  EXPECT_EQ(folder.read("old"), "now");
}

TEST(OutputFile, WithASecondNameIsLeftAsItIs) {
  const TempFolder folder;
  folder.write("config.yaml", "what was there");
  std::filesystem::create_hard_link(folder.path() / "config.yaml", folder.path() / "trace");
  const auto refused = open_output("--trace", folder.path() / "trace");
  EXPECT_TRUE(is_error(refused, kInvalid, Reason::kFileLinks, "2 hard links"));
  EXPECT_TRUE(is_error(refused, kInvalid, Reason::kFileLinks, "--trace " + folder.path().string()));
  EXPECT_TRUE(is_error(refused, kInvalid, Reason::kFileLinks, "name one"));
  EXPECT_EQ(folder.read("config.yaml"), "what was there");
  std::filesystem::remove(folder.path() / "config.yaml");
  EXPECT_TRUE(open_output("--trace", folder.path() / "trace").ok()) << "control: one name";
}

TEST(OutputFile, ThatIsNoFileIsRefused) {
  const TempFolder folder;
  EXPECT_TRUE(is_error(open_output("--trace", "/dev/zero"), kInvalid, Reason::kNotRegularFile, "/dev/zero"));
  EXPECT_TRUE(is_error(open_output("--trace", folder.path()), kInvalid, Reason::kIo, "directory"));
  folder.write("old", "what was there");
  std::filesystem::create_symlink("old", folder.path() / "link");
  EXPECT_TRUE(is_error(open_output("--trace", folder.path() / "link"), kInvalid, Reason::kIo, "no link"));
  EXPECT_EQ(folder.read("old"), "what was there");
}

TEST(OutputFile, MayBeWhatKeepsNothing) {
  EXPECT_TRUE(open_output("--trace", "/dev/null").ok());
  EXPECT_TRUE(open_output("--trace", "/dev/full").ok());
}

}  // namespace
}  // namespace skua::output_file_tests
