// CUDA's handles and memory with one owner each. None of these looks whether the device still lives: whoever
// holds them abandons them all together when it does not (device_state.h).
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <memory>
#include <utility>

#include "runtimes/tensorrt/device_state.h"

namespace skua::tensorrt {

template <typename Handle, auto Destroy>
class CudaHandle {
 public:
  CudaHandle() noexcept = default;
  CudaHandle(CudaHandle&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  CudaHandle& operator=(CudaHandle&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~CudaHandle() { static_cast<void>(reset()); }
  Handle get() const noexcept { return handle_; }
  Handle* out() noexcept {
    static_cast<void>(reset());
    return &handle_;
  }
  explicit operator bool() const noexcept { return handle_ != nullptr; }
  /// Leaves it to a device that is lost.
  void abandon() noexcept { handle_ = nullptr; }
  /// What CUDA says of it is often the error of earlier work.
  cudaError_t reset() noexcept {
    return handle_ != nullptr ? Destroy(std::exchange(handle_, nullptr)) : cudaSuccess;
  }

 private:
  Handle handle_ = nullptr;
};

using Stream = CudaHandle<cudaStream_t, cudaStreamDestroy>;
using CudaEvent = CudaHandle<cudaEvent_t, cudaEventDestroy>;
using Graph = CudaHandle<cudaGraph_t, cudaGraphDestroy>;
using GraphExec = CudaHandle<cudaGraphExec_t, cudaGraphExecDestroy>;

/// Memory of the device, or page-locked memory of the host that the device reaches through a pointer of its
/// own.
class CudaMemory {
 public:
  CudaMemory() noexcept = default;
  CudaMemory(CudaMemory&& other) noexcept { swap(other); }
  CudaMemory& operator=(CudaMemory&& other) noexcept {
    swap(other);
    return *this;
  }
  ~CudaMemory();

  /// At least one byte is taken. OutOfMemoryError and device_lost under the class of `context`.
  static Result<CudaMemory> device(std::shared_ptr<DeviceState> state, std::size_t bytes, TrtContext context);
  /// Zeroed.
  static Result<CudaMemory> pinned(std::shared_ptr<DeviceState> state, std::size_t bytes, TrtContext context);

  /// nullptr for device memory.
  void* host() const noexcept { return host_; }
  void* device() const noexcept { return device_; }
  std::size_t size() const noexcept { return bytes_; }

 private:
  void swap(CudaMemory& other) noexcept;
  std::shared_ptr<DeviceState> state_;
  void* host_ = nullptr;
  void* device_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace skua::tensorrt
