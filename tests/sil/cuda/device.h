// The device's streams, events and graphs by their handles, and captures in progress. One lock guards all of
// it and is never held while anything is waited for. What these functions return is CUDA's documented answer.
#pragma once

#include <cuda_runtime_api.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "sil/control/sil_control.h"
#include "sil/cuda/handle_table.h"
#include "sil/cuda/stream.h"

namespace sil {

using Dependencies = std::set<std::size_t>;  ///< numbers of nodes of one graph

struct Node {
  Stream::Work work;
  Dependencies after;
};

/// Nodes stand in the order of the calls, which is one of those that their dependencies allow.
struct Graph {
  std::vector<std::shared_ptr<const Node>> nodes;
};

/// Launches of one executable graph never overlap.
struct GraphExecutable {
  Graph graph;
  std::mutex running;
};

struct StreamEntry;

struct Capture {
  cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  std::thread::id thread;
  const StreamEntry* origin = nullptr;
  bool is_invalidated = false;
  Graph graph;
};

struct StreamEntry {
  std::shared_ptr<Stream> stream;
  std::shared_ptr<Capture> capture;  ///< nullptr: not captured
  Dependencies tail;                 ///< what the next node comes after
};

struct Event {
  bool has_timing = true;
  Moment moment;
  std::shared_ptr<std::chrono::steady_clock::time_point> time;  ///< nullptr: never recorded
  std::shared_ptr<Capture> capture;                             ///< it was recorded in this one
  Dependencies tail;
};

class Device {
 public:
  cudaStream_t create_stream(bool is_blocking, int priority);
  cudaError_t destroy_stream(cudaStream_t handle);
  /// Puts work on the stream or, while it is captured, into the graph; then `moment` stays empty.
  cudaError_t submit(cudaStream_t handle, Stream::Work work, Moment* moment = nullptr);
  /// For calls that wait for a stream or ask after it.
  cudaError_t newest(cudaStream_t handle, Moment& moment);
  /// Of all streams, for calls that wait for the whole device.
  cudaError_t newest_of_all(std::vector<Moment>& moments);
  /// The same for the silent wait in a release, which leaves the captures of other threads alone.
  std::vector<Moment> under_way();
  cudaError_t priority(cudaStream_t handle, int& priority);

  cudaEvent_t create_event(bool has_timing);
  cudaError_t destroy_event(cudaEvent_t handle);
  cudaError_t record_event(cudaEvent_t handle, cudaStream_t stream);
  cudaError_t wait_for_event(cudaStream_t stream, cudaEvent_t handle);
  cudaError_t recorded(cudaEvent_t handle, Moment& moment);
  cudaError_t elapsed(cudaEvent_t start, cudaEvent_t end, float& milliseconds);

  cudaError_t begin_capture(cudaStream_t handle, cudaStreamCaptureMode mode);
  cudaError_t end_capture(cudaStream_t handle, cudaGraph_t& graph);
  cudaError_t capture_status(cudaStream_t handle, cudaStreamCaptureStatus& status);
  /// For calls that are potentially unsafe during a capture.
  cudaError_t refuse_unsafe();
  /// For calls that use the default stream.
  cudaError_t refuse_default_stream();

  cudaError_t graph_nodes(cudaGraph_t handle, std::vector<cudaGraphNode_t>& nodes);
  cudaError_t instantiate(cudaGraph_t handle, cudaGraphExec_t& executable);
  cudaError_t launch(cudaGraphExec_t handle, cudaStream_t stream);
  cudaError_t destroy_graph(cudaGraph_t handle);
  cudaError_t destroy_executable(cudaGraphExec_t handle);

  void count(LiveObjects& live);
  void forget_errors();
  void drop_everything();

 private:
  std::shared_ptr<StreamEntry> find(cudaStream_t handle);
  std::vector<std::shared_ptr<StreamEntry>> entries() const;
  bool is_default(const StreamEntry& entry) const { return &entry == default_stream_.get(); }
  std::vector<Moment> order_with_default_stream(const StreamEntry& entry) const;
  cudaError_t add_node(StreamEntry& entry, Stream::Work& work);  ///< takes it, unless refused
  cudaError_t wait_in_capture(StreamEntry& entry, Event& event);
  cudaError_t default_stream_error();
  bool is_under_way(const std::shared_ptr<Capture>& capture) const;
  void end_membership(const std::shared_ptr<Capture>& capture);

  std::mutex mutex_;
  HandleTable<cudaStream_t, StreamEntry> streams_;
  HandleTable<cudaEvent_t, Event> events_;
  HandleTable<cudaGraph_t, Graph> graphs_;
  HandleTable<cudaGraphExec_t, GraphExecutable> executables_;
  std::shared_ptr<StreamEntry> default_stream_;  ///< opened at its first use
};

/// One per process, never destroyed.
Device& device();

/// The capture mode of this thread (cudaThreadExchangeStreamCaptureMode).
cudaStreamCaptureMode& thread_capture_mode();

/// Waits; then the sticky error, or the stream's own, or cudaSuccess.
cudaError_t wait_for(const Moment& moment);

}  // namespace sil
