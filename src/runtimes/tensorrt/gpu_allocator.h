// Where TensorRT takes its device memory from: CUDA, counted, and told once nothing may be taken any more.
// There is no such hook for its host memory.
#pragma once

#include <NvInferRuntime.h>

#include <memory>
#include <mutex>
#include <unordered_map>

#include "runtimes/tensorrt/device_state.h"

namespace skua::tensorrt {

class GpuAllocator final : public nvinfer1::IGpuAsyncAllocator {
 public:
  explicit GpuAllocator(std::shared_ptr<DeviceState> state) noexcept : state_(std::move(state)) {}

  void* allocateAsync(std::uint64_t size, std::uint64_t alignment, nvinfer1::AllocatorFlags flags,
                      cudaStream_t stream) noexcept override;
  bool deallocateAsync(void* memory, cudaStream_t stream) noexcept override;

 private:
  std::shared_ptr<DeviceState> state_;
  std::mutex mutex_;
  std::unordered_map<void*, std::uint64_t> sizes_;
};

}  // namespace skua::tensorrt
