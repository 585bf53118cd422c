// Memory of the device and pinned memory of the host.
#include <cuda_runtime_api.h>

#include "sil/cuda/call.h"
#include "sil/cuda/device.h"
#include "sil/cuda/memory.h"

namespace {

constexpr unsigned kHostAllocFlags = cudaHostAllocPortable | cudaHostAllocMapped | cudaHostAllocWriteCombined;
constexpr unsigned kHostRegisterFlags = cudaHostRegisterPortable | cudaHostRegisterMapped;

template <typename Address>
void* to_pointer(Address address) {
  return reinterpret_cast<void*>(address);
}

cudaError_t allocate_device(void** out, std::size_t bytes) {
  if (out == nullptr) return cudaErrorInvalidValue;
  if (bytes == 0) return *out = nullptr, cudaSuccess;
  const auto made = sil::memory().allocate_device(bytes);
  if (made == nullptr) return cudaErrorMemoryAllocation;
  *out = to_pointer(made->device());
  return cudaSuccess;
}

cudaError_t allocate_host(void** out, std::size_t bytes, unsigned flags) {
  if (out == nullptr || (flags & ~kHostAllocFlags) != 0) return cudaErrorInvalidValue;
  if (bytes == 0) return *out = nullptr, cudaSuccess;
  const bool is_mapped = (flags & cudaHostAllocMapped) != 0;
  *out = to_pointer(sil::memory().allocate_pinned(bytes, is_mapped)->host());
  return cudaSuccess;
}

/// CUDA waits for the device before it frees, so that nothing under way loses its memory.
void wait_for_all_work() {
  for (const sil::Moment& moment : sil::device().under_way()) moment.wait();
}

cudaError_t free_device(void* pointer) {
  if (pointer == nullptr) return cudaSuccess;
  if (!sil::memory().is_device_address(pointer)) return cudaErrorInvalidValue;
  wait_for_all_work();
  return sil::memory().release_device(pointer) ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t free_host(void* pointer, sil::MemoryKind kind, cudaError_t unknown) {
  wait_for_all_work();
  return sil::memory().release_host(pointer, kind) ? cudaSuccess : unknown;
}

}  // namespace

cudaError_t cudaMalloc(void** out, std::size_t bytes) {
  return sil::call({"cudaMalloc", true}, [&] { return allocate_device(out, bytes); });
}

cudaError_t cudaFree(void* pointer) {
  return sil::call({"cudaFree", true, true}, [&] { return free_device(pointer); });
}

cudaError_t cudaHostAlloc(void** out, std::size_t bytes, unsigned int flags) {
  return sil::call({"cudaHostAlloc", true}, [&] { return allocate_host(out, bytes, flags); });
}

cudaError_t cudaMallocHost(void** out, std::size_t bytes) {
  return sil::call({"cudaMallocHost", true}, [&] { return allocate_host(out, bytes, cudaHostAllocDefault); });
}

cudaError_t cudaFreeHost(void* pointer) {
  return sil::call({"cudaFreeHost", true, true}, [&] {
    if (pointer == nullptr) return cudaSuccess;
    return free_host(pointer, sil::MemoryKind::pinned, cudaErrorInvalidValue);
  });
}

cudaError_t cudaHostRegister(void* pointer, std::size_t bytes, unsigned int flags) {
  return sil::call({"cudaHostRegister", true}, [&] {
    if (pointer == nullptr || bytes == 0 || (flags & ~kHostRegisterFlags) != 0) return cudaErrorInvalidValue;
    const bool is_mapped = (flags & cudaHostRegisterMapped) != 0;
    const auto made = sil::memory().register_host(pointer, bytes, is_mapped);
    return made == nullptr ? cudaErrorHostMemoryAlreadyRegistered : cudaSuccess;
  });
}

cudaError_t cudaHostUnregister(void* pointer) {
  return sil::call({"cudaHostUnregister", true, true}, [&] {
    return free_host(pointer, sil::MemoryKind::registered, cudaErrorHostMemoryNotRegistered);
  });
}

cudaError_t cudaHostGetDevicePointer(void** out, void* host, unsigned int flags) {
  return sil::call({"cudaHostGetDevicePointer"}, [&] {
    if (out == nullptr || flags != 0) return cudaErrorInvalidValue;
    const sil::Range range = sil::memory().at_pinned(host, 0);
    if (!range || range.allocation->device() == 0) return cudaErrorInvalidValue;
    const auto offset = reinterpret_cast<std::uintptr_t>(host) - range.allocation->host();
    *out = to_pointer(range.allocation->device() + offset);
    return cudaSuccess;
  });
}

cudaError_t cudaMallocAsync(void** out, std::size_t bytes, cudaStream_t stream) {
  return sil::call({"cudaMallocAsync", true}, [&] {
    sil::Moment before;
    if (const cudaError_t error = sil::device().newest(stream, before); error != cudaSuccess) return error;
    cudaError_t error = allocate_device(out, bytes);
    if (error != cudaErrorMemoryAllocation) return error;
    before.wait();  // memory that the stream is about to free
    return allocate_device(out, bytes);
  });
}

cudaError_t cudaFreeAsync(void* pointer, cudaStream_t stream) {
  return sil::call({"cudaFreeAsync", true, true}, [&] {
    if (pointer == nullptr) return cudaErrorInvalidValue;
    if (!sil::memory().is_device_address(pointer)) return cudaErrorInvalidValue;
    return sil::device().submit(stream, [pointer] {
      return sil::memory().release_device(pointer) ? cudaSuccess : cudaErrorIllegalAddress;
    });
  });
}
