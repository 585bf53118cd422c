// What the software-in-the-loop (SIL) libraries above the CUDA runtime need of it: the memory behind device
// addresses, work on streams, and the question whether this very call is to fail. For tests only.
// Every function here may be called from any thread.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <functional>
#include <optional>

namespace sil {

/// The host address behind `device_pointer` when one live allocation covers all `bytes` from there, else
/// nullptr. Device addresses are what cudaMalloc, cudaMallocAsync and cudaHostGetDevicePointer give. The host
/// address of pinned memory is not one: code that passes it instead of the device's is found here.
void* host_view(const void* device_pointer, std::size_t bytes);

/// Runs `work` on the stream's thread, after all that was put there before. While the stream is captured the
/// work is recorded instead and runs at each launch of the graph: it must bear being called more than once,
/// so it resolves its addresses with host_view() when it runs. What it returns, if not cudaSuccess, is an
/// asynchronous error: a later call reports it. An exception out of it becomes cudaErrorUnknown. Returns at
/// once; cudaErrorInvalidResourceHandle for no such stream, or the code of an invalidated capture.
cudaError_t enqueue(cudaStream_t stream, std::function<cudaError_t()> work);

bool is_capturing(cudaStream_t stream);

/// For calls that CUDA forbids during a capture (an allocation, a wait): cudaSuccess, or the code to return,
/// when the capture concerned has been invalidated.
cudaError_t refuse_in_capture();

/// Every public function of the SIL asks first, once per call, with its own name: this counts the call. A
/// value is the code to fail with, without any effect of the call (one that releases something does so all
/// the same). A call that was told to hang does not return from here before sil_control.h's release_hangs().
std::optional<int> injected_fault(const char* function);

/// True when no later CUDA call of this process can succeed (a sticky error), or where there is no driver;
/// then `code` is what each of them returns.
bool is_device_lost(cudaError_t& code);

/// What a test ordered of the libraries above (sil_control.h).
bool corrupts_plans();
int log_flood_count();
bool crashes_builder();
int calibration_limit();
int unconstrained_layer();

}  // namespace sil
