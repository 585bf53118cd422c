// Streams and their captures.
#include <cuda_runtime_api.h>

#include "sil/control/settings.h"
#include "sil/cuda/call.h"
#include "sil/cuda/device.h"

namespace {

cudaError_t create(cudaStream_t* out, unsigned flags, int priority) {
  if (out == nullptr || (flags != cudaStreamDefault && flags != cudaStreamNonBlocking)) {
    return cudaErrorInvalidValue;
  }
  *out = sil::device().create_stream(flags == cudaStreamDefault, priority);
  return cudaSuccess;
}

cudaError_t run_host_function(cudaHostFn_t function, void* user_data) {
  sil::is_in_host_function() = true;
  function(user_data);
  sil::is_in_host_function() = false;
  return cudaSuccess;
}

}  // namespace

cudaError_t cudaStreamCreate(cudaStream_t* out) {
  return sil::call({"cudaStreamCreate"}, [&] { return create(out, cudaStreamDefault, 0); });
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* out, unsigned int flags) {
  return sil::call({"cudaStreamCreateWithFlags"}, [&] { return create(out, flags, 0); });
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* out, unsigned int flags, int priority) {
  return sil::call({"cudaStreamCreateWithPriority"},
                   [&] { return create(out, flags, priority < 0 ? -1 : 0); });  // clamped to the range
}

cudaError_t cudaStreamGetPriority(cudaStream_t stream, int* priority) {
  return sil::call({"cudaStreamGetPriority"}, [&] {
    return priority == nullptr ? cudaErrorInvalidValue : sil::device().priority(stream, *priority);
  });
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  return sil::call({"cudaStreamDestroy", false, true}, [&] { return sil::device().destroy_stream(stream); });
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  return sil::call({"cudaStreamSynchronize", true, true}, [&] {
    sil::Moment newest;
    if (const cudaError_t error = sil::device().newest(stream, newest); error != cudaSuccess) return error;
    return sil::wait_for(newest);
  });
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
  return sil::call({"cudaStreamQuery", true}, [&] {
    sil::Moment newest;
    if (const cudaError_t error = sil::device().newest(stream, newest); error != cudaSuccess) return error;
    return newest.is_reached() ? sil::wait_for(newest) : cudaErrorNotReady;
  });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int flags) {
  return sil::call({"cudaStreamWaitEvent"}, [&] {
    return flags != 0 ? cudaErrorInvalidValue : sil::device().wait_for_event(stream, event);
  });
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* user_data) {
  return sil::call({"cudaLaunchHostFunc"}, [&] {
    if (function == nullptr) return cudaErrorInvalidValue;
    return sil::device().submit(stream, [=] { return run_host_function(function, user_data); });
  });
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  return sil::call({"cudaStreamIsCapturing"}, [&] {
    if (status == nullptr) return cudaErrorInvalidValue;
    return sil::device().capture_status(stream, *status);
  });
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  return sil::call({"cudaStreamBeginCapture"}, [&] { return sil::device().begin_capture(stream, mode); });
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  return sil::call({"cudaStreamEndCapture", false, true}, [&] {
    return graph == nullptr ? cudaErrorInvalidValue : sil::device().end_capture(stream, *graph);
  });
}

cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
  return sil::call({"cudaThreadExchangeStreamCaptureMode"}, [&] {
    if (mode == nullptr) return cudaErrorInvalidValue;
    std::swap(sil::thread_capture_mode(), *mode);
    return cudaSuccess;
  });
}
