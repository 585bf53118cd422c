#include "sil/cuda/call.h"

#include <new>
#include <optional>

#include "sil/control/faults.h"
#include "sil/control/settings.h"
#include "sil/cuda/device.h"

namespace sil {
namespace {

/// The last error of a thread, void after a reset.
struct LastError {
  cudaError_t error = cudaSuccess;
  unsigned epoch = 0;
};

thread_local LastError t_last_error;

/// Not ready is an answer, no error: the CUDA Programming Guide, "Error Checking", leaves it out of what
/// cudaGetLastError reports.
cudaError_t remember(cudaError_t error) {
  if (error != cudaSuccess && error != cudaErrorNotReady) t_last_error = {error, settings().epoch};
  return error;
}

/// What every call answers now, whatever it is.
cudaError_t standing_error() {
  if (!settings().has_driver) return cudaErrorInsufficientDriver;
  return settings().lost;
}

cudaError_t judged(const CallRules& rules, const std::function<cudaError_t()>& body) {
  const std::optional<int> fault = faults().ask(rules.name);
  if (const cudaError_t error = standing_error(); error != cudaSuccess) return error;
  if (fault && !rules.works_though_failing) return static_cast<cudaError_t>(*fault);
  if (is_in_host_function()) return cudaErrorNotPermitted;
  if (rules.is_unsafe_in_capture) {
    if (const cudaError_t error = device().refuse_unsafe(); error != cudaSuccess) return error;
  }
  const cudaError_t result = body();
  return fault ? static_cast<cudaError_t>(*fault) : result;
}

}  // namespace

bool& is_in_host_function() noexcept {
  thread_local bool is_inside = false;
  return is_inside;
}

cudaError_t run_call(const CallRules& rules, const std::function<cudaError_t()>& body) noexcept {
  try {
    return remember(judged(rules, body));
  } catch (const std::bad_alloc&) {
    return remember(cudaErrorMemoryAllocation);
  } catch (...) {
    return remember(cudaErrorUnknown);
  }
}

cudaError_t last_error(const char* name, bool is_cleared) noexcept {
  try {
    const std::optional<int> fault = faults().ask(name);
    if (const cudaError_t error = standing_error(); error != cudaSuccess) return error;
    if (fault) return static_cast<cudaError_t>(*fault);
    const LastError last = t_last_error;
    if (is_cleared) t_last_error = {};
    return last.epoch == settings().epoch ? last.error : cudaSuccess;
  } catch (...) {
    return cudaErrorUnknown;
  }
}

}  // namespace sil
