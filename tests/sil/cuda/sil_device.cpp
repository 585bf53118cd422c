#include "sil/cuda/sil_device.h"

#include <utility>

#include "sil/control/faults.h"
#include "sil/control/settings.h"
#include "sil/cuda/device.h"
#include "sil/cuda/memory.h"

namespace sil {

void* host_view(const void* device_pointer, std::size_t bytes) {
  return memory().at_device(device_pointer, bytes).host;
}

cudaError_t enqueue(cudaStream_t stream, std::function<cudaError_t()> work) {
  cudaError_t lost = cudaSuccess;
  if (is_device_lost(lost)) return lost;
  return device().submit(stream, std::move(work));
}

bool is_capturing(cudaStream_t stream) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  return device().capture_status(stream, status) == cudaSuccess && status != cudaStreamCaptureStatusNone;
}

cudaError_t refuse_in_capture() { return device().refuse_unsafe(); }

std::optional<int> injected_fault(const char* function) { return faults().ask(function); }

bool is_device_lost(cudaError_t& code) {
  faults();  // carries out what the environment orders
  const cudaError_t error = settings().has_driver ? settings().lost.load() : cudaErrorInsufficientDriver;
  if (error == cudaSuccess) return false;
  code = error;
  return true;
}

bool corrupts_plans() { return faults(), settings().corrupts_plans; }
int log_flood_count() { return faults(), settings().log_flood_count; }
bool crashes_builder() { return faults(), settings().crashes_builder; }
int calibration_limit() { return faults(), settings().calibration_limit; }
int unconstrained_layer() { return faults(), settings().unconstrained_layer; }

}  // namespace sil
