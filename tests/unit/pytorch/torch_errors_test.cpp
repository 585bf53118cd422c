// libtorch's texts, as Skua's errors.
#include "runtimes/pytorch/torch_errors.h"

#include <gtest/gtest.h>

#include "verdicts.h"

namespace skua::test {
namespace {

using pytorch::TorchContext;

// Seen of libtorch 2.13.
constexpr char kOutOfMemory[] =
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to "
    "allocate "
    "8000000000 bytes. Error code 12 (Cannot allocate memory)";
constexpr char kInterpreter[] =
    "The following operation failed in the TorchScript interpreter.\nTraceback of TorchScript (most recent "
    "call last):\n"
    "  File \"net.py\", line 3, in forward\n    return x\nRuntimeError: mat1 and mat2 shapes cannot be "
    "multiplied\n";
constexpr char kWithBacktrace[] =
    "expected scalar type Float but found Half\nException raised from expect at ../aten/src/ATen/x.cpp:1 "
    "(most recent "
    "call first):\nframe #0: c10::Error::Error() + 0x57 (0x7f in libc10.so)";

TEST(TorchErrors, MemoryHasAClassOfItsOwn) {
  for (const auto context : {TorchContext::kLoad, TorchContext::kCompile}) {
    EXPECT_EQ(translate(context, "net", kOutOfMemory).code, ErrorCode::kOutOfMemory);
  }
  EXPECT_EQ(pytorch::translate_hot(kOutOfMemory).code, ErrorCode::kOutOfMemory);
  EXPECT_EQ(pytorch::translate_hot("CUDA out of memory. Tried to allocate").code, ErrorCode::kOutOfMemory);
  EXPECT_EQ(pytorch::translate_hot(kInterpreter).code, ErrorCode::kInference);
  EXPECT_TRUE(pytorch::translate_hot(kInterpreter).message.empty());
}

// As the interpreter passes CUDA's errors on: the class and its number are gone.
std::string interpreted(const std::string& cuda_text) {
  return "The following operation failed in the TorchScript interpreter.\nTraceback of TorchScript (most "
         "recent "
         "call last):\n  File \"net.py\", line 3, in forward\n    return x\nRuntimeError: CUDA error: " +
         cuda_text + "\nCompile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.\n";
}

TEST(TorchErrors, ALostDeviceHasAReasonOfItsOwnAndKeepsItsNumber) {
  const std::string lost = interpreted("an illegal memory access was encountered");
  const Error hot = pytorch::translate_hot(lost);
  EXPECT_EQ(hot.code, ErrorCode::kInference);
  EXPECT_EQ(hot.reason, Reason::kDeviceLost);
  EXPECT_EQ(hot.native_code, 700);
  EXPECT_TRUE(hot.message.empty());
  const Error load = translate(TorchContext::kLoad, "net", lost);
  EXPECT_EQ(load.code, ErrorCode::kEngineDeserialize);
  EXPECT_EQ(load.reason, Reason::kDeviceLost);
  EXPECT_NE(load.message.find("start the program again"), std::string::npos);
  EXPECT_EQ(translate(TorchContext::kCompile, "net", lost).code, ErrorCode::kEngineBuild);
}

TEST(TorchErrors, ControlOrdinaryCudaErrorsAreNoLostDevice) {
  EXPECT_EQ(pytorch::translate_hot(interpreted("invalid argument")).reason, Reason::kExecutionFailed);
  EXPECT_EQ(pytorch::translate_hot(interpreted("out of memory")).reason, Reason::kOutOfMemory);
}

TEST(TorchErrors, OneLineWithoutABacktrace) {
  EXPECT_EQ(pytorch::trimmed_text(kWithBacktrace), "expected scalar type Float but found Half");
  EXPECT_EQ(pytorch::trimmed_text(kInterpreter), "RuntimeError: mat1 and mat2 shapes cannot be multiplied");
  EXPECT_EQ(pytorch::trimmed_text("a\nb\x1b[31m"), "a b [31m");
  EXPECT_LT(pytorch::trimmed_text(std::string(10'000, 'x')).size(), 1000U);
}

TEST(TorchErrors, TheClassIsThatOfWhatWasDone) {
  EXPECT_EQ(translate(TorchContext::kLoad, "net", kInterpreter).reason, Reason::kDeserializeFailed);
  EXPECT_EQ(translate(TorchContext::kCompile, "net", kInterpreter).reason, Reason::kModelUnsupported);
  const Error damaged =
      translate(TorchContext::kCompile, "net",
                "PytorchStreamReader failed reading zip archive: failed finding central directory");
  EXPECT_EQ(damaged.reason, Reason::kModelMalformed);
  EXPECT_NE(damaged.message.find("net"), std::string::npos);
}

}  // namespace
}  // namespace skua::test
