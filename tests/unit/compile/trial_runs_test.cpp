#include "compile/trial_runs.h"

#include "compile_fixture.h"

namespace skua::test {
namespace {

class TrialRuns : public testing::Test {
 protected:
  Status run_trials() { return compile::run_trials(net.compilation, execution); }
  std::vector<std::size_t> sizes() const {
    std::vector<std::size_t> found;
    for (const auto& run : execution.runs) found.push_back(run.size());
    return found;
  }

  CompilationCase net;
  DoublingExecution execution;
};

TEST_F(TrialRuns, EveryEndOfTheProfileIsRun) {
  net.set_dynamic();
  ASSERT_TRUE(is_ok(run_trials()));
  EXPECT_THAT(sizes(), testing::ElementsAre(4, 6, 10));
}

TEST_F(TrialRuns, StaticNetworkRunsOnce) {
  ASSERT_TRUE(is_ok(run_trials()));
  EXPECT_THAT(sizes(), testing::ElementsAre(2));
  EXPECT_NE(execution.runs[0][0], execution.runs[0][1]);  // made up
}

TEST_F(TrialRuns, GoldenInputsAreTakenWhereTheyFit) {
  net.give_golden(floats(Shape{1, 2}, {7, 8}), floats(Shape{1, 2}, {14, 16}));
  net.compilation.golden.inputs = CompilationCase::one_tensor("x", floats(Shape{1, 2}, {7, 8}));
  ASSERT_TRUE(is_ok(run_trials()));
  EXPECT_EQ(execution.runs, (std::vector<std::vector<float>>{{7, 8}}));
  net.set_dynamic();
  ASSERT_TRUE(is_ok(run_trials()));
  EXPECT_THAT(sizes(), testing::ElementsAre(2, 4, 6, 10));
}

TEST_F(TrialRuns, FailureNamesShapesAndRemedy) {
  net.set_dynamic();
  execution.good_runs = 1;
  execution.failure = make_error(ErrorCode::kInference, Reason::kExecutionFailed, "");
  execution.failure->native_code = 6;
  const Status failed = run_trials();
  EXPECT_TRUE(is_build_error(failed, Reason::kExecutionFailed, "at the opt shapes"));
  EXPECT_TRUE(is_build_error(failed, Reason::kExecutionFailed, "check the model"));
  EXPECT_EQ(failed.error().native_code, 6);
}

TEST_F(TrialRuns, OverflowNamesTheOption) {
  execution.failure = make_error(ErrorCode::kInference, Reason::kOutputOverflow, "");
  EXPECT_TRUE(is_build_error(run_trials(), Reason::kOutputOverflow, "raise max_output_shapes"));
}

TEST_F(TrialRuns, LackOfMemoryStaysOne) {
  execution.failure = make_error(ErrorCode::kOutOfMemory, Reason::kExecutionFailed, "");
  EXPECT_TRUE(is_error(run_trials(), ErrorCode::kOutOfMemory, Reason::kExecutionFailed, "at the min shapes"));
}

}  // namespace
}  // namespace skua::test
