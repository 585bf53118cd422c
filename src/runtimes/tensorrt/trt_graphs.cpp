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
  return may_record_ && !deadline_ns_;
}

/// Requires a run that has just succeeded: its outputs are what the graph must give.
Status TrtExecution::make_graph() noexcept {
  try {
    std::vector<std::vector<std::byte>> expected;
    for (const OutputSlot& slot : lane_->outputs) {
      const auto* const bytes = static_cast<const std::byte*>(slot.memory.host());
      expected.emplace_back(bytes, bytes + slot.view.size_bytes());
    }
    begin_call();
    std::unique_lock gate(recording_gate());
    const cudaError_t captured = lane_->graph.capture(lane_->stream.get(), [this] { return enqueue(); });
    gate.unlock();
    return captured == cudaSuccess ? check_graph(expected) : forgo_graph(captured);
  } catch (const std::exception&) {
    rule_out_graph("no_memory");
    return {};
  }
}

/// The run that was to be recorded has its result; what ended the recording matters to the next one. An
/// internal error is how TensorRT refuses to be recorded, unless the device itself says more.
Status TrtExecution::forgo_graph(cudaError_t captured) noexcept {
  Fault fault = told_by_tensorrt();
  if (fault.kind == FaultClass::kDevice) fault.kind = FaultClass::kContext;
  fault = worse(fault, probe(was_refused_ ? cudaSuccess : captured, lane_->stream.get()));
  if (device().heed(fault).kind == FaultClass::kDevice) return lost();
  needs_context_ = needs_context_ || fault.kind == FaultClass::kContext;
  note_graph_reason();
  return {};
}

Status TrtExecution::check_graph(const std::vector<std::vector<std::byte>>& expected) noexcept {
  const cudaError_t spoilt = spoil_memory(expected);
  const Status launched = spoilt == cudaSuccess ? launch_and_wait() : fail(spoilt);
  // The run has its result, whatever its graph does; but not while the device may still write there.
  if (!launched.ok() && (device().is_lost() || is_behind_)) {
    if (!device().is_lost() && lane_->graph.is_ready()) rule_out_graph("launch_failed");
    return launched;
  }
  const bool is_same = restore_outputs(expected);
  if (launched.ok() && is_same) return {};
  if (lane_->graph.reason().empty()) rule_out_graph(launched.ok() ? "graph_differs" : "launch_failed");
  return {};
}

/// No byte is as it must be before the graph runs, on either side: work that it leaves out shows. So does an
/// input that it does not bring up.
cudaError_t TrtExecution::spoil_memory(const std::vector<std::vector<std::byte>>& expected) noexcept {
  for (const IoSlot& slot : lane_->inputs) {
    if (const cudaError_t error = slot.spoil(lane_->stream.get()); error != cudaSuccess) return error;
  }
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

/// Where another may be tried.
void TrtExecution::forget_graph_reason() noexcept {
  if (!device().is_sealed() && !has_dynamic_outputs_) lane_->graph.forget_reason();
}

void TrtExecution::rule_out_graph(std::string_view reason) noexcept {
  lane_->graph.rule_out(reason);
  note_graph_reason();
}

/// In flight it is kept: the frame loop makes no texts.
void TrtExecution::note_graph_reason() const noexcept {
  note_->untold.store(lane_->graph.reason().data());  // a literal, to its end
  if (!device().is_sealed()) device().tell(*note_);
}

}  // namespace skua::tensorrt
