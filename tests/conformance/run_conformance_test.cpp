// What every runtime must do when it runs.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <thread>
#include <vector>

#include "conformance.h"
#include "counts.h"

namespace skua::test {
namespace {

constexpr char kNoDynamicRows[] = " has no network whose input may have several shapes";
constexpr char kNoDataDependent[] = " has no network whose output's shape depends on its data";

float add_relu(float x) { return std::max(x + 0.5F, 0.0F); }

float element(std::size_t i) { return static_cast<float>(i % 7) - 3.0F; }

TEST_P(ConformanceTest, InferComputesWhatTheNetworkSays) {
  const EngineHandle handle = load(GetParam().add_relu());
  const auto outputs = runtime_->infer(handle, one_input({1, 64}, &element));
  ASSERT_TRUE(outputs.ok()) << outputs.error().describe();
  const auto y = outputs->find("y")->as<float>();
  ASSERT_EQ(y.size(), 64U);
  for (std::size_t i = 0; i < y.size(); ++i) EXPECT_FLOAT_EQ(y[i], add_relu(element(i)));
}

TEST_P(ConformanceTest, RepeatedRunsAreBitIdentical) {
  const EngineHandle handle = load(GetParam().add_relu());
  auto bound = runtime_->bind(handle, runtime_->create_lane("lane_a").value()).value();
  const auto x = bound.input(0).as<float>();
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = element(i) * 0.37F;
  ASSERT_TRUE(bound.run().ok());
  const auto first_view = bound.output(0).as<float>();
  const std::vector<float> first(first_view.begin(), first_view.end());
  for (int run = 0; run < 100; ++run) {
    ASSERT_TRUE(bound.run().ok());
    const auto y = bound.output(0).as<float>();
    ASSERT_EQ(std::memcmp(y.data(), first.data(), first.size() * sizeof(float)), 0);
  }
}

TEST_P(ConformanceTest, NanPassesThrough) {
  if (!GetParam().dynamic_rows) GTEST_SKIP() << GetParam().label << kNoDynamicRows;
  const EngineHandle handle = load(GetParam().dynamic_rows());
  const auto outputs = runtime_->infer(handle, one_input({1, 4}, [](std::size_t) { return std::nanf(""); }));
  ASSERT_TRUE(outputs.ok());
  for (const float y : outputs->find("y")->as<float>()) EXPECT_TRUE(std::isnan(y));
}

TEST_P(ConformanceTest, ShapesFollowTheProfileAndNothingElse) {
  if (!GetParam().dynamic_rows) GTEST_SKIP() << GetParam().label << kNoDynamicRows;
  const EngineHandle handle = load(GetParam().dynamic_rows());
  for (const std::int64_t rows : {1, 4, 2, 3}) {
    const auto outputs = runtime_->infer(handle, one_input({rows, 4}, [](std::size_t) { return 1.0F; }));
    ASSERT_TRUE(outputs.ok()) << outputs.error().describe();
    EXPECT_EQ(outputs->find("y")->view().shape, (Shape{rows, 3}));
    EXPECT_FLOAT_EQ(outputs->find("y")->as<float>()[0], 1.0F + 4.0F + 7.0F + 10.0F);
  }
  for (const Shape& shape : {Shape{5, 4}, Shape{2, 3}, Shape{4}, Shape{0, 4}}) {
    const auto refused = runtime_->infer(handle, one_input(shape, [](std::size_t) { return 1.0F; }));
    ASSERT_FALSE(refused.ok()) << shape.to_string();
    EXPECT_EQ(refused.error().reason, Reason::kShapeMismatch);
  }
}

TEST_P(ConformanceTest, BoundShapeChangesAndARefusedOneChangesNothing) {
  if (!GetParam().dynamic_rows) GTEST_SKIP() << GetParam().label << kNoDynamicRows;
  const EngineHandle handle = load(GetParam().dynamic_rows());
  auto bound = runtime_->bind(handle, runtime_->create_lane("lane_a").value()).value();
  EXPECT_EQ(bound.input(0).shape, (Shape{2, 4}));  // the profile's opt
  ASSERT_TRUE(bound.set_shape("x", {3, 4}).ok());
  EXPECT_FALSE(bound.set_shape("x", {9, 4}).ok());
  EXPECT_EQ(bound.input(0).shape, (Shape{3, 4}));
  for (float& x : bound.input(0).as<float>()) x = 1.0F;
  ASSERT_TRUE(bound.run().ok());
  EXPECT_EQ(bound.output(0).shape, (Shape{3, 3}));
}

TEST_P(ConformanceTest, DataDependentOutputsHaveAShapePerRunAndAFixedCapacity) {
  if (!GetParam().data_dependent) GTEST_SKIP() << GetParam().label << kNoDataDependent;
  const EngineHandle handle = load(GetParam().data_dependent());
  const auto run = [&](std::size_t ones) {
    return runtime_->infer(handle, one_input({8}, [&](std::size_t i) { return i < ones ? 1.0F : 0.0F; }));
  };
  for (const std::size_t ones : {3U, 6U, 0U, 1U}) {
    const auto outputs = run(ones);
    ASSERT_TRUE(outputs.ok()) << outputs.error().describe();
    const Tensor& y = *outputs->find("y");
    EXPECT_EQ(y.view().shape, (Shape{1, static_cast<std::int64_t>(ones)}));
    for (std::size_t i = 0; i < ones; ++i) EXPECT_EQ(y.as<std::int64_t>()[i], static_cast<std::int64_t>(i));
  }
  const auto overflow = run(7);
  ASSERT_FALSE(overflow.ok());
  EXPECT_EQ(overflow.error().code, ErrorCode::kInference);
  EXPECT_EQ(overflow.error().reason, Reason::kOutputOverflow);
  EXPECT_TRUE(run(2).ok());  // the next frame is not harmed
}

TEST_P(ConformanceTest, TwoLanesRunFromTwoThreads) {
  const EngineHandle handle = load(GetParam().add_relu());
  const int runs = static_cast<int>(skua_test::count("lane_runs"));
  std::atomic<int> wrong{0};
  const auto work = [&](const char* lane, float offset) {
    auto bound = runtime_->bind(handle, runtime_->create_lane(lane).value()).value();
    for (int run = 0; run < runs; ++run) {
      const float value = offset + static_cast<float>(run % 64);  // exact in half precision
      for (float& x : bound.input(0).as<float>()) x = value;
      const bool is_right = bound.run().ok() && bound.output(0).as<float>()[63] == value + 0.5F;
      wrong += is_right ? 0 : 1;
    }
  };
  std::thread first(work, "lane_a", 1.0F);
  std::thread second(work, "lane_b", 100.0F);
  first.join();
  second.join();
  EXPECT_EQ(wrong, 0);
}

TEST_P(ConformanceTest, ReleaseIsIdempotentAndOutlivedBindingsAnswer) {
  EngineHandle handle = load(GetParam().add_relu());
  auto bound = runtime_->bind(handle, runtime_->create_lane("lane_a").value()).value();
  ASSERT_TRUE(bound.run().ok());
  runtime_->release_engine(handle);
  runtime_->release_engine(handle);
  const Status refused = bound.run();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, Reason::kEngineReleased);
  EXPECT_EQ(bound.output(0).data, nullptr);
}

INSTANTIATE_TEST_SUITE_P(Runtimes, ConformanceTest, ::testing::ValuesIn(runtimes_under_test()), runtime_name);

}  // namespace
}  // namespace skua::test
