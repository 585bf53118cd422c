// From a configuration to the composed component, as the aircraft does it: one runtime, built once and shared
// by everybody, or an AirborneBootstrapError that an operator can act on. Thread-safety: no state; call from
// one thread at start-up.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "skua/lightglue.h"
#include "skua/runtime_factory.h"

namespace skua {

/// A runtime that may fly, and the CMake option that builds it.
struct AirborneBuildFlag {
  std::string_view runtime;     ///< label
  std::string_view build_flag;  ///< CMake option
};
/// The runtimes that may fly. `onnx_trt_ep` is not among them: it is for research.
inline constexpr std::array<AirborneBuildFlag, 2> C7_AIRBORNE_BUILD_FLAGS{
    {{"tensorrt", "BUILD_TENSORRT_RUNTIME"}, {"pytorch_fp16", "BUILD_PYTORCH_FP16_RUNTIME"}}};

inline constexpr std::string_view kInferenceKey = "c7_inference";
inline constexpr std::string_view kLightGlueKey = "c3_lightglue_runtime";

/// A consumer and the pre-constructed instances without which it cannot be composed.
struct RequiredKeys {
  std::string_view consumer;
  std::array<std::string_view, 2> keys;  ///< an empty one at the end where there is only one
};
inline constexpr std::array<RequiredKeys, 4> AIRBORNE_REQUIRED_PRE_CONSTRUCTED_KEYS{
    {{"c2_vpr", {kInferenceKey, {}}},
     {"c2_5_rerank", {kInferenceKey, kLightGlueKey}},
     {"c3_matcher", {kInferenceKey, kLightGlueKey}},
     {"c3_5_adhop", {kInferenceKey, kLightGlueKey}}}};

/// `mode` of the stack's configuration: a flight, or a recorded one that is played again.
enum class FlightMode : std::uint8_t { kLive, kReplay };

/// What the bootstrap reads of the stack's configuration. Frozen once read.
struct AirborneConfig {
  FlightMode mode = FlightMode::kLive;
  bool has_inference_block = false;  ///< `components.c7_inference` was given
  RuntimeConfig inference;           ///< the defaults where it was not
  /// Which of the four consumers the configuration has; nullopt: the file has no `components`, none is known.
  std::optional<std::vector<std::string>> consumers;

  /// False in a replay without the block, which has no use for inference: neither key is constructed.
  bool uses_inference() const noexcept { return mode != FlightMode::kReplay || has_inference_block; }
};

/// What is built exactly once, before any consumer, by key.
using PreConstructedValue =
    std::variant<std::shared_ptr<InferenceRuntime>, std::shared_ptr<LightGlueRuntime>>;
using PreConstructed = std::map<std::string, PreConstructedValue, std::less<>>;

/// What the bootstrap needs from its program. References must outlive what is built.
struct AirborneSurroundings {
  HostTuple host;
  Clock* clock = &system_clock();
  EventSink* events = &null_event_sink();
  std::filesystem::path thermal_root = "/";
  /// The set that state_dir says is in the air; empty: none is. Where CURRENT names it this start is a reboot
  /// in flight (F8), else a take-off (F2).
  std::string set_in_flight;
  /// Everything is judged and built as for a flight, and nothing is written.
  bool is_dry = false;
  /// How a runtime is built; tests count the calls.
  std::function<Result<std::unique_ptr<InferenceRuntime>>(RuntimeEnvironment)> build_runtime =
      build_inference_runtime;
};

/// Everything of a flight that was constructed before its consumers.
struct PreConstruction {
  PreConstructed entries;  ///< both keys, or none in a replay without the block
  std::string set_id;      ///< empty where no set was loaded
  EngineSet engines;       ///< handles by logical name
};

/// Builds the configured runtime once, loads the set that CURRENT names, then the LightGlue runtime from
/// `lightglue_model`, on lanes of its own ("c3_lightglue_runtime", "c3_lightglue_runtime_1", ...), which run
/// that engine alone. The set must be no older than the last one accepted, whose release sequence `state_dir`
/// holds, at most `release_sequence_step` ahead of it, and, where `is_clock_trusted`, not expired; once all
/// is built its own sequence is written there. In a reboot in flight an expired set, and a release sequence
/// that cannot be read or written, are told as a WARN. With mode replay and no `c7_inference` block: neither,
/// and no error. Errors: AirborneBootstrapError, with the cause kept, when no airborne runtime can be had and
/// a consumer needs it; its message names the missing key, both flags with their runtimes, and the consumers
/// (all four where none is known). A `runtime` outside C7_AIRBORNE_BUILD_FLAGS gives the same error, whether
/// or not its own flag is on. Where a configuration has `components` and none of the four consumers, the
/// runtime's own RuntimeNotAvailableError. Gate refusals and OutOfMemoryError as load_flight_set;
/// ManifestError (ratchet_damaged, ratchet_not_written) and the safe-file refusals of `state_dir`. Seconds.
Result<PreConstruction> build_pre_constructed(const AirborneConfig& config,
                                              const AirborneSurroundings& surroundings);

/// What a consumer is given. Both are the instances of `PreConstructed`, never copies.
struct Injected {
  std::shared_ptr<InferenceRuntime> inference;
  std::shared_ptr<LightGlueRuntime> lightglue;  ///< null for a consumer that does not need it
};

/// A component of the flight, made by its factory and owned by the composition.
class Consumer {
 public:
  virtual ~Consumer() = default;
  /// What the configuration calls it, e.g. "c2_vpr".
  virtual std::string_view slug() const noexcept = 0;
  /// The runtime it holds; for the check that everybody holds the same.
  virtual const InferenceRuntime* inference() const noexcept = 0;
};

/// How compose_root makes one kind of consumer.
struct ConsumerFactory {
  std::string_view slug;
  std::function<Result<std::unique_ptr<Consumer>>(const Injected&)> create;
};

/// Gives every configured consumer that has a factory what it needs, then seals the runtime. Every required
/// key must be present and not null: AirborneBootstrapError (pre_constructed_missing) naming every missing
/// key with every consumer that needs it. A factory's error is passed on. Without known consumers
/// (`config.consumers` is nullopt) every factory is one, but in a replay without the `c7_inference` block
/// none is. InternalError for a consumer, or a matcher, that holds another runtime than `c7_inference`.
Result<std::vector<std::unique_ptr<Consumer>>> compose_root(const AirborneConfig& config,
                                                            const PreConstructed& pre_constructed,
                                                            std::span<const ConsumerFactory> factories);

/// What an operator reads on stderr: "airborne_bootstrap: <message> [<reason>]", with the cause behind it.
std::string operator_text(const Error& error);

}  // namespace skua
