// Which class an error has once it leaves compiling or provisioning; the exit status hangs on it.
#include "cache/staged_copy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache_fixture.h"
#include "fault_filesystem.h"

namespace skua {
namespace {

TEST(CopyNew, TakesRoomBeforeItReads) {
  const test::TempFolder temp;
  temp.write("source", std::string(5000, 'x'));
  test::FaultFileSystem files;
  const auto folder = files.open_folder(temp.path()).value();
  const auto copy = [&] { return copy_new(*folder->open_read("source").value(), *folder, "copy"); };
  files.arm({});
  ASSERT_TRUE(test::accepted(copy()));
  const std::vector<std::string> whole = {"open source",       "info-open source", "create copy",
                                          "reserve copy 5000", "read source",      "write copy",
                                          "sync copy"};
  EXPECT_EQ(files.journal(), whole);
  ASSERT_TRUE(test::accepted(folder->remove("copy")));
  files.arm({4, Reason::kDiskFull, ENOSPC});
  EXPECT_TRUE(test::refused(copy(), ErrorCode::kIo, Reason::kDiskFull));
  EXPECT_THAT(files.journal(), testing::Not(testing::Contains("read source"))) << "nothing was begun";
  EXPECT_FALSE(temp.has("copy"));
}

TEST(AsBuildError, KeepsTheClassesThatACallerActsUpon) {
  for (const ErrorCode code :
       {ErrorCode::kInvalidArgument, ErrorCode::kCalibrationCache, ErrorCode::kRuntimeNotAvailable,
        ErrorCode::kOutOfMemory, ErrorCode::kInternal}) {
    const Error error = as_build_error(make_error(code, Reason::kInternal, "text", 3));
    EXPECT_EQ(error.code, code);
    EXPECT_EQ(error.message, "text");
    EXPECT_EQ(error.native_code, 3);
  }
}

TEST(AsBuildError, TheRestCouldNotBuild) {
  for (const ErrorCode code : {ErrorCode::kIo, ErrorCode::kInference, ErrorCode::kEngineBuild}) {
    EXPECT_EQ(as_build_error(make_error(code, Reason::kIo, "text")).code, ErrorCode::kEngineBuild);
  }
}

TEST(AsBuildError, WithWhatWasBeingDoneOnlyMemoryKeepsItsClass) {
  const Error full = make_error(ErrorCode::kIo, Reason::kDiskFull, "no space", 28);
  EXPECT_EQ(as_build_error(full, "writing").code, ErrorCode::kEngineBuild);
  EXPECT_NE(as_build_error(full, "writing")
                .message.find("writing: no space; nothing half written is ever used: free"),
            std::string::npos);
  const Error memory = make_error(ErrorCode::kOutOfMemory, Reason::kOutOfMemory, "none", 12);
  EXPECT_EQ(as_build_error(memory, "writing").code, ErrorCode::kOutOfMemory);
  EXPECT_EQ(as_build_error(memory, "writing").reason, Reason::kOutOfMemory);
}

}  // namespace
}  // namespace skua
