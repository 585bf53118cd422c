// A strategy that serves the four networks of a flight by logical name: `vpr`, `features`, `matcher` and
// `adhop`, each as simple as its consumer's contract allows. It stands for no runtime and no real network:
// the answers follow from the pixels by a rule that a test can work out by hand.
#pragma once

#include <array>
#include <atomic>
#include <climits>
#include <functional>
#include <memory>
#include <vector>

#include "cache/verified_engine.h"
#include "inference/strategy.h"
#include "network_rules.h"
#include "skua/inference_runtime.h"

namespace skua::flight::test {

/// Of one network. Changed between runs, by the thread that runs.
struct NetworkBehaviour {
  NetworkSpecs specs;  ///< others than the usual ones: every output is zero
  std::atomic<int> runs{0};
  int fail_from = INT_MAX, fail_until = INT_MAX;  ///< numbers of runs
  Error error;
  std::function<void()> on_run = [] {};
  std::function<void(const std::array<TensorView, 4>&)> on_inputs = [](const auto&) {};
  std::function<void(RunOutputs&)> after_run = [](RunOutputs&) {};
};

struct FlightBehaviour {
  FlightBehaviour() {
    for (std::size_t i = 0; i < kNetworks; ++i) networks[i].specs = usual_specs(static_cast<Network>(i));
  }
  NetworkBehaviour& of(Network network) { return networks[static_cast<std::size_t>(network)]; }
  /// Lets `count` runs fail, the `skip` next ones not.
  void fail(Network network, Reason reason, int count = INT_MAX, int skip = 0, int native_code = 0) {
    NetworkBehaviour& one = of(network);
    one.error = Error{ErrorCode::kInference, reason, native_code, {}};
    one.fail_from = one.runs + skip;
    one.fail_until = count == INT_MAX ? INT_MAX : one.fail_from + count;
  }
  void mend(Network network) { of(network).fail_from = of(network).fail_until = INT_MAX; }

  std::array<NetworkBehaviour, kNetworks> networks;
  std::size_t spoiled_matches = 0;  ///< so many of a pair's matches lead elsewhere
  std::array<float, 8> corner_offsets{};
  float confidence = 1.0F;
};

inline void compute(Network network, const FlightBehaviour& behaviour,
                    const std::array<TensorView, 4>& inputs, const RunOutputs& outputs) {
  if (network == Network::kVpr) run_vpr(inputs[0], outputs[0]);
  if (network == Network::kFeatures) run_features(inputs[0], outputs);
  if (network == Network::kMatcher) run_matcher(inputs[2], inputs[3], behaviour.spoiled_matches, outputs);
  if (network != Network::kAdhop) return;
  std::copy(behaviour.corner_offsets.begin(), behaviour.corner_offsets.end(), outputs[0].as<float>().begin());
  outputs[1].as<float>()[0] = behaviour.confidence;
}

class NetworkExecution final : public Execution {
 public:
  NetworkExecution(FlightBehaviour& behaviour, Network network) : behaviour_(behaviour), network_(network) {
    place(behaviour.of(network).specs.inputs, inputs_);
    place(behaviour.of(network).specs.outputs, outputs_);
    whole_ = outputs_;
    is_usual_ = behaviour.of(network).specs == usual_specs(network);
  }
  TensorView input(std::size_t index) const noexcept override { return inputs_[index]; }
  TensorView output(std::size_t index) const noexcept override { return outputs_[index]; }
  Status set_input_shape(std::size_t, const Shape&) override { return {}; }
  Status run(std::optional<std::int64_t>) noexcept override {
    NetworkBehaviour& own = behaviour_.of(network_);
    const int number = own.runs++;
    own.on_run();
    own.on_inputs(inputs_);
    if (number >= own.fail_from && number < own.fail_until) return own.error;
    outputs_ = whole_;
    if (is_usual_) compute(network_, behaviour_, inputs_, outputs_);
    own.after_run(outputs_);
    return {};
  }

 private:
  template <std::size_t kCount>
  void place(const std::vector<TensorSpec>& specs, std::array<TensorView, kCount>& views) {
    for (std::size_t i = 0; i < specs.size() && i < kCount; ++i) {
      memory_.push_back(Tensor::allocate(specs[i].dtype, specs[i].max_shape).value());
      views[i] = memory_.back().view();
    }
  }
  FlightBehaviour& behaviour_;
  Network network_;
  std::vector<Tensor> memory_;
  std::array<TensorView, 4> inputs_;
  RunOutputs outputs_, whole_;
  bool is_usual_ = true;
};

class NetworkEngine final : public LoadedEngine {
 public:
  NetworkEngine(FlightBehaviour& behaviour, Network network) : behaviour_(behaviour), network_(network) {}
  EngineReport report() const override {
    const NetworkSpecs& specs = behaviour_.of(network_).specs;
    return {specs.inputs, specs.outputs, "cpu", "fake", "fp32", "1"};
  }
  Result<std::unique_ptr<Execution>> create_execution() override {
    return std::unique_ptr<Execution>(std::make_unique<NetworkExecution>(behaviour_, network_));
  }

 private:
  FlightBehaviour& behaviour_;
  Network network_;
};

}  // namespace skua::flight::test
