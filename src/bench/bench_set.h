// A flight set opened for measuring: resident in Skua and, where the runtime's adapter is installed, callable
// through the raw SDK beside it. The inputs are the set's golden ones.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cache/set_gate.h"
#include "inference/module_loader.h"
#include "skua/inference_runtime.h"

namespace skua::bench {

struct SetOptions {
  std::filesystem::path set_dir;  ///< a flight set's own folder
  GatePolicy policy;
  std::vector<std::pair<std::string, std::string>>
      settings;  ///< fields of RuntimeConfig, over the manifest's
  EventSink* events = &null_event_sink();
  const std::atomic<bool>* cancel_requested = nullptr;
  /// false: both call one session over the same memory, so that nothing differs but the call. true: the
  /// runtime module as it flies, and a session of the SDK's own made from the same verified bytes with the
  /// same options; twice the memory, and where it comes to lie makes some per cent of difference.
  bool has_own_sessions = false;
};

/// One engine, fed and ready. Goes before the set that it came from.
struct BenchedEngine {
  const EngineRecord* record = nullptr;  ///< the manifest's
  EngineHandle handle;
  EngineInfo info;
  TensorMap inputs;                     ///< the golden ones
  std::optional<BoundInference> bound;  ///< holds them already
  std::unique_ptr<RawSession> raw;      ///< likewise; null where there is no adapter
};

class BenchSet {
 public:
  /// Both gates, then everything resident. Errors are those of load_flight_set and build_inference_runtime.
  static Result<BenchSet> open(const SetOptions& options);

  const std::string& set_id() const noexcept { return engines_.set_id; }
  const RuntimeConfig& config() const noexcept { return config_; }
  InferenceRuntime& runtime() noexcept { return paired_ != nullptr ? paired_->runtime() : *runtime_; }
  /// Why there is no raw SDK to measure against; empty when there is.
  const std::string& why_no_raw() const noexcept { return why_no_raw_; }
  /// Logical names, most critical first.
  std::vector<std::string> models() const;

  /// Binds one engine on the lane of `consumer`, and places it for raw calls. InvalidArgumentError
  /// (unknown_name) listing the set's; the gate's errors.
  Result<BenchedEngine> engine(std::string_view model, std::string_view consumer = "default");

 private:
  BenchSet() = default;
  Status open_raw_module();
  Status create_runtime(const SetOptions& options);
  Result<std::unique_ptr<RawSession>> raw_session(BenchedEngine& engine);
  Result<std::unique_ptr<RawSession>> own_raw_session(const BenchedEngine& engine);
  Result<const EngineRecord*> record_of(std::string_view model) const;

  RuntimeConfig config_;
  HostTuple host_;
  AdmittedSet admitted_;
  std::unique_ptr<Folder> golden_;
  std::unique_ptr<PairedRuntime> paired_;  // one of the two
  std::unique_ptr<InferenceRuntime> runtime_;
  EngineSet engines_;
  const RawModule* raw_module_ = nullptr;
  std::string why_no_raw_;
};

/// Whether every way to call gives the same result from the same inputs, within the tolerance of the set's
/// golden check. What computes something else must not be compared by its time. Without a raw session:
/// success.
Status check_same_results(BenchedEngine& engine);

}  // namespace skua::bench
