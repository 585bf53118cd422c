// The device: how many, which, what it is like, waiting for all of it.
#include <cuda_runtime_api.h>

#include <atomic>
#include <cstring>
#include <optional>
#include <vector>

#include "sil/control/faults.h"
#include "sil/control/settings.h"
#include "sil/control/sil_control.h"
#include "sil/cuda/call.h"
#include "sil/cuda/device.h"
#include "sil/cuda/memory.h"

namespace {

constexpr char kDeviceName[] = "sil (software in the loop, no GPU)";
constexpr int kMultiprocessors = 1;
constexpr unsigned kScheduleFlags =
    cudaDeviceScheduleSpin | cudaDeviceScheduleYield | cudaDeviceScheduleBlockingSync;

std::atomic<unsigned> g_device_flags{0};

/// Of the attributes, those that these libraries can answer.
std::optional<int> attribute(cudaDeviceAttr which) {
  const bool is_integrated = sil::settings().is_integrated;
  // Only these few are known here, so that a new question is seen.
  switch (static_cast<int>(which)) {
    case cudaDevAttrComputeCapabilityMajor:
    case cudaDevAttrComputeCapabilityMinor:
    case cudaDevAttrConcurrentManagedAccess:
      return 0;
    case cudaDevAttrMultiProcessorCount:
      return kMultiprocessors;
    case cudaDevAttrWarpSize:
      return 32;
    case cudaDevAttrIntegrated:
      return is_integrated ? 1 : 0;
    case cudaDevAttrCanMapHostMemory:
    case cudaDevAttrHostRegisterSupported:
    case cudaDevAttrMemoryPoolsSupported:
    case cudaDevAttrUnifiedAddressing:
    case cudaDevAttrStreamPrioritiesSupported:
    case cudaDevAttrAsyncEngineCount:
      return 1;
    default:
      return std::nullopt;
  }
}

cudaDeviceProp properties() {
  cudaDeviceProp made;
  std::memset(&made, 0, sizeof made);
  std::memcpy(made.name, kDeviceName, sizeof kDeviceName);
  made.totalGlobalMem = sil::settings().device_memory_bytes;
  made.multiProcessorCount = kMultiprocessors;
  made.warpSize = 32;
  made.integrated = sil::settings().is_integrated ? 1 : 0;
  made.canMapHostMemory = 1;
  made.unifiedAddressing = 1;
  made.hostRegisterSupported = 1;
  made.memoryPoolsSupported = 1;
  made.streamPrioritiesSupported = 1;
  made.asyncEngineCount = 1;
  return made;
}

cudaError_t wait_for_device() {
  std::vector<sil::Moment> moments;
  if (const cudaError_t error = sil::device().newest_of_all(moments); error != cudaSuccess) return error;
  cudaError_t first = cudaSuccess;
  for (const sil::Moment& moment : moments) {
    const cudaError_t error = sil::wait_for(moment);
    if (first == cudaSuccess) first = error;
  }
  return first;
}

/// The two versions are answered without a driver and after the loss of the device as well.
cudaError_t answer_version(const char* name, int* out, bool is_drivers) noexcept {
  try {
    if (const std::optional<int> fault = sil::faults().ask(name)) return static_cast<cudaError_t>(*fault);
  } catch (...) {
    return cudaErrorMemoryAllocation;
  }
  if (out == nullptr) return cudaErrorInvalidValue;
  *out = !is_drivers || sil::settings().has_driver ? CUDART_VERSION : 0;
  return cudaSuccess;
}

}  // namespace

cudaError_t cudaDriverGetVersion(int* version) {
  return answer_version("cudaDriverGetVersion", version, true);
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  return answer_version("cudaRuntimeGetVersion", version, false);
}

cudaError_t cudaGetDeviceCount(int* count) {
  return sil::call({"cudaGetDeviceCount"}, [&] {
    if (count == nullptr) return cudaErrorInvalidValue;
    *count = 1;
    return cudaSuccess;
  });
}

cudaError_t cudaSetDevice(int ordinal) {
  return sil::call({"cudaSetDevice"}, [&] { return ordinal == 0 ? cudaSuccess : cudaErrorInvalidDevice; });
}

cudaError_t cudaGetDevice(int* ordinal) {
  return sil::call({"cudaGetDevice"}, [&] {
    if (ordinal == nullptr) return cudaErrorInvalidValue;
    *ordinal = 0;
    return cudaSuccess;
  });
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* out, int ordinal) {  // the header names it ..._v2
  return sil::call({"cudaGetDeviceProperties"}, [&] {
    if (out == nullptr) return cudaErrorInvalidValue;
    if (ordinal != 0) return cudaErrorInvalidDevice;
    *out = properties();
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr which, int ordinal) {
  return sil::call({"cudaDeviceGetAttribute"}, [&] {
    if (value == nullptr) return cudaErrorInvalidValue;
    if (ordinal != 0) return cudaErrorInvalidDevice;
    const std::optional<int> answer = attribute(which);
    if (!answer) return cudaErrorNotSupported;
    *value = *answer;
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetPCIBusId(char* text, int length, int ordinal) {
  return sil::call({"cudaDeviceGetPCIBusId"}, [&] {
    constexpr char kBusId[] = "0000:00:00.0";
    if (text == nullptr || length < static_cast<int>(sizeof kBusId)) return cudaErrorInvalidValue;
    if (ordinal != 0) return cudaErrorInvalidDevice;
    std::memcpy(text, kBusId, sizeof kBusId);
    return cudaSuccess;
  });
}

cudaError_t cudaSetDeviceFlags(unsigned int flags) {
  return sil::call({"cudaSetDeviceFlags"}, [&] {
    if ((flags & ~static_cast<unsigned>(cudaDeviceMask)) != 0) return cudaErrorInvalidValue;
    const unsigned schedule = flags & kScheduleFlags;
    if ((schedule & (schedule - 1)) != 0) return cudaErrorInvalidValue;  // one of them at most
    g_device_flags = flags;
    return cudaSuccess;
  });
}

cudaError_t cudaGetDeviceFlags(unsigned int* flags) {
  return sil::call({"cudaGetDeviceFlags"}, [&] {
    if (flags == nullptr) return cudaErrorInvalidValue;
    *flags = g_device_flags;
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  return sil::call({"cudaDeviceGetStreamPriorityRange"}, [&] {
    if (least != nullptr) *least = 0;
    if (greatest != nullptr) *greatest = -1;
    return cudaSuccess;
  });
}

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  return sil::call({"cudaMemGetInfo"}, [&] {
    if (free == nullptr || total == nullptr) return cudaErrorInvalidValue;
    *free = sil::memory().free_bytes();
    *total = sil::settings().device_memory_bytes;
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceSynchronize() {
  return sil::call({"cudaDeviceSynchronize", true, true}, wait_for_device);
}

cudaError_t cudaDeviceReset() {
  return sil::call({"cudaDeviceReset", true}, [] {
    if (const cudaError_t error = wait_for_device(); error != cudaSuccess) return error;
    sil::restart_device();
    return cudaSuccess;
  });
}
