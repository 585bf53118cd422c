// Events.
#include <cuda_runtime_api.h>

#include "sil/cuda/call.h"
#include "sil/cuda/device.h"

namespace {

constexpr unsigned kEventFlags =
    cudaEventBlockingSync | cudaEventDisableTiming;  // no sharing between processes

cudaError_t create(cudaEvent_t* out, unsigned flags) {
  if (out == nullptr || (flags & ~kEventFlags) != 0) return cudaErrorInvalidValue;
  *out = sil::device().create_event((flags & cudaEventDisableTiming) == 0);
  return cudaSuccess;
}

}  // namespace

cudaError_t cudaEventCreate(cudaEvent_t* out) {
  return sil::call({"cudaEventCreate"}, [&] { return create(out, cudaEventDefault); });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* out, unsigned int flags) {
  return sil::call({"cudaEventCreateWithFlags"}, [&] { return create(out, flags); });
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  return sil::call({"cudaEventDestroy", false, true}, [&] { return sil::device().destroy_event(event); });
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return sil::call({"cudaEventRecord"}, [&] { return sil::device().record_event(event, stream); });
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  return sil::call({"cudaEventQuery", true}, [&] {
    sil::Moment recorded;
    if (const cudaError_t error = sil::device().recorded(event, recorded); error != cudaSuccess) return error;
    return recorded.is_reached() ? sil::wait_for(recorded) : cudaErrorNotReady;
  });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return sil::call({"cudaEventSynchronize", true, true}, [&] {
    sil::Moment recorded;
    if (const cudaError_t error = sil::device().recorded(event, recorded); error != cudaSuccess) return error;
    return sil::wait_for(recorded);
  });
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  return sil::call({"cudaEventElapsedTime"}, [&] {
    return milliseconds == nullptr ? cudaErrorInvalidValue : sil::device().elapsed(start, end, *milliseconds);
  });
}
