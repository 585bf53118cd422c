#include "bench/control.h"

#include <gmock/gmock.h>

namespace skua::bench {
namespace {

using ::testing::HasSubstr;

Status work() {
  volatile double sum = 0.0;
  for (int i = 0; i < 100000; ++i) sum = sum + static_cast<double>(i);
  return {};
}

/// Coarse on purpose: what is asked here is whether the control works, not how fine it is on a busy machine.
ControlPlan coarse(double share) {
  ControlPlan plan;
  plan.injected_share = share;
  plan.rounds = 20;
  plan.half_width = 0.2;
  plan.most_seconds = 0.0;
  return plan;
}

TEST(Control, CatchesACostThatIsThere) {
  const auto outcome = run_control(work, coarse(4.0));
  ASSERT_TRUE(outcome.ok());
  EXPECT_TRUE(outcome->is_injected_caught);
  EXPECT_GT(outcome->injected.lower, 1.5);
  EXPECT_EQ(outcome->rounds, 20U);
}

TEST(Control, CatchesItByTheWallClock) {
  ControlPlan plan = coarse(4.0);
  plan.time = TimeSource::kWall;
  const auto outcome = run_control(work, plan);
  ASSERT_TRUE(outcome.ok());
  EXPECT_TRUE(outcome->is_injected_caught);
}

TEST(Control, DoesNotClaimACostThatIsNot) {
  const auto outcome = run_control(work, coarse(0.0));
  ASSERT_TRUE(outcome.ok());
  EXPECT_LT(outcome->injected.lower, 1.5);
  EXPECT_FALSE(outcome->is_injected_caught && outcome->injected.lower > 1.2);
}

TEST(Control, GivesTheErrorOfItsCall) {
  const auto outcome = run_control(
      []() -> Status { return make_error(ErrorCode::kInference, Reason::kExecutionFailed, "no"); }, {});
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error().reason, Reason::kExecutionFailed);
}

TEST(Control, StopsWhenCancelled) {
  const std::atomic<bool> is_cancelled{true};
  ControlPlan plan = coarse(0.02);
  plan.cancel_requested = &is_cancelled;
  const auto outcome = run_control(work, plan);
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error().reason, Reason::kCancelled);
}

TEST(Control, ComplainsOfWhatItDidNotSee) {
  ControlOutcome outcome;
  outcome.is_same_passed = true;
  EXPECT_FALSE(outcome.holds());
  EXPECT_THAT(complaint_of(outcome), HasSubstr("injected cost"));
  outcome = {};
  outcome.is_injected_caught = true;
  EXPECT_FALSE(outcome.holds());
  EXPECT_THAT(complaint_of(outcome), HasSubstr("as fast as itself"));
  outcome.is_same_passed = true;
  EXPECT_TRUE(outcome.holds());
  EXPECT_EQ(complaint_of(outcome), "");
}

}  // namespace
}  // namespace skua::bench
