// The second half of the engine gate: from verified bytes to a resident, proven engine.
// Order: configuration -> memory budget -> deserialise -> contract -> memory for every lane -> golden
// vectors -> warm-up.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "cache/golden.h"
#include "cache/verified_engine.h"
#include "inference/runtime_state.h"

namespace skua {

struct AdmissionSteps {
  /// InferenceRuntime's virtual functions, bound.
  std::function<Status(const EngineRecord&)> check_record;
  std::function<Result<std::unique_ptr<LoadedEngine>>(VerifiedEngine)> deserialize;
  bool is_memory_judged = false;  ///< what the device has free: for a whole set, before its first engine
};

/// Makes `verified` resident and proven, on lanes that are yet to be warmed up. On any error nothing stays:
/// memory and budget are given back.
Result<std::shared_ptr<EngineState>> admit_engine(RuntimeState& runtime, const AdmissionSteps& steps,
                                                  VerifiedEngine verified, const GoldenVectors& golden,
                                                  EngineLoadTimes& times);

/// Warms one lane up; in ns, how long that took.
Result<std::int64_t> warm_up(const RuntimeState& runtime, const EngineRecord& record, ExecutionSlot& slot);

/// The error of loading `file` in the class that loading promises: what a strategy or a file calls a wrong
/// argument or a failed read is a refusal of this engine here.
Error as_refusal(Error error, const std::string& file);

/// OutOfMemoryError (memory_budget_exceeded).
Error budget_error(const std::string& model, std::uint64_t bytes, std::uint64_t used, std::uint64_t limit);

/// OutOfMemoryError (out_of_memory): the budget would allow it, and the device has not got it. `claimed` is
/// what the same load takes before it and beside it.
Error free_memory_error(const std::string& model, std::uint64_t bytes, std::uint64_t claimed,
                        std::uint64_t free);

/// What an engine takes of the budget: its own bytes, and those of every lane that runs it.
std::uint64_t bytes_with_lanes(const RuntimeState& runtime, const EngineRecord& record);

/// A lane that comes after its engine: adds a slot to a resident engine, within the budget and what the
/// device has free, and warms it up. On any error the engine is as it was. Requires the table mutex, or a
/// state that nobody else can see yet.
Result<ExecutionSlot*> add_warm_slot(RuntimeState& runtime, EngineState& engine,
                                     const std::shared_ptr<LaneState>& lane);

}  // namespace skua
