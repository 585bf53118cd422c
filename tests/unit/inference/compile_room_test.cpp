// A full disk shows before the build process is started.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fault_filesystem.h"
#include "inference/compile.h"
#include "temp_folder.h"
#include "verdicts.h"

namespace skua::test {
namespace {

class CompileRoom : public testing::Test {
 protected:
  CompileRoom() {
    folder_.write("model/net.onnx", std::string(1000, 'x'));
    folder_.write("model/net.onnx.data", std::string(500, 'x'));  // PyTorch's name
    folder_.write("model/net.onnx_data", std::string(50, 'x'));   // Optimum's
    folder_.write("model/net.pt", std::string(7000, 'x'));        // another model
    folder_.write("model/other.onnx.data", std::string(7000, 'x'));
    context_.config.runtime = "onnx_trt_ep";
    context_.config.engine_cache_dir = folder_.path() / "cache";
    context_.files = &files_;
    context_.build_executable = folder_.path() / "none";  // whoever comes so far says that it is missing
    build_.precision = Precision::kFp32;
  }
  /// A disk with no room, from the operation on whose journal line begins with `step`.
  Result<EngineRecord> compile_with_fault_at(const std::string& step) {
    files_.arm({});
    static_cast<void>(compile());
    const auto journal = files_.journal();
    const auto at = std::find_if(journal.begin(), journal.end(),
                                 [&](const std::string& line) { return line.starts_with(step); });
    EXPECT_NE(at, journal.end()) << step;
    files_.arm({static_cast<std::uint64_t>(at - journal.begin()) + 1, Reason::kDiskFull, ENOSPC});
    return compile();
  }
  Result<EngineRecord> compile() {
    return compile_model(folder_.path() / "model/net.onnx", build_, context_);
  }

  TempFolder folder_;
  FaultFileSystem files_;
  CompileContext context_;
  BuildConfig build_;
};

TEST_F(CompileRoom, IsTwiceTheModelAndItsWeightsAndIsGivenBack) {
  files_.arm({});
  EXPECT_TRUE(is_build_error(compile(), Reason::kBuilderMissing)) << "the control: the builder comes next";
  EXPECT_THAT(files_.journal(), testing::IsSupersetOf({"reserve room 3100", "remove room"}));
}

TEST_F(CompileRoom, AFullDiskIsToldBeforeTheBuildBegins) {
  const auto refusal = compile_with_fault_at("reserve room");
  EXPECT_TRUE(is_build_error(refusal, Reason::kDiskFull, "free space"));
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path() / "cache")) << "nothing stays";
}

}  // namespace
}  // namespace skua::test
