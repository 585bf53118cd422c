#include "runtimes/tensorrt/cuda_handles.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace skua::tensorrt {
namespace {

std::string wanted(MemoryKind kind, std::size_t bytes) {
  return std::to_string(bytes) + " bytes of " + std::string(to_string(kind)) + " memory";
}

Status taken(cudaError_t error, DeviceState& state, TrtContext context, MemoryKind kind, std::size_t bytes) {
  if (error == cudaSuccess) return {};  // before a text is made, which may throw: nobody owns it yet
  state.heed(classify(error));
  return check(error, context, wanted(kind, bytes));
}

}  // namespace

void CudaMemory::swap(CudaMemory& other) noexcept {
  std::swap(state_, other.state_);
  std::swap(host_, other.host_);
  std::swap(device_, other.device_);
  std::swap(bytes_, other.bytes_);
}

CudaMemory::~CudaMemory() {
  if (!state_) return;
  state_->count_release(bytes_);
  if (state_->is_lost()) return;
  state_->take(host_ != nullptr ? cudaFreeHost(host_) : cudaFree(device_));
}

Result<CudaMemory> CudaMemory::device(std::shared_ptr<DeviceState> state, std::size_t bytes,
                                      TrtContext context) {
  CudaMemory memory;
  bytes = std::max<std::size_t>(bytes, 1);
  void* address = nullptr;  // CUDA leaves it alone when it fails
  SKUA_RETURN_IF_ERROR(taken(cudaMalloc(&address, bytes), *state, context, MemoryKind::kDevice, bytes));
  memory.device_ = address;
  memory.bytes_ = bytes;
  state->count_allocation(MemoryKind::kDevice, bytes);
  memory.state_ = std::move(state);
  return memory;
}

Result<CudaMemory> CudaMemory::pinned(std::shared_ptr<DeviceState> state, std::size_t bytes,
                                      TrtContext context) {
  CudaMemory memory;
  bytes = std::max<std::size_t>(bytes, 1);
  void* address = nullptr;
  SKUA_RETURN_IF_ERROR(taken(cudaHostAlloc(&address, bytes, cudaHostAllocMapped), *state, context,
                             MemoryKind::kPinned, bytes));
  memory.host_ = address;
  memory.bytes_ = bytes;
  state->count_allocation(MemoryKind::kPinned, bytes);
  memory.state_ = std::move(state);
  SKUA_RETURN_IF_ERROR(taken(cudaHostGetDevicePointer(&memory.device_, address, 0), *memory.state_, context,
                             MemoryKind::kPinned, bytes));
  std::memset(address, 0, bytes);
  return memory;
}

}  // namespace skua::tensorrt
