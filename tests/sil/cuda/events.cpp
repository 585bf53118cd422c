// The event functions of the device.
#include <utility>

#include "sil/cuda/device.h"

namespace sil {

cudaEvent_t Device::create_event(bool has_timing) {
  auto event = std::make_shared<Event>();
  event->has_timing = has_timing;
  const std::lock_guard lock(mutex_);
  return events_.add(std::move(event));
}

cudaError_t Device::destroy_event(cudaEvent_t handle) {
  const std::lock_guard lock(mutex_);
  return events_.remove(handle) == nullptr ? cudaErrorInvalidResourceHandle : cudaSuccess;
}

cudaError_t Device::record_event(cudaEvent_t handle, cudaStream_t stream) {
  {
    const std::lock_guard lock(mutex_);
    const std::shared_ptr<Event> event = events_.find(handle);
    const std::shared_ptr<StreamEntry> entry = find(stream);
    if (event == nullptr || entry == nullptr) return cudaErrorInvalidResourceHandle;
    if (entry->capture != nullptr) {
      if (entry->capture->is_invalidated) return cudaErrorStreamCaptureInvalidated;
      event->capture = entry->capture;
      event->tail = entry->tail;
      return cudaSuccess;
    }
  }
  auto time = std::make_shared<std::chrono::steady_clock::time_point>();
  Moment moment;
  const auto note_time = [time] { return *time = std::chrono::steady_clock::now(), cudaSuccess; };
  if (const cudaError_t error = submit(stream, note_time, &moment); error != cudaSuccess) return error;
  const std::lock_guard lock(mutex_);
  const std::shared_ptr<Event> event = events_.find(handle);
  if (event == nullptr) return cudaErrorInvalidResourceHandle;
  event->moment = moment;
  event->time = std::move(time);
  event->capture = nullptr;
  return cudaSuccess;
}

cudaError_t Device::wait_for_event(cudaStream_t stream, cudaEvent_t handle) {
  Moment moment;
  {
    const std::lock_guard lock(mutex_);
    const std::shared_ptr<Event> event = events_.find(handle);
    const std::shared_ptr<StreamEntry> entry = find(stream);
    if (event == nullptr || entry == nullptr) return cudaErrorInvalidResourceHandle;
    if (entry->capture != nullptr || event->capture != nullptr) return wait_in_capture(*entry, *event);
    if (event->time == nullptr) return cudaSuccess;  // never recorded: nothing to wait for
    moment = event->moment;
  }
  return submit(stream, [moment] { return moment.wait(), cudaSuccess; });
}

cudaError_t Device::recorded(cudaEvent_t handle, Moment& moment) {
  const std::lock_guard lock(mutex_);
  const std::shared_ptr<Event> event = events_.find(handle);
  if (event == nullptr) return cudaErrorInvalidResourceHandle;
  if (event->capture != nullptr) {
    event->capture->is_invalidated = true;
    return cudaErrorCapturedEvent;
  }
  moment = event->moment;
  return cudaSuccess;
}

cudaError_t Device::elapsed(cudaEvent_t start, cudaEvent_t end, float& milliseconds) {
  const std::lock_guard lock(mutex_);
  const std::shared_ptr<Event> first = events_.find(start);
  const std::shared_ptr<Event> last = events_.find(end);
  if (first == nullptr || last == nullptr) return cudaErrorInvalidResourceHandle;
  if (first->capture != nullptr || last->capture != nullptr) return cudaErrorCapturedEvent;
  if (!first->has_timing || !last->has_timing) return cudaErrorInvalidResourceHandle;
  if (first->time == nullptr || last->time == nullptr) return cudaErrorInvalidResourceHandle;
  if (!first->moment.is_reached() || !last->moment.is_reached()) return cudaErrorNotReady;
  milliseconds = std::chrono::duration<float, std::milli>(*last->time - *first->time).count();
  return cudaSuccess;
}

}  // namespace sil
