// A loaded matcher, and keypoint sets to give it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "fake_matcher.h"
#include "skua/lightglue.h"
#include "temp_folder.h"

namespace skua::test {

/// Keypoints with the memory they lie in. The labels are what the fake matches by.
class Keypoints {
 public:
  Keypoints(const std::vector<float>& labels, std::int64_t dim, std::array<int, 2> image = {640, 480})
      : points_(Tensor::allocate(DType::kFloat32, {static_cast<std::int64_t>(labels.size()), 2}).value()),
        descriptors_(
            Tensor::allocate(DType::kFloat32, {static_cast<std::int64_t>(labels.size()), dim}).value()) {
    for (std::size_t i = 0; i < labels.size(); ++i) {
      points_.as<float>()[2 * i] = 10.0F * labels[i];
      points_.as<float>()[2 * i + 1] = 5.0F * labels[i];
      descriptors_.as<float>()[i * static_cast<std::size_t>(dim)] = labels[i];
    }
    set.keypoints = points_.view();
    set.descriptors = descriptors_.view();
    set.image_size = image;
  }

 private:
  Tensor points_, descriptors_;

 public:
  KeypointSet set;
};

class MatcherFixture : public ::testing::Test {
 protected:
  /// Loads an engine of `behaviour_.shape`; once a test.
  void load() {
    RuntimeEnvironment environment;
    environment.host = fake_host();
    environment.role = Role::kGround;
    environment.clock = &clock_;
    environment.events = &events_;
    std::filesystem::create_directories(root_.path() / "cache");
    runtime_ = std::make_shared<FakeMatcherRuntime>(environment, behaviour_);
    auto loaded = runtime_->deserialize_engine(publish_matcher(root_.path() / "cache", behaviour_.shape));
    ASSERT_TRUE(loaded.ok()) << loaded.error().describe();
    engine_ = *loaded;
  }

  std::vector<Lane> lanes(std::size_t count) {
    std::vector<Lane> made;
    for (std::size_t i = 0; i < count; ++i)
      made.push_back(runtime_->create_lane("match_" + std::to_string(i)).value());
    return made;
  }

  /// Untimed, so that a test counts its own runs alone.
  std::unique_ptr<LightGlueRuntime> create(std::size_t lane_count = 1, std::size_t warm_up_pairs = 0) {
    LightGlueOptions options;
    options.lanes = lanes(lane_count);
    options.warm_up_pairs = warm_up_pairs;
    return LightGlueRuntime::create(runtime_, engine_, options).value();
  }

  Keypoints keypoints(const std::vector<float>& labels) const { return {labels, behaviour_.shape.dim}; }

  TempFolder root_;
  MatcherBehaviour behaviour_;
  ManualClock clock_;
  RecordingSink events_;
  std::shared_ptr<FakeMatcherRuntime> runtime_;
  EngineHandle engine_;
};

using Indices = std::vector<std::array<std::int64_t, 2>>;

}  // namespace skua::test
