#include "compile/source_file.h"

#include "compile_fixture.h"
#include "skua/sidecar.h"

namespace skua::test {
namespace {

using compile::read_file;

TEST(SourceFile, IsReadWholeAndRecordedByItsBytes) {
  const TempFolder folder;
  const auto bytes = read_file(folder.write("net.bin", "four"), 4, Reason::kModelMissing);
  ASSERT_TRUE(is_ok(bytes));
  const SourceFile recorded = compile::source_file("net.bin", *bytes);
  EXPECT_EQ(recorded, (SourceFile{"net.bin", Sha256Sidecar::digest(bytes_of("four")), 4}));
}

TEST(SourceFile, MissingHasTheCallersReason) {
  const TempFolder folder;
  const auto path = folder.path() / "absent.bin";
  EXPECT_TRUE(is_build_error(read_file(path, 4, Reason::kModelMissing), Reason::kModelMissing, "absent.bin"));
  EXPECT_TRUE(is_build_error(read_file(path, 4, Reason::kGoldenMissing), Reason::kGoldenMissing));
}

TEST(SourceFile, FolderAndLinkAreUnreadable) {
  const TempFolder folder;
  const auto file = folder.write("model/net.bin", "four");
  std::filesystem::create_symlink(file, folder.path() / "link.bin");
  EXPECT_TRUE(is_ok(read_file(file, 4, Reason::kModelMissing)));
  EXPECT_TRUE(is_build_error(read_file(folder.path() / "model", 4, Reason::kModelMissing),
                             Reason::kModelUnreadable, "regular file"));
  EXPECT_TRUE(is_build_error(read_file(folder.path() / "link.bin", 4, Reason::kModelMissing),
                             Reason::kModelUnreadable, "link.bin"));
}

TEST(SourceFile, LargerThanTheLimitIsNotRead) {
  const TempFolder folder;
  const auto file = folder.write("net.bin", "four");
  EXPECT_TRUE(is_ok(read_file(file, 4, Reason::kModelMissing)));
  EXPECT_TRUE(is_build_error(read_file(file, 3, Reason::kModelMissing), Reason::kModelTooLarge, "4 bytes"));
}

}  // namespace
}  // namespace skua::test
