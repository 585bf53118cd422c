#include "runtimes/tensorrt/lane_graph.h"

#include <cstddef>

namespace skua::tensorrt {

cudaError_t LaneGraph::refuse(std::string_view reason, cudaError_t error) noexcept {
  rule_out(reason);
  // A capture that failed leaves its error behind, which the next call would report as its own. A lost device
  // is asked nothing.
  if (!is_loss(error)) static_cast<void>(cudaGetLastError());
  return error;
}

cudaError_t LaneGraph::instantiate(const Graph& recorded) noexcept {
  std::size_t nodes = 0;  // a recording of nothing has a handle all the same
  const cudaError_t counted = cudaGraphGetNodes(recorded.get(), nullptr, &nodes);
  if (counted != cudaSuccess) return refuse("capture_failed", counted);
  if (nodes == 0) return refuse("capture_empty", cudaErrorStreamCaptureInvalidated);
  const cudaError_t made = cudaGraphInstantiate(executable_.out(), recorded.get(), 0);
  return made == cudaSuccess ? made : refuse("instantiate_failed", made);
}

cudaError_t LaneGraph::finish(cudaStream_t stream, cudaError_t enqueued) noexcept {
  if (is_loss(enqueued)) return refuse("enqueue_not_capturable", enqueued);
  Graph recorded;
  const cudaError_t ended = cudaStreamEndCapture(stream, recorded.out());
  if (is_loss(ended)) recorded.abandon();
  if (enqueued != cudaSuccess) return refuse("enqueue_not_capturable", enqueued);
  if (ended != cudaSuccess) return refuse("capture_failed", ended);
  reason_ = {};
  const cudaError_t made = instantiate(recorded);
  if (is_loss(made)) return recorded.abandon(), made;
  const cudaError_t released = recorded.reset();
  if (is_loss(released)) return refuse("capture_failed", released);
  if (released != cudaSuccess) static_cast<void>(cudaGetLastError());  // no matter of the graph's
  return made;
}

}  // namespace skua::tensorrt
