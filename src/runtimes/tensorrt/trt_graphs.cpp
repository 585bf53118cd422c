// A lane's graph: when one is made, and how it is checked. Only before the seal, and only in a run that may
// take its time, because making one takes memory and as long as a few runs.
#include <algorithm>
#include <cstring>
#include <exception>
#include <mutex>
#include <string>

#include "runtimes/tensorrt/trt_execution.h"

namespace skua::tensorrt {

bool TrtExecution::wants_graph() noexcept {
  LaneGraph& graph = lane_->graph;
  if (!settings_.uses_graphs || graph.is_ready() || !graph.reason().empty()) return false;
  if (device().is_sealed()) {
    rule_out_graph("sealed");
    return false;
  }
  return !deadline_ns_;
}

/// Requires a run that has just succeeded: its outputs are what the graph must give.
Status TrtExecution::make_graph() noexcept {
  try {
    std::vector<std::vector<std::byte>> expected;
    for (const OutputSlot& slot : lane_->outputs) {
      const auto* const bytes = static_cast<const std::byte*>(slot.memory.host());
      expected.emplace_back(bytes, bytes + slot.view.size_bytes());
    }
    std::unique_lock gate(recording_gate());
    const cudaError_t captured = lane_->graph.capture(lane_->stream.get(), [this] { return enqueue(); });
    gate.unlock();
    if (captured != cudaSuccess) {
      const auto told = lane_->recorder.first();
      const Fault fault = worse(classify(captured), told ? classify(*told) : Fault{});
      if (fault.kind == FaultClass::kDevice) return fail(captured);
      lane_->recorder.clear();
      was_refused_ = false;
      tell_graph_reason();
      return {};
    }
    return check_graph(expected);
  } catch (const std::exception&) {
    rule_out_graph("no_memory");
    return {};
  }
}

Status TrtExecution::check_graph(const std::vector<std::vector<std::byte>>& expected) noexcept {
  const cudaError_t spoilt = spoil_outputs(expected);
  const Status launched = spoilt == cudaSuccess ? launch_and_wait() : fail(spoilt);
  // The run has its result, whatever its graph does; but not while the device may still write there.
  if (!launched.ok() && (device().is_lost() || is_behind_)) return launched;
  const bool is_same = restore_outputs(expected);
  if (launched.ok() && is_same) return {};
  if (lane_->graph.reason().empty()) rule_out_graph(launched.ok() ? "graph_differs" : "launch_failed");
  return {};
}

/// No byte is as it must be before the graph runs, on either side: work that it leaves out shows.
cudaError_t TrtExecution::spoil_outputs(const std::vector<std::vector<std::byte>>& expected) noexcept {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const OutputSlot& slot = lane_->outputs[i];
    std::transform(expected[i].begin(), expected[i].end(), static_cast<std::byte*>(slot.memory.host()),
                   [](std::byte each) { return ~each; });
    if (const cudaError_t error = slot.upload(lane_->stream.get()); error != cudaSuccess) return error;
  }
  return cudaSuccess;
}

/// Whether each output held what is expected; afterwards it does.
bool TrtExecution::restore_outputs(const std::vector<std::vector<std::byte>>& expected) noexcept {
  bool is_same = true;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    void* const found = lane_->outputs[i].memory.host();
    if (expected[i].empty() || std::memcmp(found, expected[i].data(), expected[i].size()) == 0) continue;
    is_same = false;
    std::memcpy(found, expected[i].data(), expected[i].size());
  }
  return is_same;
}

void TrtExecution::rule_out_graph(std::string_view reason) noexcept {
  lane_->graph.rule_out(reason);
  tell_graph_reason();
}

void TrtExecution::tell_graph_reason() const noexcept {
  try {
    const std::string reason(lane_->graph.reason());
    device().tell({Level::kInfo,
                   "c7.graph_unavailable",
                   model_ + " runs without a CUDA graph: " + reason,
                   {{"backbone", model_}, {"cause", reason}}});
  } catch (const std::exception&) {
  }
}

}  // namespace skua::tensorrt
