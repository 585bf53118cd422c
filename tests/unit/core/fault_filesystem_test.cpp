// The test double itself: a sweep proves something only if every operation can be made to fail.
#include "fault_filesystem.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "check.h"
#include "temp_folder.h"

namespace skua::test {
namespace {

constexpr std::string_view kText = "12345678";

Status use_everything(FileSystem& files, const TempFolder& root) {
  SKUA_ASSIGN_OR_RETURN(const auto folder, files.open_folder(root.path()));
  SKUA_RETURN_IF_ERROR(folder->lock());
  SKUA_RETURN_IF_ERROR(folder->make_folder("sub"));
  SKUA_ASSIGN_OR_RETURN(const auto sub, folder->open_folder("sub"));
  SKUA_ASSIGN_OR_RETURN(const auto written, sub->create("a"));
  SKUA_RETURN_IF_ERROR(written->write(std::as_bytes(std::span(kText))));
  SKUA_RETURN_IF_ERROR(written->sync());
  SKUA_RETURN_IF_ERROR(sub->rename("a", "b"));
  SKUA_RETURN_IF_ERROR(sub->sync());
  SKUA_RETURN_IF_ERROR(sub->list());
  SKUA_RETURN_IF_ERROR(sub->info("b"));
  SKUA_ASSIGN_OR_RETURN(const auto file, sub->open_read("b"));
  SKUA_RETURN_IF_ERROR(file->info());
  std::array<std::byte, 4> piece;
  SKUA_RETURN_IF_ERROR(file->read(piece));
  return sub->remove("b");
}

constexpr std::uint64_t kOperations = 15;

TEST(FaultFileSystem, CountsEveryOperation) {
  const TempFolder root;
  FaultFileSystem files;
  ASSERT_TRUE(is_ok(use_everything(files, root)));
  EXPECT_EQ(files.operations(), kOperations);
  EXPECT_EQ(files.journal()[7], "rename a b");
  EXPECT_FALSE(files.has_fired());
}

TEST(FaultFileSystem, EveryOperationCanFail) {
  for (std::uint64_t n = 1; n <= kOperations; ++n) {
    const TempFolder root;
    FaultFileSystem files;
    files.arm({.fail_at = n, .reason = Reason::kDiskFull, .error_number = ENOSPC});
    const Status status = use_everything(files, root);
    EXPECT_TRUE(is_error(status, ErrorCode::kIo, Reason::kDiskFull, "operation " + std::to_string(n)));
    EXPECT_EQ(status.error().native_code, ENOSPC);
    EXPECT_EQ(files.operations(), n);
    EXPECT_TRUE(files.has_fired());
  }
}

TEST(FaultFileSystem, APlanBeyondTheEndDoesNotFire) {
  const TempFolder root;
  FaultFileSystem files;
  files.arm({.fail_at = kOperations + 1});
  EXPECT_TRUE(is_ok(use_everything(files, root)));
  EXPECT_FALSE(files.has_fired());
}

TEST(FaultFileSystem, AFaultIsOneOperationACrashIsAllThatFollow) {
  for (const bool crash : {false, true}) {
    const TempFolder root;
    FaultFileSystem files;
    const auto folder = files.open_folder(root.path()).value();
    files.arm({.fail_at = 1, .crash = crash});
    EXPECT_FALSE(folder->make_folder("a").ok());
    EXPECT_EQ(folder->make_folder("b").ok(), !crash);
    EXPECT_EQ(root.has("b"), !crash);
    EXPECT_FALSE(root.has("a"));
  }
}

TEST(FaultFileSystem, AFailingWriteIsTornUnlessItIsAfterTheCrash) {
  const TempFolder root;
  FaultFileSystem files;
  const auto folder = files.open_folder(root.path()).value();
  const auto torn = folder->create("torn").value(), clean = folder->create("clean").value();
  const auto late = folder->create("late").value();
  files.arm({.fail_at = 1, .torn_write = false});
  EXPECT_FALSE(clean->write(std::as_bytes(std::span(kText))).ok());
  files.arm({.fail_at = 1, .crash = true});
  EXPECT_FALSE(torn->write(std::as_bytes(std::span(kText))).ok());
  EXPECT_FALSE(late->write(std::as_bytes(std::span(kText))).ok());
  EXPECT_EQ(root.read("clean"), "");
  EXPECT_EQ(root.read("torn"), "1234");
  EXPECT_EQ(root.read("late"), "");
}

}  // namespace
}  // namespace skua::test
