#include "device_block.h"

namespace sil::infer {

constexpr std::uint64_t kAlignment = 256;

DeviceBlock::~DeviceBlock() {
  if (data_ == nullptr) return;
  if (allocator_ != nullptr) {
    allocator_->deallocateAsync(data_, nullptr);
  } else {
    cudaFree(data_);
  }
}

bool DeviceBlock::make(const ErrorSink& sink, const char* where, nvinfer1::IGpuAllocator* allocator,
                       std::uint64_t bytes, cudaStream_t stream, DeviceBlock& block) {
  DeviceBlock made;
  made.bytes_ = bytes;
  made.allocator_ = allocator;
  if (bytes > 0 && allocator != nullptr) {
    made.data_ = allocator->allocateAsync(bytes, kAlignment, 0, stream);
  } else if (bytes > 0) {
    const cudaError_t status = cudaMalloc(&made.data_, bytes);
    if (status != cudaSuccess) sink.cuda_error("[defaultAllocator.cpp::allocate::1]", status);
    if (status != cudaSuccess) made.data_ = nullptr;
  }
  if (bytes > 0 && made.data_ == nullptr) {
    sink.out_of_memory(where, bytes);
    return false;
  }
  block = std::move(made);
  return true;
}

}  // namespace sil::infer
