#include "inference/admission.h"

#include <cstring>

#include "core/trace.h"

namespace skua {
namespace {

/// Takes bytes from the budget, or refuses before anything is allocated. The engine state gives them back. A
/// load and a bind may come here at once, hence the exchange.
Status reserve(RuntimeState& runtime, EngineState& engine, std::uint64_t bytes) {
  const std::uint64_t limit = runtime.environment.config.gpu_memory_budget_bytes;
  std::uint64_t used = runtime.share->budget_used.load();
  do {
    if (bytes > limit || used > limit - bytes) {
      return budget_error(engine.record.model, bytes, used, limit);
    }
  } while (!runtime.share->budget_used.compare_exchange_weak(used, used + bytes));
  engine.resident_bytes += bytes;
  return {};
}

void give_back(RuntimeState& runtime, EngineState& engine, std::uint64_t bytes) noexcept {
  engine.resident_bytes -= bytes;
  runtime.share->budget_used.fetch_sub(bytes);
}

Error contract_error(const EngineRecord& record, const std::string& what, const std::string& expected,
                     const std::string& found) {
  return make_error(ErrorCode::kEngineDeserialize, Reason::kContractMismatch,
                    record.file + ": " + what + ": expected " + expected + ", found " + found +
                        "; the engine is not what its record says: provision the set again");
}

std::string describe(const TensorSpec& spec) {
  return "'" + spec.name + "' " + std::string(to_string(spec.dtype)) + " " + spec.shape.to_string();
}

Status check_specs(const EngineRecord& record, const std::string& what,
                   const std::vector<TensorSpec>& expected, const std::vector<TensorSpec>& found) {
  if (expected.size() != found.size()) {
    return contract_error(record, "number of " + what + "s", std::to_string(expected.size()),
                          std::to_string(found.size()));
  }
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const bool is_same = expected[i].name == found[i].name && expected[i].dtype == found[i].dtype &&
                         expected[i].shape == found[i].shape;
    if (!is_same) {
      return contract_error(record, what + " " + std::to_string(i), describe(expected[i]),
                            describe(found[i]));
    }
  }
  return {};
}

Status check_contract(const EngineRecord& record, const EngineReport& report) {
  SKUA_RETURN_IF_ERROR(check_specs(record, "input", record.inputs, report.inputs));
  SKUA_RETURN_IF_ERROR(check_specs(record, "output", record.outputs, report.outputs));
  if (record.arithmetic != report.arithmetic) {
    return contract_error(record, "arithmetic", record.arithmetic, report.arithmetic);
  }
  return {};
}

Error golden_error(const EngineRecord& record, std::string text) {
  return make_error(ErrorCode::kEngineDeserialize, Reason::kGoldenMalformed,
                    record.golden.file + ": " + std::move(text) + "; provision the set again");
}

Status feed_golden(const EngineRecord& record, Execution& execution, const GoldenVectors& golden) {
  for (std::size_t i = 0; i < record.inputs.size(); ++i) {
    const TensorSpec& spec = record.inputs[i];
    const Tensor* tensor = golden.inputs.find(spec.name);
    if (tensor == nullptr || tensor->view().dtype != spec.dtype) {
      return golden_error(record,
                          "no input '" + spec.name + "' of dtype " + std::string(to_string(spec.dtype)));
    }
    SKUA_RETURN_IF_ERROR(check_input_shape(record, i, tensor->view().shape));
    if (execution.input(i).shape != tensor->view().shape) {
      SKUA_RETURN_IF_ERROR(execution.set_input_shape(i, tensor->view().shape));
    }
    if (const std::size_t bytes = tensor->view().size_bytes(); bytes > 0) {
      std::memcpy(execution.input(i).data, tensor->view().data, bytes);
    }
  }
  return {};
}

Status compare_outputs(const EngineRecord& record, const Execution& execution, const GoldenVectors& golden) {
  for (std::size_t i = 0; i < record.outputs.size(); ++i) {
    const TensorSpec& spec = record.outputs[i];
    const Tensor* expected = golden.outputs.find(spec.name);
    if (expected == nullptr) return golden_error(record, "no expected output '" + spec.name + "'");
    const auto named = record.golden.tolerances.find(spec.name);
    const Tolerance tolerance =
        named != record.golden.tolerances.end() ? named->second : default_tolerance(record.precision, spec);
    auto difference = compare_golden(spec.name, expected->view(), execution.output(i), tolerance);
    if (!difference.ok()) {
      Error error = std::move(difference).error();
      error.message = record.file + ": " + error.message;
      return error;
    }
  }
  return {};
}

/// Runs the golden inputs on one lane.
Status prove(const EngineRecord& record, ExecutionSlot& slot, const GoldenVectors& golden) {
  const Span span(SpanKind::kGoldenCheck, {record.model, slot.lane->consumer});
  SKUA_RETURN_IF_ERROR(feed_golden(record, *slot.execution, golden));
  Status ran = slot.execution->run(std::nullopt);
  if (!ran.ok()) {
    Error error = std::move(ran).error();
    const bool is_memory = error.code == ErrorCode::kOutOfMemory;
    const bool is_engine = !is_memory && error.reason != Reason::kDeviceLost;  // else it is not to blame
    return make_error(is_memory ? error.code : ErrorCode::kEngineDeserialize,
                      is_engine ? Reason::kGoldenMismatch : error.reason,
                      record.file + ": the run on its golden inputs failed: " + error.describe(),
                      error.native_code);
  }
  return compare_outputs(record, *slot.execution, golden);
}

/// Judges the whole need before the first byte is allocated: the engine's bytes are taken, those of the lanes
/// are only tried, add_slot takes them one by one.
Status reserve_with_lanes(RuntimeState& runtime, EngineState& engine, std::size_t lane_count) {
  const std::uint64_t lanes_bytes = lane_count * lane_bytes(engine.record);
  SKUA_RETURN_IF_ERROR(reserve(runtime, engine, engine.record.size_bytes + lanes_bytes));
  give_back(runtime, engine, lanes_bytes);
  return {};
}

/// Whether the device has `bytes` free for what is to be placed now.
Status check_free_memory(const RuntimeState& runtime, const EngineRecord& record, std::uint64_t bytes) {
  SKUA_ASSIGN_OR_RETURN(const std::optional<std::uint64_t> free, runtime.free_memory());
  if (!free || bytes <= *free) return {};
  return free_memory_error(record.model, bytes, 0, *free);
}

/// The lanes that run `model`.
std::vector<std::shared_ptr<LaneState>> lanes_of(const RuntimeState& runtime, std::string_view model) {
  const std::lock_guard lock(runtime.table_mutex);
  std::vector<std::shared_ptr<LaneState>> lanes;
  for (const auto& [name, lane] : runtime.lanes) {
    if (lane->engine.empty() || lane->engine == model) lanes.push_back(lane);
  }
  return lanes;
}

/// Adds a slot for `lane`, within the budget.
Result<ExecutionSlot*> add_slot(RuntimeState& runtime, EngineState& engine,
                                const std::shared_ptr<LaneState>& lane) {
  const std::uint64_t bytes = lane_bytes(engine.record);
  SKUA_RETURN_IF_ERROR(reserve(runtime, engine, bytes));
  auto execution = engine.loaded->create_execution();
  if (!execution.ok()) {
    give_back(runtime, engine, bytes);
    return std::move(execution).error();
  }
  auto slot = std::make_unique<ExecutionSlot>();
  slot->lane = lane;
  slot->execution = *std::move(execution);
  engine.slots.push_back(std::move(slot));
  return engine.slots.back().get();
}

}  // namespace

Error budget_error(const std::string& model, std::uint64_t bytes, std::uint64_t used, std::uint64_t limit) {
  return make_error(ErrorCode::kOutOfMemory, Reason::kMemoryBudgetExceeded,
                    model + " needs " + std::to_string(bytes) + " bytes more, resident are " +
                        std::to_string(used) + " of gpu_memory_budget_bytes " + std::to_string(limit) +
                        "; load fewer or smaller engines, declare fewer lanes, or raise the budget");
}

Error free_memory_error(const std::string& model, std::uint64_t bytes, std::uint64_t claimed,
                        std::uint64_t free) {
  return make_error(
      ErrorCode::kOutOfMemory, Reason::kOutOfMemory,
      model + " needs " + std::to_string(bytes) + " bytes, what is loaded before and beside it " +
          std::to_string(claimed) + ", and the device has " + std::to_string(free) +
          " free; end what else uses it, load fewer or smaller engines, or declare fewer lanes");
}

std::uint64_t bytes_with_lanes(const RuntimeState& runtime, const EngineRecord& record) {
  return record.size_bytes + lanes_of(runtime, record.model).size() * lane_bytes(record);
}

Error as_refusal(Error error, const std::string& file) {
  if (error.is_load_refusal() || error.code == ErrorCode::kOutOfMemory) return error;
  error.code = ErrorCode::kEngineDeserialize;
  if (error.reason == Reason::kShapeMismatch || error.reason == Reason::kDtypeMismatch) {
    error.reason = Reason::kContractMismatch;
  }
  error.message = file + ": " + error.message;
  return error;
}

Result<std::shared_ptr<EngineState>> admit_engine(RuntimeState& runtime, const AdmissionSteps& steps,
                                                  VerifiedEngine verified, const GoldenVectors& golden,
                                                  EngineLoadTimes& times) {
  const Clock& clock = *runtime.environment.clock;
  auto engine = std::make_shared<EngineState>();
  engine->runtime = runtime.share;
  engine->record = verified.record();
  const auto lanes = lanes_of(runtime, engine->record.model);
  SKUA_RETURN_IF_ERROR(steps.check_record(engine->record));
  SKUA_RETURN_IF_ERROR(reserve_with_lanes(runtime, *engine, lanes.size()));
  if (!steps.is_memory_judged) {
    SKUA_RETURN_IF_ERROR(
        check_free_memory(runtime, engine->record, bytes_with_lanes(runtime, engine->record)));
  }

  const std::int64_t start_ns = clock.monotonic_ns();
  Span deserialise(SpanKind::kDeserialise, {engine->record.model});
  SKUA_ASSIGN_OR_RETURN(engine->loaded, steps.deserialize(std::move(verified)));
  deserialise.end();
  engine->report = engine->loaded->report();
  SKUA_RETURN_IF_ERROR(check_contract(engine->record, engine->report));
  Span place(SpanKind::kPlaceLanes, {engine->record.model});
  for (const auto& lane : lanes) {
    SKUA_ASSIGN_OR_RETURN([[maybe_unused]] ExecutionSlot * slot, add_slot(runtime, *engine, lane));
  }
  place.end();
  const std::int64_t placed_ns = clock.monotonic_ns();
  for (const auto& slot : engine->slots) SKUA_RETURN_IF_ERROR(prove(engine->record, *slot, golden));
  times.deserialize_ns = placed_ns - start_ns;
  times.golden_ns = clock.monotonic_ns() - placed_ns;
  return engine;
}

Result<std::int64_t> warm_up(const RuntimeState& runtime, const EngineRecord& record, ExecutionSlot& slot) {
  const Span span(SpanKind::kWarmUp, {record.model, slot.lane->consumer});
  const Clock& clock = *runtime.environment.clock;
  const std::int64_t start_ns = clock.monotonic_ns();
  if (Status warmed = slot.execution->warm_up(record); !warmed.ok()) {
    const Error& error = warmed.error();
    return make_error(error.code, error.reason, record.file + ": its warm-up failed: " + error.describe(),
                      error.native_code);
  }
  return clock.monotonic_ns() - start_ns;
}

Result<ExecutionSlot*> add_warm_slot(RuntimeState& runtime, EngineState& engine,
                                     const std::shared_ptr<LaneState>& lane) {
  const std::uint64_t bytes = lane_bytes(engine.record);
  SKUA_RETURN_IF_ERROR(check_free_memory(runtime, engine.record, bytes));
  SKUA_ASSIGN_OR_RETURN(ExecutionSlot * slot, add_slot(runtime, engine, lane));
  const auto took_ns = warm_up(runtime, engine.record, *slot);
  if (took_ns.ok()) return slot;
  engine.slots.pop_back();
  give_back(runtime, engine, bytes);
  return took_ns.error();
}

}  // namespace skua
