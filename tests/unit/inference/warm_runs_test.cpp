// What a lane does before its first frame, where a strategy leaves it to the base.
#include "inference/warm_runs.h"

#include <gmock/gmock.h>

namespace skua {
namespace {

using ::testing::ElementsAre;

/// Two inputs, the first with a profile; keeps the first one's shape at each run.
class ShapedExecution final : public Execution {
 public:
  TensorView input(std::size_t index) const noexcept override {
    TensorView view;
    view.shape = shapes[index];
    return view;
  }
  TensorView output(std::size_t) const noexcept override { return {}; }
  Status set_input_shape(std::size_t index, const Shape& shape) override {
    shapes[index] = shape;
    return {};
  }
  Status run(std::optional<std::int64_t>) noexcept override {
    ran_at.push_back(shapes[0][0]);
    return failure.message.empty() ? Status() : failure;
  }
  std::vector<Shape> shapes = {Shape{3, 4}, Shape{5}};
  std::vector<std::int64_t> ran_at;
  Error failure;
};

EngineRecord record_of_two_inputs() {
  EngineRecord record;
  record.inputs = {TensorSpec{"x", DType::kFloat32, Shape{-1, 4}, Shape{8, 4}, false},
                   TensorSpec{"fixed", DType::kFloat32, Shape{5}, Shape{5}, false}};
  record.profiles = {{"x", Shape{1, 4}, Shape{2, 4}, Shape{8, 4}}};
  return record;
}

TEST(WarmRuns, AStrategyWithoutAWarmUpStillStartsAtOpt) {
  ShapedExecution execution;
  ASSERT_TRUE(execution.warm_up(record_of_two_inputs()).ok());
  EXPECT_THAT(execution.shapes, ElementsAre(Shape{2, 4}, Shape{5}));
  EXPECT_TRUE(execution.ran_at.empty());
}

TEST(WarmRuns, RunsAreMadeAtTheSideAskedFor) {
  ShapedExecution execution;
  ASSERT_TRUE(run_at(execution, record_of_two_inputs(), &OptimizationProfile::max, 2).ok());
  ASSERT_TRUE(run_at(execution, record_of_two_inputs(), &OptimizationProfile::min, 1).ok());
  EXPECT_THAT(execution.ran_at, ElementsAre(8, 8, 1));
}

TEST(WarmRuns, OnlyALostDeviceOrSpentMemoryIsAnError) {
  const EngineRecord record = record_of_two_inputs();
  ShapedExecution execution;
  execution.failure = make_error(ErrorCode::kInference, Reason::kExecutionFailed, "leftover inputs");
  EXPECT_TRUE(run_at(execution, record, &OptimizationProfile::opt, 2).ok());
  EXPECT_EQ(execution.ran_at.size(), 2U);
  execution.failure = make_error(ErrorCode::kInference, Reason::kDeviceLost, "lost");
  EXPECT_EQ(run_at(execution, record, &OptimizationProfile::opt, 2).error().reason, Reason::kDeviceLost);
  execution.failure = make_error(ErrorCode::kOutOfMemory, Reason::kOutOfMemory, "spent");
  EXPECT_EQ(run_at(execution, record, &OptimizationProfile::opt, 2).error().code, ErrorCode::kOutOfMemory);
  EXPECT_EQ(execution.ran_at.size(), 4U) << "the first of them ends it";
}

}  // namespace
}  // namespace skua
