// Device 0: what it is, how its waiting is done, and how much memory is really free.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "runtimes/tensorrt/trt_errors.h"

namespace skua::tensorrt {

struct DeviceFacts {
  std::string name;            ///< as CUDA has it
  bool is_integrated = false;  ///< shares the host's memory
  std::uint64_t total_bytes = 0;
};

/// RuntimeNotAvailableError (provider_not_available): no driver, an older one, or no device. Makes this
/// thread and, through CUDA's default, every other one use device 0. `flags` say how the device is waited for
/// where nothing else says so: CUDA's own choice differs from platform to platform. Without them it
/// stays as it is.
Result<DeviceFacts> open_device(std::optional<unsigned> flags = cudaDeviceScheduleBlockingSync);

/// Bytes that can be taken now. On an integrated GPU that is what the operating system can give: CUDA's own
/// figure counts the page cache as used there. Errors in the class of `context`.
Result<std::uint64_t> free_bytes(const DeviceFacts& device, TrtContext context);

/// MemAvailable of /proc/meminfo's text, in bytes.
std::optional<std::uint64_t> mem_available(std::string_view meminfo);

}  // namespace skua::tensorrt
