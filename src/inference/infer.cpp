// infer(): one run with named inputs and outputs of the caller's own, for those who do not run every frame.
#include <cstdint>
#include <cstring>

#include "core/trace.h"
#include "inference/frame_events.h"
#include "inference/runtime_state.h"
#include "inference/slot_access.h"
#include "skua/inference_runtime.h"

namespace skua {
namespace {

Error argument_error(Reason reason, std::string message) {
  return make_error(ErrorCode::kInvalidArgument, reason, std::move(message));
}

/// Every input by its name, of the engine's dtype, on the host, inside the profile.
Status check_inputs(const EngineRecord& record, const TensorMap& inputs) {
  for (const auto& [name, tensor] : inputs) {
    SKUA_ASSIGN_OR_RETURN([[maybe_unused]] const std::size_t index, index_of(record.inputs, name, "input"));
  }
  for (std::size_t i = 0; i < record.inputs.size(); ++i) {
    const TensorSpec& spec = record.inputs[i];
    const Tensor* tensor = inputs.find(spec.name);
    if (tensor == nullptr) {
      return argument_error(Reason::kMissingInput, "input '" + spec.name + "' of " + record.model +
                                                       " was not given; every input is needed");
    }
    const TensorView& view = tensor->view();
    if (view.dtype != spec.dtype) {
      return argument_error(Reason::kDtypeMismatch, "input '" + spec.name + "' of " + record.model + " is " +
                                                        std::string(to_string(spec.dtype)) + ", found " +
                                                        std::string(to_string(view.dtype)) +
                                                        "; convert it, nothing is cast silently");
    }
    if (view.device.type != DeviceType::kCpu) {
      return argument_error(Reason::kDeviceMismatch, "input '" + spec.name + "' must lie in host memory");
    }
    SKUA_RETURN_IF_ERROR(check_input_shape(record, i, view.shape));
  }
  return {};
}

bool is_inside(const void* at, const TensorView& view) {
  const auto begin = reinterpret_cast<std::uintptr_t>(view.data);
  const auto place = reinterpret_cast<std::uintptr_t>(at);
  return place >= begin && place - begin < view.size_bytes();
}

/// A tensor that lies in the lane's own memory would change while the others are copied in. Only an input
/// that is in its own place already is one that needs no copy.
Status check_apart(const EngineRecord& record, const Execution& execution, const TensorMap& inputs) {
  for (std::size_t i = 0; i < record.inputs.size(); ++i) {
    const TensorView& source = inputs.find(record.inputs[i].name)->view();
    for (std::size_t j = 0; j < record.inputs.size(); ++j) {
      TensorView place = inputs.find(record.inputs[j].name)->view();
      place.data = execution.input(j).data;
      if (i == j && source.data == place.data) continue;
      if (!is_inside(source.data, place) && !is_inside(place.data, source)) continue;
      return argument_error(Reason::kInvalidArgument,
                            "input '" + record.inputs[i].name + "' of " + record.model +
                                " overlaps the memory that the lane keeps for '" + record.inputs[j].name +
                                "'; pass memory of your own, or fill the bound inputs and use run()");
    }
  }
  return {};
}

Status copy_inputs(const EngineRecord& record, Execution& execution, const TensorMap& inputs) {
  const Span span(SpanKind::kCopyIn);
  for (std::size_t i = 0; i < record.inputs.size(); ++i) {
    const TensorView& source = inputs.find(record.inputs[i].name)->view();
    if (execution.input(i).shape != source.shape)
      SKUA_RETURN_IF_ERROR(execution.set_input_shape(i, source.shape));
    void* const place = execution.input(i).data;
    if (const std::size_t bytes = source.size_bytes(); bytes > 0 && place != source.data) {
      std::memcpy(place, source.data, bytes);
    }
  }
  return {};
}

Result<TensorMap> copy_outputs(const EngineRecord& record, const Execution& execution) {
  const Span span(SpanKind::kCopyOut);
  TensorMap outputs;
  for (std::size_t i = 0; i < record.outputs.size(); ++i) {
    const TensorView source = execution.output(i);
    SKUA_ASSIGN_OR_RETURN(Tensor tensor, Tensor::allocate(source.dtype, source.shape));
    if (const std::size_t bytes = source.size_bytes(); bytes > 0)
      std::memcpy(tensor.view().data, source.data, bytes);
    SKUA_RETURN_IF_ERROR(outputs.insert(record.outputs[i].name, std::move(tensor)));
  }
  return outputs;
}

/// A failed run gets its text here, off the hot path, and is told to whoever listens. The text has the SDK's
/// own words where there are any.
Error report_failure(const RuntimeState& state, const EngineRecord& record, const InferOptions& options,
                     Error error) {
  Event event = to_event(failed_frame(record, options, error));
  if (!error.message.empty()) event.message += " (" + error.message + ")";
  error.message = event.message;
  state.environment.events->emit(event);
  return error;
}

void log_timing(const RuntimeState& state, const EngineRecord& record, const InferOptions& options,
                std::int64_t elapsed_ns) {
  if (!state.environment.config.per_frame_debug_log) return;
  state.environment.events->post(timed_frame(record, options, elapsed_ns));
}

}  // namespace

Result<TensorMap> InferenceRuntime::infer(const EngineHandle& handle, const TensorMap& inputs,
                                          const InferOptions& options) {
  SKUA_RETURN_IF_ERROR(check_handle(*state_, handle.state_.get()));
  EngineState& engine = *handle.state_;
  const Span span(SpanKind::kInfer, {engine.record.model, {}, options.frame.value_or(kNoFrame)});
  SKUA_RETURN_IF_ERROR(check_inputs(engine.record, inputs));
  const auto lane = options.lane != nullptr ? options.lane->state_ : default_lane(*state_);
  SKUA_ASSIGN_OR_RETURN(ExecutionSlot* const slot, slot_for(*state_, engine, lane));
  const LaneHold hold(*lane);
  if (!hold.is_held()) {
    return report_failure(*state_, engine.record, options,
                          Error{ErrorCode::kInference, Reason::kLaneBusy, 0, {}});
  }
  SKUA_RETURN_IF_ERROR(check_apart(engine.record, *slot->execution, inputs));
  const Clock& clock = *state_->environment.clock;
  const std::int64_t start_ns = clock.monotonic_ns();
  Status placed = copy_inputs(engine.record, *slot->execution, inputs);
  if (!placed.ok()) return report_failure(*state_, engine.record, options, std::move(placed).error());
  Status ran = run_slot(engine, *slot, options, clock);
  if (!ran.ok()) return report_failure(*state_, engine.record, options, std::move(ran).error());
  auto outputs = copy_outputs(engine.record, *slot->execution);
  if (!outputs.ok()) return report_failure(*state_, engine.record, options, std::move(outputs).error());
  log_timing(*state_, engine.record, options, clock.monotonic_ns() - start_ns);
  return outputs;
}

}  // namespace skua
