#include "runtimes/tensorrt/gpu_allocator.h"

#include <exception>

namespace skua::tensorrt {
namespace {

constexpr std::uint64_t kCudaAlignment = 256;  // what cudaMalloc promises

thread_local int context_depth = 0;

}  // namespace

ContextMemoryScope::ContextMemoryScope() noexcept { ++context_depth; }
ContextMemoryScope::~ContextMemoryScope() { --context_depth; }

void GpuAllocator::refuse(cudaError_t why) noexcept {
  state_->take(why);
  last_refusal_.store(why);
  refusals_.fetch_add(1);
}

void* GpuAllocator::allocateAsync(std::uint64_t size, std::uint64_t alignment, nvinfer1::AllocatorFlags,
                                  cudaStream_t) noexcept {
  if (size == 0 || state_->is_lost()) return nullptr;
  if (alignment > kCudaAlignment) return refuse(cudaErrorInvalidValue), nullptr;
  void* memory = nullptr;
  // From no pool: a pool may grow and shrink in flight.
  if (const cudaError_t error = cudaMalloc(&memory, size); error != cudaSuccess)
    return refuse(error), nullptr;
  state_->count_allocation(context_depth > 0 ? MemoryKind::kContext : MemoryKind::kDevice, size);
  try {
    const std::lock_guard lock(mutex_);
    sizes_[memory] = size;
  } catch (...) {
    state_->count_release(size);
    static_cast<void>(cudaFree(memory));
    return refuse(cudaErrorMemoryAllocation), nullptr;
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
  return state_->take(cudaFree(memory)).kind == FaultClass::kNone;
}

TemporaryMemory::~TemporaryMemory() {
  for (const Block& block : blocks_) source_.deallocateAsync(block.memory, nullptr);
}

void* TemporaryMemory::allocateAsync(std::uint64_t size, std::uint64_t alignment,
                                     nvinfer1::AllocatorFlags flags, cudaStream_t stream) noexcept {
  const std::lock_guard lock(mutex_);
  // The smallest that fits: a small request in a great block would make the next great one take memory.
  Block* best = nullptr;
  for (Block& block : blocks_) {
    if (block.is_used || block.bytes < size || alignment > kCudaAlignment || size == 0) continue;
    if (best == nullptr || block.bytes < best->bytes) best = &block;
  }
  if (best != nullptr) return best->is_used = true, best->memory;
  void* const memory = source_.allocateAsync(size, alignment, flags, stream);
  if (memory == nullptr) return nullptr;
  try {
    blocks_.push_back({memory, size, true});
  } catch (const std::exception&) {
    source_.deallocateAsync(memory, stream);
    source_.refuse(cudaErrorMemoryAllocation);
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
