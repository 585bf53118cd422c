// Copying and filling. An asynchronous copy reads pinned memory when its stream gets there; pageable memory,
// which a device cannot reach, is staged at the call or waited for, as CUDA documents it.
#include <cuda_runtime_api.h>

#include <cstring>
#include <memory>
#include <vector>

#include "sil/control/settings.h"
#include "sil/cuda/call.h"
#include "sil/cuda/device.h"
#include "sil/cuda/memory.h"
#include "sil/cuda/sil_device.h"

namespace {

enum class Place { device, pinned, pageable };

struct Copy {
  void* to = nullptr;
  const void* from = nullptr;
  std::size_t bytes = 0;
  cudaMemcpyKind kind = cudaMemcpyDefault;
  Place to_place = Place::pageable;
  Place from_place = Place::pageable;
};

Place place_of(const void* pointer) {
  if (sil::memory().is_device_address(pointer)) return Place::device;
  return sil::memory().at_pinned(pointer, 0) ? Place::pinned : Place::pageable;
}

/// The place covers all bytes of the copy.
bool is_covered(Place place, const void* pointer, std::size_t bytes) {
  switch (place) {
    case Place::device:
      return static_cast<bool>(sil::memory().at_device(pointer, bytes));
    case Place::pinned:
      return static_cast<bool>(sil::memory().at_pinned(pointer, bytes));
    case Place::pageable:
      break;
  }
  return true;
}

bool is_kind_right(const Copy& copy) {
  const bool to_device = copy.to_place == Place::device;
  const bool from_device = copy.from_place == Place::device;
  switch (copy.kind) {
    case cudaMemcpyHostToHost:
      return !to_device && !from_device;
    case cudaMemcpyHostToDevice:
      return to_device && !from_device;
    case cudaMemcpyDeviceToHost:
      return !to_device && from_device;
    case cudaMemcpyDeviceToDevice:
      return to_device && from_device;
    case cudaMemcpyDefault:
      return true;
  }
  return false;
}

cudaError_t judge(Copy& copy) {
  if (copy.bytes == 0) return cudaSuccess;
  if (copy.kind < cudaMemcpyHostToHost || copy.kind > cudaMemcpyDefault)
    return cudaErrorInvalidMemcpyDirection;
  if (copy.to == nullptr || copy.from == nullptr) return cudaErrorInvalidValue;
  copy.to_place = place_of(copy.to);
  copy.from_place = place_of(copy.from);
  const bool is_right = is_kind_right(copy) && is_covered(copy.to_place, copy.to, copy.bytes) &&
                        is_covered(copy.from_place, copy.from, copy.bytes);
  return is_right ? cudaSuccess : cudaErrorInvalidValue;
}

/// The memory at the moment of the copy: what was there at the call may be gone.
sil::Range reach(Place place, const void* pointer, std::size_t bytes) {
  if (place == Place::device) return sil::memory().at_device(pointer, bytes);
  if (place == Place::pinned) return sil::memory().at_pinned(pointer, bytes);
  return {nullptr, const_cast<void*>(pointer)};
}

cudaError_t carry_out(const Copy& copy) {
  const sil::Range to = reach(copy.to_place, copy.to, copy.bytes);
  const sil::Range from = reach(copy.from_place, copy.from, copy.bytes);
  if (!to || !from) return cudaErrorIllegalAddress;
  std::memmove(to.host, from.host, copy.bytes);
  return cudaSuccess;
}

cudaError_t submit_and_wait(cudaStream_t stream, sil::Stream::Work work) {
  sil::Moment moment;
  const cudaError_t error = sil::device().submit(stream, std::move(work), &moment);
  return error != cudaSuccess ? error : sil::wait_for(moment);
}

cudaError_t submit_staged(const Copy& copy, cudaStream_t stream) {
  const auto* const bytes = static_cast<const char*>(copy.from);
  const auto staged = std::make_shared<const std::vector<char>>(bytes, bytes + copy.bytes);
  Copy rest = copy;
  rest.from = staged->data();
  return sil::device().submit(stream, [rest, staged] { return carry_out(rest); });
}

cudaError_t copy_async(Copy copy, cudaStream_t stream) {
  if (const cudaError_t error = judge(copy); error != cudaSuccess || copy.bytes == 0) return error;
  const bool from_pageable = copy.from_place == Place::pageable;
  const bool to_pageable = copy.to_place == Place::pageable;
  const bool is_host_only = copy.to_place != Place::device && copy.from_place != Place::device;
  if ((from_pageable || to_pageable || is_host_only) && sil::is_capturing(stream)) {
    sil::Moment unused;
    return sil::device().newest(stream, unused);  // refuses as a wait does, and invalidates the capture
  }
  if (is_host_only || to_pageable) return submit_and_wait(stream, [copy] { return carry_out(copy); });
  if (from_pageable) return submit_staged(copy, stream);
  const bool is_left_out = copy.to_place == Place::device &&
                           sil::settings().omission == sil::Omission::uploads && sil::is_capturing(stream);
  if (is_left_out) return cudaSuccess;
  return sil::device().submit(stream, [copy] { return carry_out(copy); });
}

/// A call that waits on the default stream: that stream is forbidden beside a captured one that is ordered
/// against it, and the wait is one of the unsafe calls.
cudaError_t refuse_in_capture() {
  const cudaError_t error = sil::device().refuse_default_stream();
  return error != cudaSuccess ? error : sil::device().refuse_unsafe();
}

cudaError_t fill(void* pointer, int value, std::size_t bytes) {
  const sil::Range range = sil::memory().at_device(pointer, bytes);
  if (!range) return cudaErrorIllegalAddress;
  std::memset(range.host, value, bytes);
  return cudaSuccess;
}

}  // namespace

cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  return sil::call({"cudaMemcpy"}, [&] {
    if (const cudaError_t error = refuse_in_capture(); error != cudaSuccess) return error;
    Copy copy{to, from, bytes, kind};
    if (const cudaError_t error = judge(copy); error != cudaSuccess || bytes == 0) return error;
    return submit_and_wait(nullptr, [copy] { return carry_out(copy); });
  });
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  return sil::call({"cudaMemcpyAsync"}, [&] { return copy_async({to, from, bytes, kind}, stream); });
}

cudaError_t cudaMemset(void* pointer, int value, std::size_t bytes) {
  return sil::call({"cudaMemset"}, [&] {
    if (const cudaError_t error = refuse_in_capture(); error != cudaSuccess) return error;
    if (bytes == 0) return cudaSuccess;
    if (!sil::memory().at_device(pointer, bytes)) return cudaErrorInvalidValue;
    return submit_and_wait(nullptr, [=] { return fill(pointer, value, bytes); });
  });
}

cudaError_t cudaMemsetAsync(void* pointer, int value, std::size_t bytes, cudaStream_t stream) {
  return sil::call({"cudaMemsetAsync"}, [&] {
    if (bytes == 0) return cudaSuccess;
    if (!sil::memory().at_device(pointer, bytes)) return cudaErrorInvalidValue;
    return sil::device().submit(stream, [=] { return fill(pointer, value, bytes); });
  });
}
