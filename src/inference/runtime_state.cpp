#include "inference/runtime_state.h"

#include <algorithm>

#include "core/profile_check.h"

namespace skua {

EngineState::~EngineState() {
  slots.clear();
  loaded.reset();
  if (runtime) runtime->budget_used.fetch_sub(resident_bytes);
}

std::uint64_t lane_bytes(const EngineRecord& record) {
  // A record whose sizes overflow gets a figure that every budget refuses and that sums without overflowing.
  constexpr std::uint64_t kBeyondAnyMachine = std::uint64_t{1} << 50U;
  std::uint64_t sum = std::min(record.device_memory_bytes, kBeyondAnyMachine);
  for (const auto* specs : {&record.inputs, &record.outputs}) {
    for (const TensorSpec& spec : *specs) {
      const auto bytes = spec.max_shape.byte_size(spec.dtype);
      sum = bytes.ok() && *bytes < kBeyondAnyMachine - sum ? sum + *bytes : kBeyondAnyMachine;
    }
  }
  return sum;
}

Result<std::size_t> index_of(const std::vector<TensorSpec>& specs, std::string_view name,
                             std::string_view what) {
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (specs[i].name == name) return i;
  }
  std::string known;
  for (const TensorSpec& spec : specs) known += (known.empty() ? "" : ", ") + spec.name;
  return make_error(
      ErrorCode::kInvalidArgument, Reason::kUnknownName,
      "no " + std::string(what) + " is named '" + std::string(name) + "'; the engine has: " + known);
}

Status check_input_shape(const EngineRecord& record, std::size_t index, const Shape& shape) {
  const TensorSpec& spec = record.inputs[index];
  if (spec.shape.is_static()) {
    if (shape == spec.shape) return {};
    return make_error(ErrorCode::kInvalidArgument, Reason::kShapeMismatch,
                      "input '" + spec.name + "' of " + record.model + " has shape " +
                          spec.shape.to_string() + ", found " + shape.to_string());
  }
  for (const OptimizationProfile& profile : record.profiles) {
    if (profile.input_name != spec.name) continue;
    if (is_within(profile, shape)) return {};
    return make_error(ErrorCode::kInvalidArgument, Reason::kShapeMismatch,
                      "input '" + spec.name + "' of " + record.model + " may have shapes from " +
                          profile.min.to_string() + " to " + profile.max.to_string() + ", found " +
                          shape.to_string() +
                          "; give it a shape of the profile, or compile with a wider one");
  }
  return make_error(ErrorCode::kInvalidArgument, Reason::kShapeMismatch,
                    "input '" + spec.name + "' of " + record.model + " is dynamic and has no profile");
}

ExecutionSlot* find_slot(EngineState& engine, const LaneState& lane) noexcept {
  for (const auto& slot : engine.slots) {
    if (slot->lane.get() == &lane) return slot.get();
  }
  return nullptr;
}

namespace {

/// An error without a text: composing one would allocate.
Error bare_error(Reason reason) noexcept { return Error{ErrorCode::kInference, reason, 0, {}}; }

bool is_past(const InferOptions& options, const Clock& clock) noexcept {
  return options.deadline_ns.has_value() && clock.monotonic_ns() > *options.deadline_ns;
}

Status run_in_time(EngineState& engine, ExecutionSlot& slot, const InferOptions& options,
                   const Clock& clock) noexcept {
  if (!is_usable(engine)) return bare_error(Reason::kEngineReleased);
  if (is_past(options, clock)) return bare_error(Reason::kDeadlineMissed);
  Status status = slot.execution->run(options.deadline_ns);
  if (status.ok() && is_past(options, clock)) return bare_error(Reason::kDeadlineMissed);
  return status;
}

}  // namespace

bool is_usable(const EngineState& engine) noexcept {
  return !engine.is_released.load(std::memory_order_acquire) &&
         engine.runtime->is_alive.load(std::memory_order_acquire);
}

Status run_slot(EngineState& engine, ExecutionSlot& slot, const InferOptions& options,
                const Clock& clock) noexcept {
  Span span(SpanKind::kRun, {engine.record.model, slot.lane->consumer, options.frame.value_or(kNoFrame)});
  slot.has_result = false;
  Status status = run_in_time(engine, slot, options, clock);
  slot.has_result = status.ok();
  if (!status.ok()) span.failed(status.error().reason);
  return status;
}

}  // namespace skua
