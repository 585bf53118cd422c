#include "runtimes/tensorrt/lane_graph.h"

#include <cstddef>

namespace skua::tensorrt {

cudaError_t LaneGraph::refuse(std::string_view reason, cudaError_t error) noexcept {
  rule_out(reason);
  // A capture that failed leaves its error behind, which the next call would report as its own.
  static_cast<void>(cudaGetLastError());
  return error;
}

cudaError_t LaneGraph::finish(cudaStream_t stream, cudaError_t enqueued) noexcept {
  Graph recorded;
  const cudaError_t ended = cudaStreamEndCapture(stream, recorded.out());
  if (enqueued != cudaSuccess) return refuse("enqueue_not_capturable", enqueued);
  if (ended != cudaSuccess) return refuse("capture_failed", ended);
  std::size_t nodes = 0;  // a recording of nothing has a handle all the same
  const cudaError_t counted = cudaGraphGetNodes(recorded.get(), nullptr, &nodes);
  if (counted != cudaSuccess) return refuse("capture_failed", counted);
  if (nodes == 0) return refuse("capture_empty", cudaErrorStreamCaptureInvalidated);
  const cudaError_t made = cudaGraphInstantiate(executable_.out(), recorded.get(), 0);
  if (made != cudaSuccess) return refuse("instantiate_failed", made);
  reason_ = {};
  return cudaSuccess;
}

}  // namespace skua::tensorrt
