// A folder of flight sets and a strategy for tests of the composition: it runs engines of any contract and
// answers zeros, and -1 (no match) for int64 outputs. It stands for no real runtime.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "skua/airborne_bootstrap.h"
#include "temp_folder.h"
#include "tests/unit/inference/fake_cache.h"

namespace skua::test {

inline Tensor filled(const TensorSpec& spec) {
  Tensor tensor = Tensor::allocate(spec.dtype, spec.shape).value();
  const bool is_index = spec.dtype == DType::kInt64;
  std::memset(tensor.view().data, is_index ? 0xFF : 0, tensor.view().size_bytes());
  return tensor;
}

class ContractExecution final : public Execution {
 public:
  explicit ContractExecution(const EngineRecord& record) {
    for (const TensorSpec& spec : record.inputs) inputs_.push_back(filled(spec));
    for (const TensorSpec& spec : record.outputs) outputs_.push_back(filled(spec));
  }
  TensorView input(std::size_t index) const noexcept override { return inputs_[index].view(); }
  TensorView output(std::size_t index) const noexcept override { return outputs_[index].view(); }
  Status set_input_shape(std::size_t, const Shape&) override { return {}; }
  Status run(std::optional<std::int64_t>) noexcept override { return {}; }

 private:
  std::vector<Tensor> inputs_, outputs_;
};

class ContractEngine final : public LoadedEngine {
 public:
  explicit ContractEngine(EngineRecord record) : record_(std::move(record)) {}
  EngineReport report() const override {
    return {record_.inputs, record_.outputs, "cpu", "fake", "fp32", "1"};
  }
  Result<std::unique_ptr<Execution>> create_execution() override {
    return std::unique_ptr<Execution>(std::make_unique<ContractExecution>(record_));
  }

 private:
  EngineRecord record_;
};

class ContractRuntime final : public InferenceRuntime {
 public:
  explicit ContractRuntime(RuntimeEnvironment environment)
      : InferenceRuntime(std::move(environment), "fake") {}

 protected:
  Result<std::unique_ptr<LoadedEngine>> deserialize(VerifiedEngine engine) override {
    return std::unique_ptr<LoadedEngine>(std::make_unique<ContractEngine>(engine.record()));
  }
  Status check_record(const EngineRecord&) const override { return {}; }
  bool uses_gpu() const noexcept override { return false; }
};

/// The contract of LightGlueRuntime, static: four keypoints, eight values per descriptor.
inline EngineRecord matcher_record(const std::string& model) {
  const auto spec = [](const char* name, DType dtype, Shape shape) {
    return TensorSpec{name, dtype, shape, shape, false};
  };
  EngineRecord record = fake_record(model);
  record.inputs = {spec("kpts0", DType::kFloat32, {1, 4, 2}), spec("kpts1", DType::kFloat32, {1, 4, 2}),
                   spec("desc0", DType::kFloat32, {1, 4, 8}), spec("desc1", DType::kFloat32, {1, 4, 8})};
  record.outputs = {spec("matches", DType::kInt64, {1, 4}), spec("scores", DType::kFloat32, {1, 4})};
  record.golden.tolerances = {{"matches", Tolerance{0.0, 0.0, false, 0.0}},
                              {"scores", Tolerance{1e-6, 1e-6, false, 0.0}}};
  return record;
}

inline std::vector<std::byte> golden_of(const EngineRecord& record) {
  TensorMap inputs, outputs;
  for (const TensorSpec& spec : record.inputs) inputs.insert(spec.name, filled(spec)).value();
  for (const TensorSpec& spec : record.outputs) outputs.insert(spec.name, filled(spec)).value();
  return encode_golden(inputs, outputs).value();
}

class AirborneFolder {
 public:
  AirborneFolder() {
    std::filesystem::create_directories(cache_);
    std::filesystem::create_directories(sets_);
    std::filesystem::create_directories(state_);
    write_key("flight.pub", key_);
  }

  /// Publishes a set of these models, `matcher` with the contract of a matcher, and points CURRENT at it.
  void publish_set(const std::vector<std::string>& models, const std::string& matcher,
                   const std::string& set_id = "set-1", const std::function<void(Manifest&)>& edit = {}) {
    std::vector<EngineRecord> records;
    for (const std::string& model : models) {
      records.push_back(publish(model == matcher ? matcher_record(model) : fake_record(model)));
    }
    publish_fake_set(sets_, cache_, records, set_id, edit, signer_);
  }
  /// What publish_set signs with from now on; nullptr: not at all.
  void sign_with(const PrivateKey* key) { signer_ = key; }
  /// The file of the public half, for a configuration to name.
  std::filesystem::path write_key(const std::string& name, const PrivateKey& key) const {
    return root_.write(name, key.public_key().value().pem());
  }

  /// Live, with the block and all four consumers.
  AirborneConfig config() const {
    AirborneConfig config;
    config.has_inference_block = true;
    config.inference.flight_sets_dir = sets_;
    config.inference.state_dir = state_;
    config.inference.trusted_key = root_.path() / "flight.pub";
    config.inference.thermal_source = "null";
    return config;
  }
  const std::filesystem::path& sets() const { return sets_; }
  const std::filesystem::path& state() const { return state_; }
  const std::filesystem::path& root() const { return root_.path(); }
  const PrivateKey& key() const { return key_; }

 private:
  EngineRecord publish(EngineRecord record) const {
    WriterLock cache = WriterLock::take(posix_file_system(), cache_).value();
    const std::string staging = cache.make_staging().value();
    std::vector<std::byte> engine(4096, std::byte{0x5a});
    std::copy_n(reinterpret_cast<const std::byte*>(record.model.data()), record.model.size(), engine.begin());
    write_bytes(cache_ / staging / record.file, engine);
    write_bytes(cache_ / staging / record.golden.file, golden_of(record));
    record = publish_engine(cache, staging, std::move(record)).value();
    cache.discard(staging);
    return record;
  }

  TempFolder root_;
  PrivateKey key_ = PrivateKey::generate().value();
  const PrivateKey* signer_ = &key_;
  std::filesystem::path cache_ = root_.path() / "cache";
  std::filesystem::path sets_ = root_.path() / "sets";
  std::filesystem::path state_ = root_.path() / "state";
};

/// Surroundings whose runtime is a ContractRuntime; counts how often one was asked for.
class AirborneTest : public ::testing::Test {
 protected:
  AirborneTest() {
    surroundings_.host = fake_host();
    surroundings_.events = &events_;
    surroundings_.build_runtime =
        [this](RuntimeEnvironment environment) -> Result<std::unique_ptr<InferenceRuntime>> {
      ++runtimes_;
      lanes_ = environment.config.lanes;
      if (build_error_) return *build_error_;
      return std::unique_ptr<InferenceRuntime>(std::make_unique<ContractRuntime>(std::move(environment)));
    };
  }

  /// The refusal of the configuration `config`, as the aircraft's program would meet it.
  Error refusal(const AirborneConfig& config) {
    auto built = build_pre_constructed(config, surroundings_);
    EXPECT_FALSE(built.ok());
    return built.ok() ? Error{} : built.error();
  }

  AirborneFolder folder_;
  RecordingSink events_;
  AirborneSurroundings surroundings_;
  std::optional<Error> build_error_;
  std::vector<LaneDeclaration> lanes_;
  int runtimes_ = 0;
};

}  // namespace skua::test
