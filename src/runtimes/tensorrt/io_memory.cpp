#include "runtimes/tensorrt/io_memory.h"

#include <algorithm>
#include <string_view>

#include "core/text.h"

namespace skua::tensorrt {
namespace {

Error list_error(std::string_view item) {
  return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                    "tensorrt_copied_tensors: expected a comma list of MODEL/TENSOR, found " + quote(item));
}

}  // namespace

Result<IoPolicy> IoPolicy::from(const RuntimeConfig& config, bool is_integrated) {
  IoPolicy policy;
  policy.copies_all_ =
      config.tensorrt_io_memory == "auto" ? !is_integrated : config.tensorrt_io_memory == "copied";
  std::string_view rest = config.tensorrt_copied_tensors;
  while (!rest.empty()) {
    const auto comma = rest.find(',');
    const std::string_view item = trimmed(rest.substr(0, comma));
    const auto slash = item.find('/');
    if (slash == std::string_view::npos || slash == 0 || slash + 1 == item.size()) return list_error(item);
    policy.copied_.emplace_back(item);
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  return policy;
}

bool IoPolicy::is_copied(const std::string& model, const std::string& tensor) const {
  return copies_all_ || std::find(copied_.begin(), copied_.end(), model + "/" + tensor) != copied_.end();
}

void* IoSlot::address() const noexcept {
  return device_copy.size() > 0 ? device_copy.device() : memory.device();
}

bool IoSlot::has_room(const Shape& shape) const noexcept {
  if (shape.rank() != capacity.rank()) return false;
  for (std::size_t axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] < 0 || shape[axis] > capacity[axis]) return false;
  }
  return true;
}

cudaError_t IoSlot::upload(cudaStream_t stream) const noexcept {
  const std::size_t bytes = view.size_bytes();
  if (device_copy.size() == 0 || bytes == 0) return cudaSuccess;
  return cudaMemcpyAsync(device_copy.device(), memory.host(), bytes, cudaMemcpyHostToDevice, stream);
}

cudaError_t IoSlot::download(cudaStream_t stream) const noexcept {
  const std::size_t bytes = view.size_bytes();
  if (device_copy.size() == 0 || bytes == 0) return cudaSuccess;
  return cudaMemcpyAsync(memory.host(), device_copy.device(), bytes, cudaMemcpyDeviceToHost, stream);
}

cudaError_t IoSlot::spoil(cudaStream_t stream) const noexcept {
  constexpr int kByte = 0x3F;  // as a float 0.75: what computes with it goes on
  const std::size_t bytes = view.size_bytes();
  if (device_copy.size() == 0 || bytes == 0) return cudaSuccess;
  return cudaMemsetAsync(device_copy.device(), kByte, bytes, stream);
}

Result<IoSlot> place_slot(const std::shared_ptr<DeviceState>& device, const TensorSpec& spec,
                          bool is_copied) {
  IoSlot slot;
  slot.name = spec.name;
  slot.capacity = spec.max_shape;
  SKUA_ASSIGN_OR_RETURN(const std::size_t bytes, spec.max_shape.byte_size(spec.dtype));
  SKUA_ASSIGN_OR_RETURN(slot.memory, CudaMemory::pinned(device, bytes, TrtContext::kLoad));
  if (is_copied) {
    SKUA_ASSIGN_OR_RETURN(slot.device_copy, CudaMemory::device(device, bytes, TrtContext::kLoad));
  }
  slot.view.data = slot.memory.host();
  slot.view.dtype = spec.dtype;
  slot.view.shape = spec.max_shape;
  return slot;
}

}  // namespace skua::tensorrt
