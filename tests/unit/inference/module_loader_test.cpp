// Modules that are missing, damaged, no module, or another build's are refused with a reason, never opened
// half.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "inference/module_loader.h"
#include "temp_folder.h"

namespace skua::test {
namespace {

using ::testing::HasSubstr;

TEST(ModuleLoaderTest, MissingModuleNamesTheFile) {
  const TempFolder folder;
  const auto module = open_runtime_module(folder.path(), "onnx_trt_ep");
  ASSERT_FALSE(module.ok());
  EXPECT_EQ(module.error().code, ErrorCode::kRuntimeNotAvailable);
  EXPECT_EQ(module.error().reason, Reason::kModuleMissing);
  EXPECT_THAT(module.error().message, HasSubstr("libskua_runtime_onnx_trt_ep.so"));
}

TEST(ModuleLoaderTest, DamagedModuleIsMissingNotACrash) {
  const TempFolder folder;
  std::ofstream(folder.path() / "libskua_runtime_onnx_trt_ep.so") << "this is not a shared object";
  const auto module = open_runtime_module(folder.path(), "onnx_trt_ep");
  ASSERT_FALSE(module.ok());
  EXPECT_EQ(module.error().reason, Reason::kModuleMissing);
}

TEST(ModuleLoaderTest, ForeignModulesAreRefused) {
  const std::filesystem::path folder = SKUA_TEST_MODULE_DIR;
  for (const char* label : {"foreign_id", "foreign_size", "no_symbol", "other_label"}) {
    const auto module = open_runtime_module(folder, label);
    ASSERT_FALSE(module.ok()) << label;
    EXPECT_EQ(module.error().reason, Reason::kModuleForeign) << label;
  }
  // The control: the same source with the right id opens.
  const auto module = open_runtime_module(folder, "good");
  ASSERT_TRUE(module.ok()) << module.error().describe();
  EXPECT_STREQ((*module)->label, "good");
}

TEST(ModuleLoaderTest, RawModuleIsMissingByItsOwnName) {
  const TempFolder folder;
  const auto module = open_raw_module(folder.path(), "onnx_trt_ep");
  ASSERT_FALSE(module.ok());
  EXPECT_EQ(module.error().reason, Reason::kModuleMissing);
  EXPECT_THAT(module.error().message, HasSubstr("libskua_bench_onnx_trt_ep.so"));
}

TEST(ModuleLoaderTest, LibraryFolderHoldsLibskua) {
  EXPECT_TRUE(std::filesystem::exists(library_folder() / "libskua.so"));
}

}  // namespace
}  // namespace skua::test
