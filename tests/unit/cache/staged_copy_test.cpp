// Which class an error has once it leaves compiling or provisioning; the exit status hangs on it.
#include "cache/staged_copy.h"

#include <gtest/gtest.h>

namespace skua {
namespace {

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
  EXPECT_NE(as_build_error(full, "writing").message.find("writing: no space; nothing was changed"),
            std::string::npos);
  const Error memory = make_error(ErrorCode::kOutOfMemory, Reason::kOutOfMemory, "none", 12);
  EXPECT_EQ(as_build_error(memory, "writing").code, ErrorCode::kOutOfMemory);
  EXPECT_EQ(as_build_error(memory, "writing").reason, Reason::kOutOfMemory);
}

}  // namespace
}  // namespace skua
