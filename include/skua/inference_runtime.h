// InferenceRuntime: run these networks, now, on the engine that was proven on the ground, or say that there
// is no result. The public functions are not virtual, so that gate, memory budget, lanes, golden check and
// events apply to every strategy. Strategies implement the protected ones and only ever see a VerifiedEngine.
//
// Thread-safety: loading, binding, releasing and compiling are serialised inside (one lock, off the hot
// path). `BoundInference::run` on different lanes takes no lock in common.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "skua/bound_inference.h"
#include "skua/build_config.h"
#include "skua/engine_cache_entry.h"
#include "skua/engine_set.h"
#include "skua/ports.h"
#include "skua/runtime_config.h"
#include "skua/tensor.h"
#include "skua/thermal_state.h"

namespace skua {

class VerifiedEngine;  // src/cache/verified_engine.h: only the engine gate makes one
class LoadedEngine;    // src/inference/strategy.h: a strategy's deserialised engine
struct RuntimeState;
struct EngineRecord;
struct AdmissionSteps;

/// Everything a runtime is built from. References must outlive the runtime, and every BoundInference::run
/// that began before the runtime went.
struct RuntimeEnvironment {
  RuntimeConfig config;
  Role role = Role::kAirborne;
  HostTuple host;
  Clock* clock = &system_clock();
  EventSink* events = &null_event_sink();
  /// Where the thermal sensors of sysfs are sought; another folder for tests alone.
  std::filesystem::path thermal_root = "/";
  /// Set by a signal handler: a build in progress stops, nothing is published. nullptr: never cancelled.
  const std::atomic<bool>* cancel_requested = nullptr;
};

/// What every consumer holds: one strategy behind one set of rules (see the top of this file).
class InferenceRuntime {
 public:
  InferenceRuntime(const InferenceRuntime&) = delete;
  InferenceRuntime& operator=(const InferenceRuntime&) = delete;
  virtual ~InferenceRuntime();

  /// Compiles a model into the engine cache (`config.engine_cache_dir`), in a process of its own. Ground
  /// only; an airborne runtime answers EngineBuildError (airborne_cannot_build). Seconds to minutes. On any
  /// error, and on cancellation, the cache is as it was. EngineBuildError, CalibrationCacheError,
  /// InvalidArgumentError.
  Result<EngineCacheEntry> compile_engine(const std::filesystem::path& model_path, const BuildConfig& build);

  /// Loads one engine; the engine gate judges it. Ground: from the engine cache. Airborne: answers with the
  /// loaded flight set's engine of equal SHA-256, or refuses. EngineDeserializeError and its subclasses,
  /// OutOfMemoryError.
  Result<EngineHandle> deserialize_engine(const EngineCacheEntry& entry);

  /// Take-off: verifies the set, then loads every engine of it, or none. A refused engine does not keep
  /// the others from being judged; the first refusal decides the error. Reads and hashes the whole set. A
  /// second set while one is loaded is InvalidArgumentError.
  Result<EngineSet> load_flight_set(const std::filesystem::path& set_dir, const GatePolicy& policy);

  /// One run with inputs given by name (all of them, of the engine's dtype, inside its profile); outputs are
  /// the caller's. Copies inputs in and outputs out; allocates the outputs. Consumers who run every frame use
  /// `bind`. InvalidArgumentError (missing_input, unknown_name, dtype_mismatch, shape_mismatch,
  /// device_mismatch, foreign_handle, and those of `bind` for the lane), InferenceError and OutOfMemoryError
  /// as BoundInference::run.
  Result<TensorMap> infer(const EngineHandle& handle, const TensorMap& inputs,
                          const InferOptions& options = {});

  /// Places memory for (engine, lane), once. Before the seal any lane will do; after it only what load has
  /// prepared. InvalidArgumentError (foreign_handle for a handle or a lane that is empty or of another
  /// runtime, lane_not_declared after the seal); before the seal OutOfMemoryError where the lane's memory
  /// does not fit, or the error of its first run.
  Result<BoundInference> bind(const EngineHandle& handle, const Lane& lane);

  /// A lane for `consumer`; the same one each time. After `seal()` only declared lanes are handed out:
  /// InvalidArgumentError (lane_not_declared). The same error class for an empty name.
  Result<Lane> create_lane(std::string_view consumer);

  /// What an engine is. InvalidArgumentError (foreign_handle) for a handle that names none of this runtime's.
  Result<EngineInfo> info(const EngineHandle& handle) const;

  /// Gives the engine up, for every holder of a copy of this handle, and resets the handle. Idempotent. Bound
  /// inferences that outlive it answer `engine_released`; the memory goes with the last of them.
  void release_engine(EngineHandle& handle);

  /// Starts reading the configured thermal source, at `thermal_poll_hz`, until the runtime goes. An airborne
  /// runtime comes with it started; a ground program that wants it asks. TelemetryUnavailableError when no
  /// sensor answers (told as a WARN too): the program may go on, thermal_state() then says "not available".
  /// InvalidArgumentError for a `thermal_cpu` that this process may not use. Idempotent. At most about 100
  /// ms; two threads.
  Status start_telemetry();

  /// The last snapshot; never fails, never blocks, asks no clock: a copy of a few nanoseconds, from any
  /// thread. Before start_telemetry, and when no reading came for three periods: not available. A child
  /// process after fork() has no telemetry threads and keeps the last state for ever: start telemetry in the
  /// process that uses it.
  ThermalState thermal_state() const noexcept;

  /// The strategy's label, e.g. "onnx_trt_ep". As long as the runtime.
  std::string_view current_runtime_label() const noexcept;

  /// From here on nothing is created any more. Idempotent.
  void seal() noexcept;

 protected:
  explicit InferenceRuntime(RuntimeEnvironment environment, std::string label);

  const RuntimeEnvironment& environment() const noexcept;

  // Those below, but for on_seal, may be called from several threads at once, for different engines: a set is
  // loaded so.

  /// Hands the verified bytes to the SDK. The only function of a strategy that sees engine bytes; `engine` is
  /// consumed, its buffer is freed as soon as the SDK has taken what it needs.
  virtual Result<std::unique_ptr<LoadedEngine>> deserialize(VerifiedEngine engine) = 0;

  /// Whether an engine built under `recorded` options (provider, device, threads, library) is what this
  /// runtime is configured to run: EngineDeserializeError (runtime_mismatch) naming the option otherwise.
  virtual Status check_record(const EngineRecord& record) const = 0;

  /// Whether engines run on the GPU: decides which finer host facts bind them.
  virtual bool uses_gpu() const noexcept = 0;

  /// Bytes that the device could still give; nothing where nobody can say, and the budget alone decides.
  virtual Result<std::optional<std::uint64_t>> free_memory() const { return std::optional<std::uint64_t>(); }

  /// Called once, by seal(): whatever is placed afterwards is a defect.
  virtual void on_seal() noexcept {}

 private:
  AdmissionSteps admission_steps();
  std::unique_ptr<RuntimeState> state_;
};

}  // namespace skua
