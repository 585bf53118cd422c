// A strategy whose engine has LightGlueRuntime's inputs and outputs, in any shape that a test wants. It
// matches keypoints whose descriptors begin with the same number, nearly; it stands for no real network.
#pragma once

#include <array>
#include <atomic>
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cache/half.h"
#include "fake_cache.h"
#include "inference/lightglue_contract.h"

namespace skua::test {

/// What the engine takes and gives.
struct MatcherShape {
  lightglue::OutputForm form = lightglue::OutputForm::kPerKeypoint;
  std::int64_t least = 1, usual = 4, most = 8;  ///< keypoints of a set; equal: static
  std::int64_t most_pairs = 1;                  ///< of one inference; 1: static
  std::int64_t dim = 3;
  DType descriptors = DType::kFloat32;
};

/// What one run sees and may spoil.
struct MatcherRun {
  int lane = 0;  ///< number of the execution
  std::array<TensorView, 4> inputs;
  TensorView matches, scores;
};

/// Set before anything runs; called from the threads that run.
struct MatcherBehaviour {
  MatcherShape shape;
  std::function<Status(const MatcherRun&)> before_run = [](const MatcherRun&) { return Status(); };
  std::function<void(const MatcherRun&)> after_run = [](const MatcherRun&) {};
  std::atomic<int> executions{0};
  std::atomic<int> runs{0};
};

inline constexpr float kSameLabel = 0.1F;
inline constexpr std::array<const char*, 4> kMatcherInputs = {"kpts0", "kpts1", "desc0", "desc1"};

inline TensorSpec matcher_input(const MatcherShape& shape, std::size_t index) {
  const std::int64_t width = index < 2 ? 2 : shape.dim;
  const bool is_static = shape.least == shape.most;
  TensorSpec spec;
  spec.name = kMatcherInputs[index];
  spec.dtype = index < 2 ? DType::kFloat32 : shape.descriptors;
  spec.shape = {shape.most_pairs > 1 ? -1 : 1, is_static ? shape.most : -1, width};
  spec.max_shape = {shape.most_pairs, shape.most, width};
  return spec;
}

inline std::vector<TensorSpec> matcher_inputs(const MatcherShape& shape) {
  std::vector<TensorSpec> specs;
  for (std::size_t i = 0; i < kMatcherInputs.size(); ++i) specs.push_back(matcher_input(shape, i));
  return specs;
}

inline std::vector<TensorSpec> matcher_outputs(const MatcherShape& shape) {
  if (shape.form == lightglue::OutputForm::kPairs) {
    return {{"matches", DType::kInt64, Shape{-1, 2}, Shape{shape.most, 2}, true},
            {"scores", DType::kFloat32, Shape{-1}, Shape{shape.most}, true}};
  }
  const Shape dynamic{-1, -1}, most{shape.most_pairs, shape.most};
  return {{"matches", DType::kInt64, dynamic, most, true}, {"scores", DType::kFloat32, dynamic, most, true}};
}

inline std::vector<OptimizationProfile> matcher_profiles(const MatcherShape& shape) {
  std::vector<OptimizationProfile> profiles;
  for (const TensorSpec& spec : matcher_inputs(shape)) {
    if (spec.shape.is_static()) continue;
    const std::int64_t width = spec.shape[2];
    profiles.push_back({spec.name, Shape{1, shape.least, width}, Shape{1, shape.usual, width},
                        Shape{shape.most_pairs, shape.most, width}});
  }
  return profiles;
}

class MatcherExecution final : public Execution {
 public:
  explicit MatcherExecution(MatcherBehaviour& behaviour)
      : behaviour_(behaviour), shape_(behaviour.shape), number_(behaviour.executions++) {
    for (std::size_t i = 0; i < kMatcherInputs.size(); ++i) {
      const TensorSpec spec = matcher_input(shape_, i);
      memory_[i] = Tensor::allocate(spec.dtype, spec.max_shape).value();
      views_[i] = memory_[i].view();
      views_[i].shape = Shape{1, shape_.usual, spec.shape[2]};
    }
    const auto specs = matcher_outputs(shape_);
    for (std::size_t i = 0; i < specs.size(); ++i) {
      out_memory_[i] = Tensor::allocate(specs[i].dtype, specs[i].max_shape).value();
      out_[i] = out_memory_[i].view();
    }
  }
  TensorView input(std::size_t index) const noexcept override { return views_[index]; }
  TensorView output(std::size_t index) const noexcept override { return out_[index]; }
  Status set_input_shape(std::size_t index, const Shape& shape) override {
    views_[index].shape = shape;
    return {};
  }
  Status run(std::optional<std::int64_t>) noexcept override {
    ++behaviour_.runs;
    const MatcherRun seen{number_, views_, out_[0], out_[1]};
    if (Status status = behaviour_.before_run(seen); !status.ok()) return status;
    match();
    behaviour_.after_run({number_, views_, out_[0], out_[1]});
    return {};
  }

 private:
  float label(std::size_t side, std::int64_t row) const {
    const auto at = static_cast<std::size_t>(row * shape_.dim);
    const TensorView& view = views_[2 + side];
    return view.dtype == DType::kFloat16 ? half_to_float(view.as<std::uint16_t>()[at]) : view.as<float>()[at];
  }
  /// The first keypoint of the pair's second set with the same label, nearly, or -1.
  std::int64_t partner_of(std::int64_t pair, std::int64_t row) const {
    const std::int64_t first = views_[0].shape[1], second = views_[1].shape[1];
    for (std::int64_t i = 0; i < second; ++i) {
      if (std::fabs(label(0, pair * first + row) - label(1, pair * second + i)) < kSameLabel) return i;
    }
    return -1;
  }
  void match() {
    const std::int64_t pairs = views_[0].shape[0], first = views_[0].shape[1], second = views_[1].shape[1];
    const bool is_dense = shape_.form == lightglue::OutputForm::kPerKeypoint;
    std::size_t found = 0;
    for (std::int64_t row = 0; row < pairs * first; ++row) {
      const std::int64_t pair = row / first, partner = partner_of(pair, row % first);
      if (partner < 0 && !is_dense) continue;
      const auto at = static_cast<std::size_t>(2 * row);
      // x of one and y of the other: shows how both were normalised.
      const float score =
          partner < 0
              ? 0.0F
              : views_[0].as<float>()[at] +
                    views_[1].as<float>()[static_cast<std::size_t>(2 * (pair * second + partner) + 1)];
      const auto matches = out_memory_[0].as<std::int64_t>();
      if (!is_dense) matches[2 * found] = row;
      matches[is_dense ? found : 2 * found + 1] = partner;
      out_memory_[1].as<float>()[found++] = score;
    }
    const auto count = static_cast<std::int64_t>(found);
    out_[0].shape = is_dense ? Shape{pairs, first} : Shape{count, 2};
    out_[1].shape = is_dense ? Shape{pairs, first} : Shape{count};
  }

  MatcherBehaviour& behaviour_;
  MatcherShape shape_;
  int number_;
  std::array<Tensor, 4> memory_;
  std::array<TensorView, 4> views_;
  std::array<Tensor, 2> out_memory_;
  std::array<TensorView, 2> out_;
};

class MatcherEngine final : public LoadedEngine {
 public:
  explicit MatcherEngine(MatcherBehaviour& behaviour) : behaviour_(behaviour) {}
  EngineReport report() const override {
    return {matcher_inputs(behaviour_.shape), matcher_outputs(behaviour_.shape), "cpu", "fake", "fp32", "1"};
  }
  Result<std::unique_ptr<Execution>> create_execution() override {
    return std::unique_ptr<Execution>(std::make_unique<MatcherExecution>(behaviour_));
  }

 private:
  MatcherBehaviour& behaviour_;
};

class FakeMatcherRuntime final : public InferenceRuntime {
 public:
  FakeMatcherRuntime(RuntimeEnvironment environment, MatcherBehaviour& behaviour)
      : InferenceRuntime(std::move(environment), "fake"), behaviour_(behaviour) {}

 protected:
  Result<std::unique_ptr<LoadedEngine>> deserialize(VerifiedEngine) override {
    return std::unique_ptr<LoadedEngine>(std::make_unique<MatcherEngine>(behaviour_));
  }
  Status check_record(const EngineRecord&) const override { return {}; }
  bool uses_gpu() const noexcept override { return false; }

 private:
  MatcherBehaviour& behaviour_;
};

/// All keypoints of zeroes: each is matched with the first of the other set.
inline std::vector<std::byte> matcher_golden(const MatcherShape& shape) {
  TensorMap inputs, outputs;
  for (const TensorSpec& spec : matcher_inputs(shape)) {
    const Shape usual{1, shape.usual, spec.shape[2]};
    inputs.insert(spec.name, Tensor::allocate(spec.dtype, usual).value()).value();
  }
  const bool is_dense = shape.form == lightglue::OutputForm::kPerKeypoint;
  const Shape rows = is_dense ? Shape{1, shape.usual} : Shape{shape.usual, 2};
  Tensor matches = Tensor::allocate(DType::kInt64, rows).value();
  for (std::int64_t i = 0; !is_dense && i < shape.usual; ++i)
    matches.as<std::int64_t>()[static_cast<std::size_t>(2 * i)] = i;
  outputs.insert("matches", std::move(matches)).value();
  const Shape scores = is_dense ? rows : Shape{shape.usual};
  outputs.insert("scores", Tensor::allocate(DType::kFloat32, scores).value()).value();
  return encode_golden(inputs, outputs).value();
}

/// Publishes an engine of that shape into a cache.
inline EngineCacheEntry publish_matcher(const std::filesystem::path& cache_dir, const MatcherShape& shape) {
  EngineRecord record = fake_record("matcher");
  record.inputs = matcher_inputs(shape);
  record.outputs = matcher_outputs(shape);
  record.profiles = matcher_profiles(shape);
  record.golden.tolerances = {{"matches", Tolerance{0.0, 0.0, false, 0.0}},
                              {"scores", Tolerance{1e-6, 1e-6, false, 0.0}}};
  WriterLock cache = WriterLock::take(posix_file_system(), cache_dir).value();
  const std::string staging = cache.make_staging().value();
  write_bytes(cache_dir / staging / record.file, std::vector<std::byte>(16, std::byte{0x5a}));
  write_bytes(cache_dir / staging / record.golden.file, matcher_golden(shape));
  record = publish_engine(cache, staging, std::move(record)).value();
  cache.discard(staging);
  return to_entry(record, cache_dir);
}

}  // namespace skua::test
