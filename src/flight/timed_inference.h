// A bound engine whose runs are timed.
#pragma once

#include <cstdint>

#include "skua/inference_runtime.h"
#include "skua/ports.h"

namespace skua::flight {

/// One consumer's engine on its lane. One thread.
class TimedInference {
 public:
  /// Binds `engine` to the lane `consumer`. Errors: those of info, create_lane and bind.
  static Result<TimedInference> create(InferenceRuntime& runtime, const EngineHandle& engine,
                                       std::string_view consumer);

  /// As BoundInference::run.
  Status run(const InferOptions& options) noexcept {
    const std::int64_t start_ns = clock_->monotonic_ns();
    Status status = bound_.run(options);
    last_ns_ = clock_->monotonic_ns() - start_ns;
    return status;
  }
  BoundInference& bound() noexcept { return bound_; }
  const EngineInfo& info() const noexcept { return info_; }
  /// How long the last run took.
  std::int64_t last_ns() const noexcept { return last_ns_; }

 private:
  TimedInference(BoundInference bound, EngineInfo info) noexcept
      : bound_(std::move(bound)), info_(std::move(info)) {}

  BoundInference bound_;
  EngineInfo info_;
  const Clock* clock_ = &system_clock();  ///< real time, whatever the program's clock: it is a measurement
  std::int64_t last_ns_ = 0;
};

/// EngineDeserializeError (contract_mismatch): what `consumer` needs of `model`, and what the engine has
/// instead.
Error contract_error(std::string_view consumer, const EngineInfo& info, const std::string& expected,
                     const std::string& found);
/// "name dtype shape, ..." of an engine's inputs or outputs.
std::string describe(const std::vector<TensorSpec>& specs);
/// The index of `name`; nullopt when there is none.
std::optional<std::size_t> index_of(const std::vector<TensorSpec>& specs, std::string_view name) noexcept;

}  // namespace skua::flight
