// Resolving handles and lanes to the memory placed for them.
#pragma once

#include <memory>

#include "inference/runtime_state.h"

namespace skua {

/// InvalidArgumentError (foreign_handle) for an empty handle or another runtime's.
Status check_handle(const RuntimeState& state, const EngineState* engine);

/// The lane of a name, made on first use (`engine`: see LaneState). Requires the table mutex, or a runtime
/// that nobody else can see yet.
std::shared_ptr<LaneState> ensure_lane(RuntimeState& state, std::string_view consumer,
                                       std::string_view engine = {});

/// The lane that every runtime has.
std::shared_ptr<LaneState> default_lane(const RuntimeState& state);

/// The slot of (engine, lane): prepared at load, or made now where nothing is sealed yet. After the seal it
/// takes no lock, and what was not prepared is InvalidArgumentError (lane_not_declared).
Result<ExecutionSlot*> slot_for(RuntimeState& state, EngineState& engine,
                                const std::shared_ptr<LaneState>& lane);

}  // namespace skua
