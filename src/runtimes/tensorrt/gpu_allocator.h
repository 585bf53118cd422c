// Where TensorRT takes its device memory from: CUDA, counted, and told once nothing may be taken any more.
// There is no such hook for its host memory.
#pragma once

#include <NvInferRuntime.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "runtimes/tensorrt/device_state.h"

namespace skua::tensorrt {

class GpuAllocator final : public nvinfer1::IGpuAsyncAllocator {
 public:
  explicit GpuAllocator(std::shared_ptr<DeviceState> state) noexcept : state_(std::move(state)) {}

  void* allocateAsync(std::uint64_t size, std::uint64_t alignment, nvinfer1::AllocatorFlags flags,
                      cudaStream_t stream) noexcept override;
  bool deallocateAsync(void* memory, cudaStream_t stream) noexcept override;

  /// What is taken from here on counts as `kind`.
  void set_kind(MemoryKind kind) noexcept { kind_.store(kind, std::memory_order_relaxed); }
  /// The last refusal since it was asked for, as TensorRT should have reported it; kSUCCESS for none. Its own
  /// report of one is an internal error, which would count as a lost device.
  nvinfer1::ErrorCode take_refusal() noexcept;

 private:
  std::shared_ptr<DeviceState> state_;
  std::atomic<MemoryKind> kind_{MemoryKind::kDevice};
  std::atomic<cudaError_t> refused_{cudaSuccess};
  std::mutex mutex_;
  std::unordered_map<void*, std::uint64_t> sizes_;
};

/// What one context needs in a run and cannot know before. Blocks are kept until the end, so that runs after
/// the warm-up find them here. Only for one stream: a block is given again while the work that used it may
/// still be on the stream.
class TemporaryMemory final : public nvinfer1::IGpuAsyncAllocator {
 public:
  explicit TemporaryMemory(std::shared_ptr<DeviceState> state) noexcept : source_(std::move(state)) {}
  ~TemporaryMemory() override;

  void* allocateAsync(std::uint64_t size, std::uint64_t alignment, nvinfer1::AllocatorFlags flags,
                      cudaStream_t stream) noexcept override;
  bool deallocateAsync(void* memory, cudaStream_t stream) noexcept override;
  nvinfer1::ErrorCode take_refusal() noexcept { return source_.take_refusal(); }

 private:
  struct Block {
    void* memory = nullptr;
    std::uint64_t bytes = 0;
    bool is_used = false;
  };
  GpuAllocator source_;
  std::mutex mutex_;
  std::vector<Block> blocks_;
};

}  // namespace skua::tensorrt
