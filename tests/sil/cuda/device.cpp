#include "sil/cuda/device.h"

#include <utility>

#include "sil/control/faults.h"
#include "sil/control/settings.h"

namespace sil {
namespace {

Stream::Work with_order(Stream::Work work, const WorkOrder& order) {
  return [work = std::move(work), order] {
    if (order.hangs) faults().wait_for_release(order.release);
    const cudaError_t error = work();
    return error != cudaSuccess ? error : static_cast<cudaError_t>(order.code);
  };
}

cudaError_t run_graph(GraphExecutable& executable) {
  const std::lock_guard lock(executable.running);
  for (const std::shared_ptr<const Node>& node : executable.graph.nodes) {
    if (const cudaError_t error = node->work(); error != cudaSuccess) return error;
  }
  return cudaSuccess;
}

}  // namespace

Device& device() {
  static auto* const instance = new Device;
  return *instance;
}

cudaError_t wait_for(const Moment& moment) {
  moment.wait();
  if (const cudaError_t lost = settings().lost; lost != cudaSuccess) return lost;
  return moment.stream == nullptr ? cudaSuccess : moment.stream->take_error();
}

cudaStream_t Device::create_stream(bool is_blocking, int priority) {
  auto entry = std::make_shared<StreamEntry>();
  entry->stream = Stream::open(is_blocking, priority);
  const std::lock_guard lock(mutex_);
  return streams_.add(std::move(entry));
}

cudaError_t Device::destroy_stream(cudaStream_t handle) {
  std::shared_ptr<StreamEntry> removed;
  {
    const std::lock_guard lock(mutex_);
    removed = streams_.remove(handle);
    if (removed == nullptr) return cudaErrorInvalidResourceHandle;
    if (removed->capture != nullptr) removed->capture->is_invalidated = true;
    if (removed->capture != nullptr && removed->capture->origin == removed.get()) {
      end_membership(removed->capture);
    }
  }
  removed->stream->close();
  return cudaSuccess;
}

std::shared_ptr<StreamEntry> Device::find(cudaStream_t handle) {
  if (handle != nullptr && handle != cudaStreamLegacy) return streams_.find(handle);
  if (default_stream_ == nullptr) {
    default_stream_ = std::make_shared<StreamEntry>();
    default_stream_->stream = Stream::open(true, 0);
  }
  return default_stream_;
}

std::vector<std::shared_ptr<StreamEntry>> Device::entries() const {
  std::vector<std::shared_ptr<StreamEntry>> all;
  if (default_stream_ != nullptr) all.push_back(default_stream_);
  for (const auto& [number, entry] : streams_) all.push_back(entry);
  return all;
}

std::vector<Moment> Device::order_with_default_stream(const StreamEntry& entry) const {
  std::vector<Moment> after;
  if (default_stream_ == nullptr || !entry.stream->is_blocking()) return after;
  if (!is_default(entry)) return {{default_stream_->stream, default_stream_->stream->last()}};
  for (const auto& [number, other] : streams_) {
    if (other->stream->is_blocking()) after.push_back({other->stream, other->stream->last()});
  }
  return after;
}

cudaError_t Device::submit(cudaStream_t handle, Stream::Work work, Moment* moment) {
  const std::optional<WorkOrder> order = Faults::take_work_order();
  if (order) work = with_order(std::move(work), *order);
  const std::lock_guard lock(mutex_);
  const std::shared_ptr<StreamEntry> entry = find(handle);
  if (entry == nullptr) return cudaErrorInvalidResourceHandle;
  if (entry->capture != nullptr) return add_node(*entry, work);
  if (is_default(*entry)) {
    if (const cudaError_t error = default_stream_error(); error != cudaSuccess) return error;
  }
  const std::uint64_t number = entry->stream->put(std::move(work), order_with_default_stream(*entry));
  if (moment != nullptr) *moment = {entry->stream, number};
  return cudaSuccess;
}

cudaError_t Device::newest(cudaStream_t handle, Moment& moment) {
  const std::lock_guard lock(mutex_);
  const std::shared_ptr<StreamEntry> entry = find(handle);
  if (entry == nullptr) return cudaErrorInvalidResourceHandle;
  if (entry->capture != nullptr) {
    entry->capture->is_invalidated = true;
    return cudaErrorStreamCaptureUnsupported;
  }
  if (is_default(*entry)) {
    if (const cudaError_t error = default_stream_error(); error != cudaSuccess) return error;
  }
  moment = {entry->stream, entry->stream->last()};
  return cudaSuccess;
}

cudaError_t Device::newest_of_all(std::vector<Moment>& moments) {
  const std::lock_guard lock(mutex_);
  bool is_captured = false;
  for (const auto& entry : entries()) {
    if (entry->capture == nullptr) continue;
    entry->capture->is_invalidated = true;
    is_captured = true;
  }
  if (is_captured) return cudaErrorStreamCaptureUnsupported;
  for (const auto& entry : entries()) moments.push_back({entry->stream, entry->stream->last()});
  return cudaSuccess;
}

std::vector<Moment> Device::under_way() {
  const std::lock_guard lock(mutex_);
  std::vector<Moment> moments;
  for (const auto& entry : entries()) moments.push_back({entry->stream, entry->stream->last()});
  return moments;
}

cudaError_t Device::priority(cudaStream_t handle, int& priority) {
  const std::lock_guard lock(mutex_);
  const std::shared_ptr<StreamEntry> entry = find(handle);
  if (entry == nullptr) return cudaErrorInvalidResourceHandle;
  priority = entry->stream->priority();
  return cudaSuccess;
}

cudaError_t Device::graph_nodes(cudaGraph_t handle, std::vector<cudaGraphNode_t>& nodes) {
  const std::lock_guard lock(mutex_);
  const std::shared_ptr<Graph> graph = graphs_.find(handle);
  if (graph == nullptr) return cudaErrorInvalidValue;
  for (const std::shared_ptr<const Node>& node : graph->nodes) {
    nodes.push_back(reinterpret_cast<cudaGraphNode_t>(const_cast<Node*>(node.get())));
  }
  return cudaSuccess;
}

cudaError_t Device::instantiate(cudaGraph_t handle, cudaGraphExec_t& executable) {
  const std::lock_guard lock(mutex_);
  const std::shared_ptr<Graph> graph = graphs_.find(handle);
  if (graph == nullptr) return cudaErrorInvalidValue;
  auto made = std::make_shared<GraphExecutable>();
  made->graph = *graph;
  executable = executables_.add(std::move(made));
  return cudaSuccess;
}

cudaError_t Device::launch(cudaGraphExec_t handle, cudaStream_t stream) {
  std::shared_ptr<GraphExecutable> executable;
  {
    const std::lock_guard lock(mutex_);
    executable = executables_.find(handle);
  }
  if (executable == nullptr) return cudaErrorInvalidValue;
  return submit(stream, [executable] { return run_graph(*executable); });
}

// What recorded work holds is not ours and may call us when it goes: it goes after the lock.
cudaError_t Device::destroy_graph(cudaGraph_t handle) {
  std::shared_ptr<Graph> removed;
  const std::lock_guard lock(mutex_);
  removed = graphs_.remove(handle);
  return removed == nullptr ? cudaErrorInvalidValue : cudaSuccess;
}

cudaError_t Device::destroy_executable(cudaGraphExec_t handle) {
  std::shared_ptr<GraphExecutable> removed;
  const std::lock_guard lock(mutex_);
  removed = executables_.remove(handle);
  return removed == nullptr ? cudaErrorInvalidValue : cudaSuccess;
}

void Device::count(LiveObjects& live) {
  const std::lock_guard lock(mutex_);
  live.streams = streams_.size();
  live.events = events_.size();
  live.graphs = graphs_.size();
  live.graph_executables = executables_.size();
}

void Device::forget_errors() {
  const std::lock_guard lock(mutex_);
  for (const auto& entry : entries()) entry->stream->take_error();
}

void Device::drop_everything() {
  std::vector<std::shared_ptr<StreamEntry>> dropped;
  std::vector<std::shared_ptr<const void>> recorded;
  {
    const std::lock_guard lock(mutex_);
    dropped = entries();
    for (const auto& [number, graph] : graphs_) recorded.push_back(graph);
    for (const auto& [number, executable] : executables_) recorded.push_back(executable);
    streams_.clear();
    events_.clear();
    graphs_.clear();
    executables_.clear();
    default_stream_ = nullptr;
  }
  for (const auto& entry : dropped) {
    wait_for({entry->stream, entry->stream->last()});
    entry->stream->close();
  }
}

}  // namespace sil
