#include "runtimes/tensorrt/gpu_allocator.h"

namespace skua::tensorrt {
namespace {

constexpr std::uint64_t kCudaAlignment = 256;  // what cudaMalloc promises

}  // namespace

void* GpuAllocator::allocateAsync(std::uint64_t size, std::uint64_t alignment, nvinfer1::AllocatorFlags,
                                  cudaStream_t) noexcept {
  if (size == 0 || alignment > kCudaAlignment || state_->is_lost()) return nullptr;
  void* memory = nullptr;
  // From no pool: a pool may grow and shrink in flight.
  if (const cudaError_t error = cudaMalloc(&memory, size); error != cudaSuccess) {
    state_->heed(classify(error));
    return nullptr;
  }
  state_->count_allocation(MemoryKind::kDevice, size);
  try {
    const std::lock_guard lock(mutex_);
    sizes_[memory] = size;
  } catch (...) {
    state_->count_release(size);
    static_cast<void>(cudaFree(memory));
    return nullptr;
  }
  return memory;
}

bool GpuAllocator::deallocateAsync(void* memory, cudaStream_t) noexcept {
  if (memory == nullptr || state_->is_lost()) return true;
  {
    const std::lock_guard lock(mutex_);
    const auto found = sizes_.find(memory);
    if (found == sizes_.end()) return false;
    state_->count_release(found->second);
    sizes_.erase(found);
  }
  return state_->heed(classify(cudaFree(memory))).kind == FaultClass::kNone;
}

}  // namespace skua::tensorrt
