// A strategy for tests of the base: it multiplies its input by two. It stands for no real runtime; the
// conformance suite runs over the real ones.
#pragma once

#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "cache/engine_record.h"
#include "cache/golden.h"
#include "cache/verified_engine.h"
#include "inference/strategy.h"
#include "skua/inference_runtime.h"

namespace skua::test {

/// What the fake does at each step; tests change single members.
struct FakeBehaviour {
  std::function<void()> on_run = [] {};
  std::function<Status(const EngineRecord&)> on_deserialize = [](const EngineRecord&) { return Status(); };
  std::function<void(const VerifiedEngine&)> on_bytes = [](const VerifiedEngine&) {};
  std::function<void(const EngineRecord&)> on_check = [](const EngineRecord&) {};
  std::function<Status(const std::string& model)> on_warm_up = [](const std::string&) { return Status(); };
  std::function<void(const std::string& model)> on_model_run = [](const std::string&) {};
  Error run_error;  ///< used when `fail_run`
  bool fail_run = false;
  bool wrong_result = false;
  bool wrong_dtype = false;
  bool fail_placement = false;
  std::atomic<int> deserialize_count{0};
  std::atomic<int> execution_count{0};
  std::atomic<int> engines_alive{0};
  std::optional<std::uint64_t> free_bytes;  ///< what the device could still give; nothing: nobody knows
  std::atomic<int> free_asked{0};
  int seals = 0;
};

inline constexpr std::int64_t kFakeElements = 4;

class FakeExecution final : public Execution {
 public:
  FakeExecution(FakeBehaviour& behaviour, std::string model)
      : behaviour_(behaviour),
        model_(std::move(model)),
        input_(Tensor::allocate(DType::kFloat32, Shape{kFakeElements}).value()),
        output_(Tensor::allocate(DType::kFloat32, Shape{kFakeElements}).value()) {}
  TensorView input(std::size_t) const noexcept override { return input_.view(); }
  TensorView output(std::size_t) const noexcept override { return output_.view(); }
  Status set_input_shape(std::size_t, const Shape&) override { return {}; }
  Status run(std::optional<std::int64_t>) noexcept override {
    behaviour_.on_run();
    behaviour_.on_model_run(model_);
    if (behaviour_.fail_run) return behaviour_.run_error;
    const auto in = input_.as<float>();
    const auto out = output_.as<float>();
    for (std::size_t i = 0; i < in.size(); ++i) out[i] = behaviour_.wrong_result ? -1.0F : 2.0F * in[i];
    return {};
  }
  Status warm_up(const EngineRecord&) override { return behaviour_.on_warm_up(model_); }

 private:
  FakeBehaviour& behaviour_;
  std::string model_;
  Tensor input_, output_;
};

class FakeEngine final : public LoadedEngine {
 public:
  explicit FakeEngine(FakeBehaviour& behaviour, std::string model = "")
      : behaviour_(behaviour), model_(std::move(model)) {
    ++behaviour_.engines_alive;
  }
  ~FakeEngine() override { --behaviour_.engines_alive; }
  FakeEngine(const FakeEngine&) = delete;
  FakeEngine& operator=(const FakeEngine&) = delete;
  EngineReport report() const override {
    const TensorSpec in{"x", behaviour_.wrong_dtype ? DType::kInt32 : DType::kFloat32, Shape{kFakeElements},
                        Shape{kFakeElements}, false};
    const TensorSpec out{"y", DType::kFloat32, Shape{kFakeElements}, Shape{kFakeElements}, false};
    return {{in}, {out}, "cpu", "fake", "fp32", "1"};
  }
  Result<std::unique_ptr<Execution>> create_execution() override {
    if (behaviour_.fail_placement)
      return make_error(ErrorCode::kInvalidArgument, Reason::kShapeMismatch, "no room");
    ++behaviour_.execution_count;
    return std::unique_ptr<Execution>(std::make_unique<FakeExecution>(behaviour_, model_));
  }

 private:
  FakeBehaviour& behaviour_;
  std::string model_;
};

class FakeRuntime final : public InferenceRuntime {
 public:
  FakeRuntime(RuntimeEnvironment environment, FakeBehaviour& behaviour)
      : InferenceRuntime(std::move(environment), "fake"), behaviour_(behaviour) {}

 protected:
  Result<std::unique_ptr<LoadedEngine>> deserialize(VerifiedEngine engine) override {
    ++behaviour_.deserialize_count;
    behaviour_.on_bytes(engine);
    SKUA_RETURN_IF_ERROR(behaviour_.on_deserialize(engine.record()));
    if (engine.bytes().empty())
      return make_error(ErrorCode::kEngineDeserialize, Reason::kDeserializeFailed, "empty");
    return std::unique_ptr<LoadedEngine>(std::make_unique<FakeEngine>(behaviour_, engine.record().model));
  }
  Status check_record(const EngineRecord& record) const override {
    behaviour_.on_check(record);
    if (record.runtime_label == "fake") return {};
    return make_error(ErrorCode::kEngineDeserialize, Reason::kRuntimeMismatch, "not a fake engine");
  }
  bool uses_gpu() const noexcept override { return false; }
  Result<std::optional<std::uint64_t>> free_memory() const override {
    ++behaviour_.free_asked;
    return behaviour_.free_bytes;
  }
  void on_seal() noexcept override { ++behaviour_.seals; }

 private:
  FakeBehaviour& behaviour_;
};

/// A clock that stands until it is told otherwise.
class ManualClock final : public Clock {
 public:
  std::int64_t monotonic_ns() const noexcept override { return now_ns; }
  std::int64_t utc_us() const noexcept override { return 0; }
  std::int64_t now_ns = 1000;
};

/// Keeps what was emitted, and, without an allocation, the first of what was posted.
class RecordingSink final : public EventSink {
 public:
  RecordingSink() { frames.reserve(4096); }
  void post(const FrameEvent& event) noexcept override {
    const std::lock_guard lock(mutex_);
    if (frames.size() < frames.capacity()) frames.push_back(event);
  }
  void emit(const Event& event) noexcept override {
    const std::lock_guard lock(mutex_);
    events.push_back(event);
  }
  int count(std::string_view kind) const {
    const std::lock_guard lock(mutex_);
    int found = 0;
    for (const Event& event : events) found += event.kind == kind ? 1 : 0;
    return found;
  }
  std::vector<Event> events;
  std::vector<FrameEvent> frames;

 private:
  mutable std::mutex mutex_;
};

}  // namespace skua::test
