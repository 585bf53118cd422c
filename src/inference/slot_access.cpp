#include "inference/slot_access.h"

#include "inference/admission.h"

namespace skua {
namespace {

Error argument_error(Reason reason, std::string message) {
  return make_error(ErrorCode::kInvalidArgument, reason, std::move(message));
}

}  // namespace

std::shared_ptr<LaneState> ensure_lane(RuntimeState& state, std::string_view consumer,
                                       std::string_view engine) {
  if (const auto found = state.lanes.find(consumer); found != state.lanes.end()) return found->second;
  auto lane = std::make_shared<LaneState>();
  lane->consumer = std::string(consumer);
  lane->engine = std::string(engine);
  lane->runtime = state.share;
  state.lanes.emplace(lane->consumer, lane);
  return lane;
}

Status check_handle(const RuntimeState& state, const EngineState* engine) {
  if (engine == nullptr)
    return argument_error(Reason::kForeignHandle, "the engine handle is empty or was released");
  if (engine->runtime != state.share) {
    return argument_error(Reason::kForeignHandle,
                          "the handle of " + engine->record.model + " belongs to another runtime");
  }
  return {};
}

Result<ExecutionSlot*> slot_for(RuntimeState& state, EngineState& engine,
                                const std::shared_ptr<LaneState>& lane) {
  if (lane == nullptr || lane->runtime != state.share) {
    return argument_error(Reason::kForeignHandle, "the lane is empty or belongs to another runtime");
  }
  // After the seal the tables are constant: the hot path needs no lock.
  if (!state.is_sealed.load(std::memory_order_acquire)) {
    const std::lock_guard lock(state.table_mutex);
    if (ExecutionSlot* slot = find_slot(engine, *lane); slot != nullptr) return slot;
    // The seal may have come while we waited for the lock; then the tables stay as they are.
    if (!state.is_sealed) return add_warm_slot(state, engine, lane);
  }
  if (ExecutionSlot* slot = find_slot(engine, *lane); slot != nullptr) return slot;
  return argument_error(Reason::kLaneNotDeclared, "lane '" + lane->consumer + "' was not prepared for " +
                                                      engine.record.model +
                                                      " before the seal; declare it in the configuration");
}

std::shared_ptr<LaneState> default_lane(const RuntimeState& state) { return state.default_lane; }

}  // namespace skua
