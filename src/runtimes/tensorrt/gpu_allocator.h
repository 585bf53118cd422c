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

  /// How often it gave nothing so far. TensorRT reports that as an internal error, which would count as a
  /// lost device: whoever meets one compares this with what it was before the call.
  std::uint64_t refusals() const noexcept { return refusals_.load(); }
  /// Why it gave nothing the last time; kNone where it always gave.
  Fault last_refusal() const noexcept { return classify(last_refusal_.load()); }
  /// Counts a refusal. CUDA's own note of it is taken away: told here, not again by a later call.
  void refuse(cudaError_t why) noexcept;

 private:
  std::shared_ptr<DeviceState> state_;
  std::atomic<std::uint64_t> refusals_{0};
  std::atomic<cudaError_t> last_refusal_{cudaSuccess};
  std::mutex mutex_;
  std::unordered_map<void*, std::uint64_t> sizes_;
};

/// While it lives, what this thread's calls take for TensorRT belongs to an execution context.
class ContextMemoryScope {
 public:
  ContextMemoryScope() noexcept;
  ~ContextMemoryScope();
  ContextMemoryScope(const ContextMemoryScope&) = delete;
  ContextMemoryScope& operator=(const ContextMemoryScope&) = delete;
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
  const GpuAllocator& source() const noexcept { return source_; }

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
