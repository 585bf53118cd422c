// Which libtorch is opened, and when none is.
#include <dlfcn.h>

#include <cstdlib>

#include "runtimes/pytorch/ground_bridges.h"
#include "torch_fixture.h"

namespace skua::test {
namespace {

TEST(TorchLibrary, OpensTheOneThatSkuaWasBuiltFor) {
  const auto bridge = pytorch::open_run_bridge(torch_config());
  ASSERT_TRUE(is_ok(bridge));
  const auto facts = (*bridge)->facts();
  ASSERT_TRUE(is_ok(facts));
  EXPECT_EQ(facts->version.substr(0, facts->version.find('+')), (*bridge)->compiled_for);
  EXPECT_TRUE(is_ok(pytorch::open_compile_bridge(torch_config())));  // a second library behind the same one
}

TEST(TorchLibrary, HalfInstructionsAreSwitchedOffBeforeItIsOpened) {
  constexpr char kName[] = "ONEDNN_MAX_CPU_ISA";
  ASSERT_EQ(::unsetenv(kName), 0);
  ASSERT_TRUE(is_ok(pytorch::open_run_bridge(torch_config())));
  EXPECT_STREQ(std::getenv(kName), "AVX512_CORE_BF16");
  ASSERT_EQ(::setenv(kName, "AVX2", 1), 0);
  ASSERT_TRUE(is_ok(pytorch::open_run_bridge(torch_config())));
  EXPECT_STREQ(std::getenv(kName), "AVX2") << "what somebody set stays";
}

TEST(TorchLibrary, AMissingOneIsSaid) {
  RuntimeConfig config = torch_config();
  config.torch_library = "/nonexistent/libtorch.so";
  EXPECT_TRUE(is_error(pytorch::open_run_bridge(config), ErrorCode::kRuntimeNotAvailable, Reason::kSdkMissing,
                       "/nonexistent/libtorch.so"));
}

TEST(TorchLibrary, AnotherOneInTheProcessIsRefused) {
  ASSERT_NE(::dlopen(SKUA_FOREIGN_TORCH, RTLD_NOW | RTLD_LOCAL), nullptr) << ::dlerror();
  EXPECT_TRUE(is_error(pytorch::open_run_bridge(torch_config()), ErrorCode::kRuntimeNotAvailable,
                       Reason::kSdkForeign, "foreign_torch"));
}

TEST(TorchLibrary, ASecondPathIsRefusedOnceOneIsMapped) {
  ASSERT_TRUE(is_ok(pytorch::open_run_bridge(torch_config())));
  RuntimeConfig config = torch_config();
  config.torch_library = "/elsewhere/lib/libtorch.so";
  EXPECT_TRUE(is_error(pytorch::open_run_bridge(config), ErrorCode::kRuntimeNotAvailable, Reason::kSdkForeign,
                       "elsewhere"));
}

TEST(TorchLibrary, TheDeviceIsNeverReplaced) {
  pytorch::TorchFacts facts{"2.13.0", false, 0};
  EXPECT_TRUE(is_ok(pytorch::check_device(facts, "cpu")));
  EXPECT_TRUE(is_error(pytorch::check_device(facts, "cuda"), ErrorCode::kRuntimeNotAvailable,
                       Reason::kProviderNotAvailable, "a build without CUDA"));
  facts.has_cuda = true;
  EXPECT_TRUE(is_error(pytorch::check_device(facts, "cuda"), ErrorCode::kRuntimeNotAvailable,
                       Reason::kProviderNotAvailable, "no CUDA device"));
  facts.cuda_devices = 1;
  EXPECT_TRUE(is_ok(pytorch::check_device(facts, "cuda")));
}

TEST(TorchLibrary, ThreadsAreFixedForTheProcess) {
  const pytorch::RunBridge* bridge = pytorch::open_run_bridge(torch_config()).value();
  ASSERT_TRUE(is_ok(bridge->fix_threads(2)));
  EXPECT_TRUE(is_ok(bridge->fix_threads(2)));
  EXPECT_TRUE(
      is_error(bridge->fix_threads(1), ErrorCode::kInvalidArgument, Reason::kInvalidArgument, "expected 2"));
}

TEST(RecordOptions, TheCpuWidensAndAGpuDoesNot) {
  RuntimeConfig config = torch_config("");
  EXPECT_EQ(pytorch::arithmetic_of(config, Precision::kFp16), pytorch::Arithmetic::kWidened);
  config.device = "cuda";
  EXPECT_EQ(pytorch::arithmetic_of(config, Precision::kFp16), pytorch::Arithmetic::kNative);
  config.arithmetic = "widened";
  EXPECT_EQ(pytorch::arithmetic_of(config, Precision::kFp16), pytorch::Arithmetic::kWidened);
  EXPECT_EQ(pytorch::arithmetic_of(config, Precision::kFp32), pytorch::Arithmetic::kFp32);
}

TEST(RecordOptions, WhatIsLeftOpenIsSaidAloud) {
  RuntimeConfig config;
  pytorch::resolve(config);
  EXPECT_EQ(config.device, pytorch::device_of(RuntimeConfig()));
  EXPECT_FALSE(config.arithmetic.empty());
  RuntimeConfig native = torch_config("native");
  pytorch::resolve(native);
  EXPECT_EQ(native.arithmetic, "native");
}

TEST(RecordOptions, EveryOptionIsHeldToTheConfiguration) {
  EngineRecord record;
  record.file = "net.pt";
  record.runtime_label = "pytorch_fp16";
  record.precision = Precision::kFp16;
  record.options = pytorch::record_options(torch_config(), Precision::kFp16, true, "2.13.0");
  ASSERT_TRUE(is_ok(pytorch::check_recorded(record, torch_config(), "2.13.0")));
  EXPECT_FALSE(pytorch::check_recorded(record, torch_config(), "2.12.0").ok());
  EXPECT_FALSE(pytorch::check_recorded(record, torch_config("native"), "2.13.0").ok());
  for (const auto& [option, value] : record.options) {
    if (option == "intra_op_threads") continue;  // of the session, not of the artifact
    EngineRecord changed = record;
    changed.options[option] = "something else";
    EXPECT_TRUE(is_error(pytorch::check_recorded(changed, torch_config(), "2.13.0"),
                         ErrorCode::kEngineDeserialize, Reason::kRuntimeMismatch))
        << option;
  }
}

}  // namespace
}  // namespace skua::test
