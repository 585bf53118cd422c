// A lane's run as one CUDA graph: everything between the caller's input and output memory in one launch. A
// graph holds addresses, shapes and the state of its execution context, so there is one for each lane, for
// one set of shapes, and it goes when a shape changes.
#pragma once

#include <cuda_runtime_api.h>

#include <string_view>

#include "runtimes/tensorrt/cuda_handles.h"

namespace skua::tensorrt {

class LaneGraph {
 public:
  /// Records what `enqueue` puts on the stream. Call after the same work has run once for real. A failure
  /// leaves no graph and no recording behind, and a reason. Allocates in CUDA.
  template <typename Enqueue>
  cudaError_t capture(cudaStream_t stream, Enqueue enqueue) noexcept {
    if (const cudaError_t dropped = drop(); is_loss(dropped)) return dropped;
    static_cast<void>(cudaGetLastError());  // what dropping has left behind
    const cudaError_t begun = cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal);
    if (begun != cudaSuccess) return refuse("capture_refused", begun);
    const cudaError_t enqueued = enqueue();
    return finish(stream, enqueued);
  }
  bool is_ready() const noexcept { return executable_ && reason_.empty(); }
  cudaError_t launch(cudaStream_t stream) const noexcept {
    return cudaGraphLaunch(executable_.get(), stream);
  }
  /// What CUDA says of it may be the loss of the device.
  [[nodiscard]] cudaError_t drop() noexcept { return executable_.reset(); }

  /// Why there is no graph; empty where there is one, or where none has been tried yet. Static storage.
  std::string_view reason() const noexcept { return reason_; }
  /// The graph is not used, and no other is tried. It stays until it is dropped: it may be running.
  void rule_out(std::string_view reason) noexcept { reason_ = reason; }
  /// Another may be tried. Requires that the old one is dropped.
  void forget_reason() noexcept { reason_ = {}; }

 private:
  cudaError_t refuse(std::string_view reason, cudaError_t error) noexcept;
  cudaError_t instantiate(const Graph& recorded) noexcept;
  cudaError_t finish(cudaStream_t stream, cudaError_t enqueued) noexcept;
  GraphExec executable_;
  std::string_view reason_;
};

}  // namespace skua::tensorrt
