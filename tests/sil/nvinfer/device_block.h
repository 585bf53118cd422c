// Device memory that an engine or a context holds: from the application's allocator where one is set.
#pragma once

#include <utility>

#include "messages.h"

namespace sil::infer {

class DeviceBlock {
 public:
  DeviceBlock() = default;
  DeviceBlock(DeviceBlock&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(other.bytes_), allocator_(other.allocator_) {}
  DeviceBlock& operator=(DeviceBlock&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    std::swap(allocator_, other.allocator_);
    return *this;
  }
  ~DeviceBlock();

  /// False with the errors told: `where` wanted it.
  static bool make(const ErrorSink& sink, const char* where, nvinfer1::IGpuAllocator* allocator,
                   std::uint64_t bytes, cudaStream_t stream, DeviceBlock& block);
  void* data() const { return data_; }
  std::uint64_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  std::uint64_t bytes_ = 0;
  nvinfer1::IGpuAllocator* allocator_ = nullptr;
};

}  // namespace sil::infer
