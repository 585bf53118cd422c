// A lane's graph: when one is made, and how it is checked. Only before the seal, and only in a run that may
// take its time, because making one takes memory and as long as a few runs.
#include <cstring>
#include <exception>
#include <string>

#include "runtimes/tensorrt/trt_execution.h"

namespace skua::tensorrt {

bool TrtExecution::wants_graph() noexcept {
  LaneGraph& graph = lane_->graph;
  if (!settings_.uses_graphs || graph.is_ready() || !graph.reason().empty()) return false;
  if (deadline_ns_ || device().is_sealed()) return false;
  if (!has_host_inputs_) return true;
  graph.rule_out("shape_inputs");  // the values would be frozen with the graph
  tell_graph_reason();
  return false;
}

/// Requires a run that has just succeeded: its outputs are what the graph must give.
Status TrtExecution::make_graph() noexcept {
  try {
    std::vector<std::vector<std::byte>> expected;
    for (const OutputSlot& slot : lane_->outputs) {
      const auto* const bytes = static_cast<const std::byte*>(slot.memory.host());
      expected.emplace_back(bytes, bytes + slot.view.size_bytes());
    }
    const cudaError_t captured = lane_->graph.capture(lane_->stream.get(), [this] { return enqueue(); });
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
    lane_->graph.rule_out("no_memory");
    return {};
  }
}

Status TrtExecution::check_graph(const std::vector<std::vector<std::byte>>& expected) noexcept {
  SKUA_RETURN_IF_ERROR(launch_and_wait());
  bool is_same = true;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    void* const found = lane_->outputs[i].memory.host();
    if (expected[i].empty() || std::memcmp(found, expected[i].data(), expected[i].size()) == 0) continue;
    is_same = false;
    std::memcpy(found, expected[i].data(), expected[i].size());
  }
  if (is_same) return {};
  lane_->graph.rule_out("graph_differs");
  tell_graph_reason();
  return {};
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
