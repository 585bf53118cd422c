// What stands behind the handles: engines, lanes, and the memory placed for each (engine, lane).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/engine_record.h"
#include "inference/strategy.h"
#include "skua/inference_runtime.h"
#include "telemetry/poller.h"

namespace skua {

inline constexpr std::string_view kDefaultLane = "default";

/// What handles and lanes share with their runtime and may outlive it with: its identity (the address, which
/// is not used again while anybody holds it), its budget, and whether it is still there.
struct RuntimeShare {
  std::atomic<std::uint64_t> budget_used{0};
  std::atomic<bool> is_alive{true};
};

struct LaneState {
  std::string consumer;
  std::string engine;  ///< the one engine that load places memory for; empty: every engine
  std::shared_ptr<const RuntimeShare> runtime;
  std::atomic<bool> is_busy{false};
};

/// Holds a lane for the length of one call; a busy lane is not waited for.
class LaneHold {
 public:
  explicit LaneHold(LaneState& lane) noexcept
      : lane_(lane), is_held_(!lane.is_busy.exchange(true, std::memory_order_acquire)) {}
  LaneHold(const LaneHold&) = delete;
  LaneHold& operator=(const LaneHold&) = delete;
  ~LaneHold() {
    if (is_held_) lane_.is_busy.store(false, std::memory_order_release);
  }
  bool is_held() const noexcept { return is_held_; }

 private:
  LaneState& lane_;
  bool is_held_;
};

/// One (engine, lane). Touched only by whoever holds the lane.
struct ExecutionSlot {
  std::shared_ptr<LaneState> lane;
  std::unique_ptr<Execution> execution;
  bool has_result = false;
};

struct EngineState {
  std::shared_ptr<RuntimeShare> runtime;  ///< the budget is given back on destruction
  EngineRecord record;
  EngineReport report;
  std::uint64_t resident_bytes = 0;
  std::atomic<bool> is_released{false};
  // Executions refer to the loaded engine: declared after it, destroyed before it.
  std::unique_ptr<LoadedEngine> loaded;
  std::vector<std::unique_ptr<ExecutionSlot>> slots;

  EngineState() = default;
  EngineState(const EngineState&) = delete;
  EngineState& operator=(const EngineState&) = delete;
  ~EngineState();
};

struct RuntimeState {
  RuntimeEnvironment environment;
  std::string label;
  std::function<Result<std::optional<std::uint64_t>>()> free_memory;  ///< the strategy's, bound
  std::shared_ptr<RuntimeShare> share = std::make_shared<RuntimeShare>();
  std::atomic<bool> is_sealed{false};

  std::mutex load_mutex;           ///< serialises loading and compiling; may be held for minutes
  mutable std::mutex table_mutex;  ///< guards the tables below and every EngineState::slots until the seal
  std::map<std::string, std::shared_ptr<LaneState>, std::less<>> lanes;
  std::shared_ptr<LaneState> default_lane;  ///< set once, at construction
  std::string loaded_set_id;                ///< empty: no flight set is loaded
  std::vector<std::shared_ptr<EngineState>> flight_engines;

  std::mutex telemetry_mutex;             ///< guards the making of `poller`; a load may take minutes
  std::unique_ptr<ThermalPoller> poller;  ///< made once
  std::atomic<const ThermalPoller*> thermal{nullptr};  ///< the same, for readers on any thread
};

/// Bytes of one lane's inputs and outputs at their capacity, plus the engine's own scratch.
std::uint64_t lane_bytes(const EngineRecord& record);

/// Checks `shape` for input `index` against the record: static dimensions, or the profile's range.
Status check_input_shape(const EngineRecord& record, std::size_t index, const Shape& shape);

/// The index of a name, or InvalidArgumentError (unknown_name) listing the known ones.
Result<std::size_t> index_of(const std::vector<TensorSpec>& specs, std::string_view name,
                             std::string_view what);

/// nullptr when there is none.
ExecutionSlot* find_slot(EngineState& engine, const LaneState& lane) noexcept;

/// Neither released nor left behind by a runtime that is gone (its clock may be gone with it).
bool is_usable(const EngineState& engine) noexcept;

/// Runs a slot whose lane the caller holds. Allocates nothing of ours; see BoundInference::run.
Status run_slot(EngineState& engine, ExecutionSlot& slot, const InferOptions& options,
                const Clock& clock) noexcept;

struct BoundInference::Impl {
  std::shared_ptr<EngineState> engine;
  std::shared_ptr<LaneState> lane;
  ExecutionSlot* slot;  ///< owned by `engine`
  const Clock* clock;
  EventSink* events;
};

}  // namespace skua
