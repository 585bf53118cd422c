#include "runtimes/tensorrt/gpu_allocator.h"

#include <exception>

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
    refused_.store(error);
    return nullptr;
  }
  state_->count_allocation(kind_.load(std::memory_order_relaxed), size);
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

nvinfer1::ErrorCode GpuAllocator::take_refusal() noexcept {
  const cudaError_t refused = refused_.exchange(cudaSuccess);
  if (refused == cudaSuccess) return nvinfer1::ErrorCode::kSUCCESS;
  // CUDA's other errors are still there when it is asked for its last one.
  return classify(refused).kind == FaultClass::kMemory ? nvinfer1::ErrorCode::kFAILED_ALLOCATION
                                                       : nvinfer1::ErrorCode::kFAILED_EXECUTION;
}

TemporaryMemory::~TemporaryMemory() {
  for (const Block& block : blocks_) source_.deallocateAsync(block.memory, nullptr);
}

void* TemporaryMemory::allocateAsync(std::uint64_t size, std::uint64_t alignment,
                                     nvinfer1::AllocatorFlags flags, cudaStream_t stream) noexcept {
  const std::lock_guard lock(mutex_);
  for (Block& block : blocks_) {
    if (block.is_used || block.bytes < size || alignment > kCudaAlignment || size == 0) continue;
    block.is_used = true;
    return block.memory;
  }
  void* const memory = source_.allocateAsync(size, alignment, flags, stream);
  if (memory == nullptr) return nullptr;
  try {
    blocks_.push_back({memory, size, true});
  } catch (const std::exception&) {
    source_.deallocateAsync(memory, stream);
    return nullptr;
  }
  return memory;
}

bool TemporaryMemory::deallocateAsync(void* memory, cudaStream_t) noexcept {
  const std::lock_guard lock(mutex_);
  for (Block& block : blocks_) {
    if (block.memory == memory) return block.is_used = false, true;
  }
  return memory == nullptr;
}

}  // namespace skua::tensorrt
