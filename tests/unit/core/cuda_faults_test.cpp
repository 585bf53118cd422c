// CUDA errors as the SDKs word them: after which ones the device is lost.
#include "core/cuda_faults.h"

#include <gtest/gtest.h>

#include <string>

namespace skua {
namespace {

// What libtorch appends to every CUDA error; "device-side" must not be taken for the assert.
constexpr char kAdvice[] =
    "\nCUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace below "
    "might be incorrect.\nFor debugging consider passing CUDA_LAUNCH_BLOCKING=1\nCompile with "
    "`TORCH_USE_CUDA_DSA` to enable device-side assertions.\n";

std::string of_torch(const std::string& text, const std::string& name = "") {
  if (name.empty()) return "CUDA error: " + text + kAdvice;
  return "CUDA error: " + text + "\nSearch for `" + name +
         "' in https://docs.nvidia.com/cuda/cuda-runtime-api/group__CUDART__TYPES.html for more "
         "information." +
         kAdvice;
}

std::string of_ort(int code, const std::string& text) {
  return "Non-zero status code returned while running Conv node. CUDA failure " + std::to_string(code) +
         ": " + text + " ; GPU=0 ; hostname=orin ; file=cuda_call.cc ; line=129 ; expr=cudaStreamSynchronize";
}

struct Sentence {
  int code;
  const char* text;
};

// As cudaGetErrorString has them.
constexpr Sentence kLost[] = {{46, "CUDA-capable device(s) is/are busy or unavailable"},
                              {100, "no CUDA-capable device is detected"},
                              {214, "uncorrectable ECC error encountered"},
                              {700, "an illegal memory access was encountered"},
                              {702, "the launch timed out and was terminated"},
                              {709, "context is destroyed"},
                              {710, "device-side assert triggered"},
                              {714, "hardware stack error"},
                              {715, "an illegal instruction was encountered"},
                              {716, "misaligned address"},
                              {717, "operation not supported on global/shared address space"},
                              {718, "invalid program counter"},
                              {719, "unspecified launch failure"},
                              {999, "unknown error"}};

constexpr Sentence kOrdinary[] = {{1, "invalid argument"},
                                  {2, "out of memory"},
                                  {9, "invalid configuration argument"},
                                  {98, "invalid device function"},
                                  {209, "no kernel image is available for execution on the device"},
                                  {400, "invalid resource handle"},
                                  {701, "too many resources requested for launch"},
                                  {801, "operation not supported"},
                                  {900, "operation not permitted when stream is capturing"}};

TEST(CudaFaults, TheDeviceIsLostByTextAndByNumber) {
  for (const auto& [code, text] : kLost) {
    EXPECT_EQ(lost_device_code(of_torch(text)), code) << text;
    EXPECT_EQ(lost_device_code(of_ort(code, text)), code) << text;
  }
}

TEST(CudaFaults, TheNameDecidesWhereTheTextIsUnknown) {
  EXPECT_EQ(lost_device_code(of_torch("worded anew", "cudaErrorIllegalAddress")), 700);
  EXPECT_EQ(lost_device_code(of_torch("contained", "cudaErrorContained")), 226);
  EXPECT_EQ(lost_device_code(of_torch("worded anew", "cudaErrorIllegalAddressing")), 0);
  EXPECT_EQ(lost_device_code(of_torch("worded anew", "cudaErrorInvalidValue")), 0);
}

TEST(CudaFaults, ControlOrdinaryErrorsLeaveTheDevice) {
  for (const auto& [code, text] : kOrdinary) {
    EXPECT_EQ(lost_device_code(of_torch(text)), 0) << text;
    EXPECT_EQ(lost_device_code(of_ort(code, text)), 0) << text;
  }
  EXPECT_EQ(lost_device_code("CUDA out of memory. Tried to allocate 2.00 GiB"), 0);
  EXPECT_EQ(lost_device_code("CUBLAS failure 13: CUBLAS_STATUS_EXECUTION_FAILED"), 0);
  EXPECT_EQ(lost_device_code("mat1 and mat2 shapes cannot be multiplied (700x719 and 1x1)"), 0);
}

TEST(CudaFaults, CutAndEmptyTexts) {
  for (const char* text : {"", "CUDA error: ", "CUDA failure ", "CUDA failure x", "cudaError",
                           "CUDA failure 70", "CUDA failure 99999999999999999999: "}) {
    EXPECT_EQ(lost_device_code(text), 0) << text;
  }
}

TEST(CudaFaults, AnErrorMayQuoteAnother) {
  EXPECT_EQ(lost_device_code(of_torch("invalid argument") + of_torch("unspecified launch failure")), 719);
}

}  // namespace
}  // namespace skua
