#include "compile/steps.h"

#include <array>

#include "compile_fixture.h"

namespace skua::test {
namespace {

struct Trace {
  std::vector<std::string> done;
  std::optional<Error> failure;
};

Status first(Trace& trace) {
  trace.done.emplace_back("first");
  return {};
}
Status second(Trace& trace) {
  if (trace.failure) return *trace.failure;
  trace.done.emplace_back("second");
  return {};
}
Status third(Trace& trace) {
  trace.done.emplace_back("third");
  return {};
}
constexpr std::array<compile::Step<Trace>, 3> kSteps = {{{"one", first}, {"two", second}, {"three", third}}};

class KeptProgress final : public CompileProgress {
 public:
  void step(std::string_view text) override { texts.emplace_back(text); }
  std::vector<std::string> texts;
};

TEST(CompileSteps, RunInTheirOrderAndAreTold) {
  Trace trace;
  KeptProgress progress;
  ASSERT_TRUE(is_ok(compile::run_steps(kSteps, trace, progress)));
  EXPECT_THAT(trace.done, testing::ElementsAre("first", "second", "third"));
  EXPECT_THAT(progress.texts, testing::ElementsAre("one", "two", "three"));
}

TEST(CompileSteps, FirstFailureEndsThem) {
  Trace trace;
  trace.failure = make_error(ErrorCode::kIo, Reason::kDiskFull, "no room");
  KeptProgress progress;
  EXPECT_TRUE(is_build_error(compile::run_steps(kSteps, trace, progress), Reason::kDiskFull, "no room"));
  EXPECT_THAT(trace.done, testing::ElementsAre("first"));
  EXPECT_THAT(progress.texts, testing::ElementsAre("one", "two"));
}

TEST(CompileSteps, CallersMistakeKeepsItsClass) {
  Trace trace;
  trace.failure = make_error(ErrorCode::kInvalidArgument, Reason::kProfileMismatch, "x");
  KeptProgress progress;
  EXPECT_TRUE(is_error(compile::run_steps(kSteps, trace, progress), ErrorCode::kInvalidArgument,
                       Reason::kProfileMismatch));
}

}  // namespace
}  // namespace skua::test
