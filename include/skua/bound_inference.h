// What a consumer holds: an engine, a lane, and the two bound together. Made by InferenceRuntime.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "skua/result.h"
#include "skua/tensor.h"

namespace skua {

class InferenceRuntime;
struct EngineState;
struct LaneState;

/// An engine that is resident. Copyable; copies name the same engine and keep it alive. A default-constructed
/// or released handle names none. Handles carry their runtime's identity: another runtime refuses them.
class EngineHandle {
 public:
  EngineHandle() = default;
  explicit operator bool() const noexcept { return state_ != nullptr; }
  friend bool operator==(const EngineHandle&, const EngineHandle&) = default;

 private:
  friend class InferenceRuntime;
  explicit EngineHandle(std::shared_ptr<EngineState> state) noexcept : state_(std::move(state)) {}
  std::shared_ptr<EngineState> state_;
};

/// One consumer's private execution resources. One thread at a time: a lane that is in use answers
/// `lane_busy` at once, it never queues. Copyable; copies name the same lane.
class Lane {
 public:
  Lane() = default;
  /// Whose lane it is; empty for a default-constructed one.
  std::string_view consumer() const noexcept;

 private:
  friend class InferenceRuntime;
  explicit Lane(std::shared_ptr<LaneState> state) noexcept : state_(std::move(state)) {}
  std::shared_ptr<LaneState> state_;
};

/// What one run may be told.
struct InferOptions {
  std::optional<std::uint64_t> frame;       ///< for log records
  std::optional<std::int64_t> deadline_ns;  ///< absolute, Clock::monotonic_ns
  const Lane* lane = nullptr;               ///< `infer` only; nullptr: the lane "default"
};

/// An engine bound to a lane: memory placed once, then run again and again. Movable. Keeps engine and lane
/// alive. Not thread-safe: it belongs to whoever uses its lane.
class BoundInference {
 public:
  BoundInference(BoundInference&&) noexcept;
  BoundInference& operator=(BoundInference&&) noexcept;
  ~BoundInference();

  /// How many inputs and outputs the engine has.
  std::size_t input_count() const noexcept;
  /// See input_count.
  std::size_t output_count() const noexcept;
  /// Where to write input `index` before `run()`. Valid as long as this object; its shape follows
  /// `set_shape`. Requires index < input_count().
  TensorView input(std::size_t index) const noexcept;
  /// The same by name; InvalidArgumentError (unknown_name) where the engine has none of it.
  Result<TensorView> input(std::string_view name) const;
  /// Gives an input another shape inside its profile; InvalidArgumentError (shape_mismatch) otherwise, and
  /// then nothing has changed. May allocate inside the SDK; not for the hot path when shapes can be fixed.
  Status set_shape(std::string_view name, const Shape& shape);
  /// Runs once. No allocation, lock, log or throw of ours; the SDK's own are documented per runtime. On an
  /// error no output is valid. InferenceError (deadline_missed, lane_busy, engine_released, output_overflow,
  /// execution_failed) or OutOfMemoryError. Errors of this function carry a reason and a native code;
  /// `message` may be empty.
  Status run(const InferOptions& options = {}) noexcept;
  /// The result of the last successful run; valid until this lane runs again. A data-dependent output has the
  /// shape of that run. After a failed run its data is nullptr. Requires index < output_count().
  TensorView output(std::size_t index) const noexcept;
  /// The same by name; InvalidArgumentError (unknown_name) where the engine has none of it.
  Result<TensorView> output(std::string_view name) const;

 private:
  friend class InferenceRuntime;
  struct Impl;
  explicit BoundInference(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace skua
