// Where a lane's inputs and outputs lie. The caller always reads and writes host memory. Either the device
// reaches that very memory (mapped: no copy, but the device reads it past its cache), or it has memory of its
// own and one copy each way (copied). Which is better is measured per tensor; the configuration says which.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "cache/engine_record.h"
#include "runtimes/tensorrt/cuda_handles.h"
#include "runtimes/tensorrt/plan_engine.h"
#include "skua/runtime_config.h"

namespace skua::tensorrt {

/// Which tensors of which networks are copied.
class IoPolicy {
 public:
  /// InvalidArgumentError for a list that is none. `is_integrated`: what `auto` means here.
  static Result<IoPolicy> from(const RuntimeConfig& config, bool is_integrated);
  bool is_copied(const std::string& model, const std::string& tensor) const;

 private:
  bool copies_all_ = false;
  std::vector<std::string> copied_;  ///< "model/tensor"
};

/// One input or output of a lane.
struct IoSlot {
  std::string name;
  TensorView view;  ///< what the caller sees; host memory, at the shape of the next or the last run
  Shape capacity;
  CudaMemory memory;       ///< page-locked, the caller's side
  CudaMemory device_copy;  ///< empty where the memory is mapped

  /// What TensorRT is given.
  void* address() const noexcept;
  /// Whether a shape fits the capacity, axis by axis.
  bool has_room(const Shape& shape) const noexcept;
  /// Copies the view's bytes to or from the device; success where nothing is to be copied.
  cudaError_t upload(cudaStream_t stream) const noexcept;
  cudaError_t download(cudaStream_t stream) const noexcept;
  /// Leaves other bytes on the device than any input is likely to have; success where it has none of its own.
  cudaError_t spoil(cudaStream_t stream) const noexcept;
};

/// Memory for `spec` at its capacity. OutOfMemoryError.
Result<IoSlot> place_slot(const std::shared_ptr<DeviceState>& device, const TensorSpec& spec, bool is_copied);

}  // namespace skua::tensorrt
