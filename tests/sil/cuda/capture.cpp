// Captures: the functions of the device that record work into a graph, and what is forbidden meanwhile.
#include <algorithm>
#include <utility>

#include "sil/cuda/device.h"

namespace sil {
namespace {

/// Everything that `tail` comes after, itself included.
Dependencies ancestors(const Graph& graph, const Dependencies& tail) {
  Dependencies found;
  std::vector<std::size_t> open(tail.begin(), tail.end());
  while (!open.empty()) {
    const std::size_t number = open.back();
    open.pop_back();
    if (!found.insert(number).second) continue;
    const Dependencies& after = graph.nodes[number]->after;
    open.insert(open.end(), after.begin(), after.end());
  }
  return found;
}

bool is_mode(cudaStreamCaptureMode mode) {
  return mode == cudaStreamCaptureModeGlobal || mode == cudaStreamCaptureModeThreadLocal ||
         mode == cudaStreamCaptureModeRelaxed;
}

bool forbids_unsafe_calls(const Capture& capture) {
  if (thread_capture_mode() == cudaStreamCaptureModeRelaxed) return false;
  if (capture.thread == std::this_thread::get_id()) return capture.mode != cudaStreamCaptureModeRelaxed;
  return capture.mode == cudaStreamCaptureModeGlobal && thread_capture_mode() == cudaStreamCaptureModeGlobal;
}

}  // namespace

cudaStreamCaptureMode& thread_capture_mode() {
  thread_local cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  return mode;
}

cudaError_t Device::add_node(StreamEntry& entry, Stream::Work& work) {
  Capture& capture = *entry.capture;
  if (capture.is_invalidated) return cudaErrorStreamCaptureInvalidated;
  capture.graph.nodes.push_back(std::make_shared<const Node>(Node{std::move(work), entry.tail}));
  entry.tail = {capture.graph.nodes.size() - 1};
  return cudaSuccess;
}

bool Device::is_under_way(const std::shared_ptr<Capture>& capture) const {
  const auto all = entries();
  return std::any_of(all.begin(), all.end(), [&](const auto& entry) { return entry->capture == capture; });
}

void Device::end_membership(const std::shared_ptr<Capture>& capture) {
  const std::shared_ptr<Capture> ended = capture;  // the argument may be the member that is cleared here
  for (const auto& entry : entries()) {
    if (entry->capture != ended) continue;
    entry->capture = nullptr;
    entry->tail.clear();
  }
}

/// Waiting for an event draws a stream into the capture in which the event was recorded.
cudaError_t Device::wait_in_capture(StreamEntry& entry, Event& event) {
  if (entry.capture != nullptr && entry.capture->is_invalidated) return cudaErrorStreamCaptureInvalidated;
  if (event.capture == nullptr) {
    if (event.time == nullptr) return cudaSuccess;
    entry.capture->is_invalidated = true;
    return cudaErrorStreamCaptureIsolation;
  }
  if (!is_under_way(event.capture)) return cudaErrorCapturedEvent;
  if (event.capture->is_invalidated) return cudaErrorStreamCaptureInvalidated;
  if (entry.capture == nullptr && is_default(entry)) {
    event.capture->is_invalidated = true;
    return cudaErrorStreamCaptureImplicit;
  }
  if (entry.capture != nullptr && entry.capture != event.capture) {
    entry.capture->is_invalidated = true;
    event.capture->is_invalidated = true;
    return cudaErrorStreamCaptureMerge;
  }
  entry.capture = event.capture;
  entry.tail.insert(event.tail.begin(), event.tail.end());
  return cudaSuccess;
}

cudaError_t Device::begin_capture(cudaStream_t handle, cudaStreamCaptureMode mode) {
  const std::lock_guard lock(mutex_);
  const std::shared_ptr<StreamEntry> entry = find(handle);
  if (entry == nullptr) return cudaErrorInvalidResourceHandle;
  if (!is_mode(mode)) return cudaErrorInvalidValue;
  if (is_default(*entry)) return cudaErrorStreamCaptureUnsupported;
  if (entry->capture != nullptr) return cudaErrorIllegalState;
  entry->capture = std::make_shared<Capture>();
  entry->capture->mode = mode;
  entry->capture->thread = std::this_thread::get_id();
  entry->capture->origin = entry.get();
  entry->tail.clear();
  return cudaSuccess;
}

cudaError_t Device::end_capture(cudaStream_t handle, cudaGraph_t& graph) {
  const std::lock_guard lock(mutex_);
  const std::shared_ptr<StreamEntry> entry = find(handle);
  if (entry == nullptr) return cudaErrorInvalidResourceHandle;
  const std::shared_ptr<Capture> capture = entry->capture;
  if (capture == nullptr) return cudaErrorIllegalState;
  if (capture->origin != entry.get()) return cudaErrorStreamCaptureUnmatched;
  if (capture->mode != cudaStreamCaptureModeRelaxed && capture->thread != std::this_thread::get_id()) {
    return cudaErrorStreamCaptureWrongThread;
  }
  const bool is_joined = ancestors(capture->graph, entry->tail).size() == capture->graph.nodes.size();
  end_membership(capture);
  graph = nullptr;  // documented: a capture that failed gives no graph
  if (capture->is_invalidated) return cudaErrorStreamCaptureInvalidated;
  if (!is_joined) return cudaErrorStreamCaptureUnjoined;
  graph = graphs_.add(std::make_shared<Graph>(std::move(capture->graph)));
  return cudaSuccess;
}

cudaError_t Device::capture_status(cudaStream_t handle, cudaStreamCaptureStatus& status) {
  const std::lock_guard lock(mutex_);
  const std::shared_ptr<StreamEntry> entry = find(handle);
  if (entry == nullptr) return cudaErrorInvalidResourceHandle;
  if (entry->capture == nullptr) {
    status = cudaStreamCaptureStatusNone;
  } else {
    status =
        entry->capture->is_invalidated ? cudaStreamCaptureStatusInvalidated : cudaStreamCaptureStatusActive;
  }
  return cudaSuccess;
}

cudaError_t Device::refuse_unsafe() {
  const std::lock_guard lock(mutex_);
  bool is_refused = false;
  for (const auto& entry : entries()) {
    if (entry->capture == nullptr || !forbids_unsafe_calls(*entry->capture)) continue;
    entry->capture->is_invalidated = true;
    is_refused = true;
  }
  return is_refused ? cudaErrorStreamCaptureUnsupported : cudaSuccess;
}

cudaError_t Device::default_stream_error() {
  bool is_refused = false;
  for (const auto& entry : entries()) {
    if (entry->capture == nullptr || !entry->stream->is_blocking()) continue;
    entry->capture->is_invalidated = true;
    is_refused = true;
  }
  return is_refused ? cudaErrorStreamCaptureImplicit : cudaSuccess;
}

cudaError_t Device::refuse_default_stream() {
  const std::lock_guard lock(mutex_);
  return default_stream_error();
}

}  // namespace sil
