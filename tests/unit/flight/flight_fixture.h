// The frame loop's parts on fake networks (fake_networks.h): a map of tiles on disk, engines through the real
// gate, consumers, index and pipeline.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "fake_networks.h"
#include "flight/frame_pipeline.h"
#include "noise_pictures.h"
#include "temp_folder.h"
#include "tests/unit/inference/fake_cache.h"
#include "verdicts.h"

namespace skua::flight::test {

class FakeNetworksRuntime final : public InferenceRuntime {
 public:
  FakeNetworksRuntime(RuntimeEnvironment environment, FlightBehaviour& behaviour)
      : InferenceRuntime(std::move(environment), "fake"), behaviour_(behaviour) {}

 protected:
  Result<std::unique_ptr<LoadedEngine>> deserialize(VerifiedEngine engine) override {
    const auto at = std::find(kNetworkNames.begin(), kNetworkNames.end(), engine.record().model);
    const auto network = static_cast<Network>(at - kNetworkNames.begin());
    return std::unique_ptr<LoadedEngine>(std::make_unique<NetworkEngine>(behaviour_, network));
  }
  Status check_record(const EngineRecord&) const override { return {}; }
  bool uses_gpu() const noexcept override { return false; }

 private:
  FlightBehaviour& behaviour_;
};

/// Keeps what is posted, without lock or memory of its own; what is emitted, under a lock.
class FlightEvents final : public EventSink {
 public:
  void post(const FrameEvent& event) noexcept override {
    if (posted < frames.size()) frames[posted] = event;
    ++posted;
  }
  void emit(const Event& event) noexcept override {
    const std::lock_guard lock(mutex_);
    emitted.push_back(event);
  }
  std::size_t count(FrameEvent::Kind kind) const {
    const auto end = frames.begin() + static_cast<std::ptrdiff_t>(std::min(posted, frames.size()));
    return static_cast<std::size_t>(
        std::count_if(frames.begin(), end, [&](const FrameEvent& event) { return event.kind == kind; }));
  }
  std::array<FrameEvent, 256> frames{};
  std::size_t posted = 0;
  std::vector<Event> emitted;

 private:
  std::mutex mutex_;
};

/// A set's record of one network, with a golden run over zeroes.
inline EngineHandle load_network(InferenceRuntime& runtime, const std::filesystem::path& cache_dir,
                                 Network network, const FlightBehaviour& behaviour) {
  const std::size_t index = static_cast<std::size_t>(network);
  const NetworkSpecs& specs = behaviour.networks[index].specs;
  EngineRecord record = skua::test::fake_record(kNetworkNames[index]);
  record.inputs = specs.inputs;
  record.outputs = specs.outputs;
  record.golden.tolerances.clear();
  TensorMap inputs, outputs;
  std::array<TensorView, 4> in;
  RunOutputs out;
  for (std::size_t i = 0; i < specs.inputs.size(); ++i) {
    Tensor tensor = Tensor::allocate(specs.inputs[i].dtype, specs.inputs[i].max_shape).value();
    in[i] = tensor.view();
    inputs.insert(specs.inputs[i].name, std::move(tensor)).value();
  }
  for (std::size_t i = 0; i < specs.outputs.size(); ++i) {
    Tensor tensor = Tensor::allocate(specs.outputs[i].dtype, specs.outputs[i].max_shape).value();
    out[i] = tensor.view();
    outputs.insert(specs.outputs[i].name, std::move(tensor)).value();
    record.golden.tolerances.emplace(specs.outputs[i].name, Tolerance{1e-6, 1e-6, false, 0.0});
  }
  if (specs == usual_specs(network)) compute(network, behaviour, in, out);
  WriterLock cache = WriterLock::take(posix_file_system(), cache_dir).value();
  const std::string staging = cache.make_staging().value();
  skua::test::write_bytes(cache_dir / staging / record.file, std::vector<std::byte>(index + 16));
  skua::test::write_bytes(cache_dir / staging / record.golden.file, encode_golden(inputs, outputs).value());
  record = publish_engine(cache, staging, std::move(record)).value();
  cache.discard(staging);
  return runtime.deserialize_engine(to_entry(record, cache_dir)).value();
}

/// An hour behind: by it no run of a network is ever late, only the frame is.
class ClockBehind final : public Clock {
 public:
  std::int64_t monotonic_ns() const noexcept override {
    return system_clock().monotonic_ns() - 3'600'000'000'000;
  }
  std::int64_t utc_us() const noexcept override { return system_clock().utc_us(); }
};

class FlightFixture : public ::testing::Test {
 protected:
  FlightFixture() {
    settings_.candidates = 4;
    settings_.matches = 3;
    settings_.adhop_below_share = 0.0;
    environment_.host = skua::test::fake_host();
    environment_.role = Role::kGround;
    environment_.events = &events_;
    for (std::uint32_t i = 0; i < 4; ++i) pictures_.push_back(noise_picture(i));
  }

  void load_runtime() {
    std::filesystem::create_directories(root_.path() / "cache");
    runtime_ = std::make_shared<FakeNetworksRuntime>(environment_, behaviour_);
  }
  EngineHandle load(Network network) {
    return load_network(*runtime_, root_.path() / "cache", network, behaviour_);
  }
  /// The matcher on one lane: everything runs on the test's thread.
  void load_matcher() {
    LightGlueOptions options;
    options.lanes = {runtime_->create_lane("c3_lightglue_runtime").value()};
    options.warm_up_pairs = 0;
    injected_ = {runtime_, LightGlueRuntime::create(runtime_, load(Network::kMatcher), options).value()};
  }
  void create_consumers() {
    load_runtime();
    load_matcher();
    vpr_ = VprConsumer::create(injected_, load(Network::kVpr)).value();
    rerank_ = RerankConsumer::create(injected_, settings_.candidates).value();
    matcher_ = MatcherConsumer::create(injected_, load(Network::kFeatures), settings_.matches).value();
    adhop_ = AdhopConsumer::create(injected_, load(Network::kAdhop)).value();
  }
  /// Tile i lies at (1000 i, 100 i).
  TileMap write_map() const {
    TileMap map{root_.path() / "map", kSide, kSide, {}};
    for (std::size_t i = 0; i < pictures_.size(); ++i) {
      map.tiles.push_back({"t" + std::to_string(i) + ".png", 1000.0 * static_cast<double>(i),
                           100.0 * static_cast<double>(i)});
      root_.write("map/" + map.tiles.back().name, encode_gray(pictures_[i]));
    }
    return map;
  }
  void create() {
    create_consumers();
    tiles_ = TileIndex::build(write_map(), *vpr_, *matcher_, 1, true, [] { return false; }).value();
    pipeline_ = FramePipeline::create({vpr_.get(), rerank_.get(), matcher_.get(), adhop_.get()}, *tiles_,
                                      *runtime_, settings_)
                    .value();
  }
  FrameResult run(const Image& image, std::uint64_t frame = 7) {
    InferOptions options;
    options.frame = frame;
    return pipeline_->run(image, options);
  }
  /// Behind its deadline before it begins; on ClockBehind only its end is judged by it.
  FrameResult run_late(const Image& image) {
    InferOptions options;
    options.deadline_ns = system_clock().monotonic_ns() - 1;
    return pipeline_->run(image, options);
  }
  NetworkBehaviour& of(Network network) { return behaviour_.of(network); }

  skua::test::TempFolder root_;
  FlightBehaviour behaviour_;
  FlightEvents events_;
  FlightSettings settings_;
  ClockBehind behind_;
  RuntimeEnvironment environment_;
  std::vector<Image> pictures_;
  std::shared_ptr<FakeNetworksRuntime> runtime_;
  Injected injected_;
  std::unique_ptr<VprConsumer> vpr_;
  std::unique_ptr<RerankConsumer> rerank_;
  std::unique_ptr<MatcherConsumer> matcher_;
  std::unique_ptr<AdhopConsumer> adhop_;
  std::optional<TileIndex> tiles_;
  std::optional<FramePipeline> pipeline_;
};

inline constexpr double kCentre = (kSide - 1) / 2.0;

/// That `result` is a position, `x` and `y` pixels from the middle of tile `tile`.
inline void expect_position(const FrameResult& result, std::size_t tile, double x, double y) {
  ASSERT_TRUE(result.has_position()) << to_string(result.reason) << " in " << to_string(result.failed_stage);
  EXPECT_EQ(result.tile, tile);
  EXPECT_NEAR(result.position[0], 1000.0 * static_cast<double>(tile) + kCentre + x, 1e-6);
  EXPECT_NEAR(result.position[1], 100.0 * static_cast<double>(tile) + kCentre + y, 1e-6);
}

}  // namespace skua::flight::test
