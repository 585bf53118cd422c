// The frame of every public function: what is asked before it does its work, and the thread's last error
// after it.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>

namespace sil {

struct CallRules {
  const char* name = "";
  /// During a capture CUDA calls it potentially unsafe.
  bool is_unsafe_in_capture = false;
  /// A function that releases something, or waits for it, does so even when it is told to fail: CUDA hands
  /// out errors of earlier work there. Otherwise an ordered failure comes before any effect.
  bool works_though_failing = false;
};

/// `body` runs unless the call is refused; whatever it throws becomes an error. The result is the last error
/// of the thread from then on, if it is one.
template <typename Body>
cudaError_t call(const CallRules& rules, Body body) noexcept;

/// What cudaGetLastError and cudaPeekAtLastError say.
cudaError_t last_error(const char* name, bool is_cleared) noexcept;

/// True while this thread runs a function given to cudaLaunchHostFunc, where CUDA allows no call.
bool& is_in_host_function() noexcept;

// Not part of the frame's interface, but of its template.
cudaError_t run_call(const CallRules& rules, const std::function<cudaError_t()>& body) noexcept;

template <typename Body>
cudaError_t call(const CallRules& rules, Body body) noexcept {
  return run_call(rules, std::ref(body));
}

}  // namespace sil
