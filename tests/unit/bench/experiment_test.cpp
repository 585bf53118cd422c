#include "bench/experiment.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "noise.h"

namespace skua::bench {
namespace {

using ::testing::HasSubstr;

/// Subjects that write down when they were called.
class Interleaved : public ::testing::Test {
 protected:
  Subject subject(const std::string& name) {
    return {name, [this, name]() -> Status { return note(name); }, nullptr};
  }
  Status note(const std::string& what) {
    calls_.push_back(what);
    return {};
  }
  std::vector<std::string> calls_;
};

TEST_F(Interleaved, RunsEachSubjectOncePerRoundAfterItsWarmUp) {
  const std::vector<Subject> subjects = {subject("a"), subject("b"), subject("c")};
  const auto times = run_interleaved(subjects, {.rounds = 20, .calls_per_round = 2, .warm_up_calls = 3});
  ASSERT_TRUE(times.ok());
  ASSERT_EQ(calls_.size(), 3U * (3U + 40U));
  EXPECT_EQ(std::vector<std::string>(calls_.begin(), calls_.begin() + 9),
            (std::vector<std::string>{"a", "a", "a", "b", "b", "b", "c", "c", "c"}));
  for (std::size_t round = 0; round < 20; ++round) {
    const auto first = calls_.begin() + 9 + static_cast<std::ptrdiff_t>(round * 6);
    for (const char* name : {"a", "b", "c"}) EXPECT_EQ(std::count(first, first + 6, name), 2) << round;
  }
  for (const SubjectTimes& of : *times) {
    EXPECT_EQ(of.round_ns.size(), 20U);
    EXPECT_EQ(of.calls_ns.size(), 40U);
  }
  EXPECT_EQ((*times)[1].name, "b");
}

TEST_F(Interleaved, BeginsNoRoundAfterItsTimeButHasThoseThatBoundsNeed) {
  const std::vector<Subject> subjects = {subject("a"), subject("b")};
  const auto rounds_in = [&](double seconds) {
    const auto times = run_interleaved(subjects, {.rounds = 40, .most_seconds = seconds});
    EXPECT_TRUE(times.ok());
    EXPECT_EQ((*times)[0].round_ns.size(), (*times)[1].round_ns.size()) << "no half round";
    return times->front().round_ns.size();
  };
  EXPECT_EQ(rounds_in(1e-9), kFewestRounds);
  EXPECT_TRUE(estimate_median(std::vector<double>(kFewestRounds, 1.0)).is_bounded);
  EXPECT_EQ(rounds_in(0.0), 40U) << "no limit";
  EXPECT_EQ(rounds_in(3600.0), 40U);
}

TEST_F(Interleaved, DrawsAnOrderPerRoundThatTheSeedDecides) {
  const std::vector<Subject> subjects = {subject("a"), subject("b"), subject("c")};
  const auto calls_of = [&](std::uint64_t seed) {
    calls_.clear();
    EXPECT_TRUE(run_interleaved(subjects, {.rounds = 60, .warm_up_calls = 0, .seed = seed}).ok());
    return calls_;
  };
  const auto calls = calls_of(1);
  EXPECT_EQ(calls, calls_of(1));
  EXPECT_NE(calls, calls_of(2));
  int first[3] = {};
  for (std::size_t round = 0; round < 60; ++round) ++first[calls[round * 3][0] - 'a'];
  for (const int count : first) EXPECT_GE(count, 8) << "each subject comes first about as often";
}

TEST_F(Interleaved, ARoundIsTheMedianOfItsCalls) {
  const std::vector<Subject> subjects = {subject("a")};
  const auto times = run_interleaved(subjects, {.rounds = 4, .calls_per_round = 5});
  ASSERT_TRUE(times.ok());
  const SubjectTimes& of = times->front();
  for (std::size_t round = 0; round < 4; ++round) {
    std::vector<std::int64_t> calls(of.calls_ns.begin() + static_cast<std::ptrdiff_t>(round * 5),
                                    of.calls_ns.begin() + static_cast<std::ptrdiff_t>(round * 5 + 5));
    std::sort(calls.begin(), calls.end());
    EXPECT_DOUBLE_EQ(of.round_ns[round], static_cast<double>(calls[2]));
  }
}

TEST_F(Interleaved, BothClocksSeeWorkThatWasDone) {
  const std::vector<Subject> subjects = {{"loop",
                                          []() -> Status {
                                            volatile double sum = 0.0;
                                            for (int i = 0; i < 20000; ++i)
                                              sum = sum + static_cast<double>(i);
                                            return {};
                                          },
                                          nullptr}};
  for (const TimeSource time : {TimeSource::kWall, TimeSource::kThreadCpu}) {
    const auto times = run_interleaved(subjects, {.rounds = 3, .time = time});
    ASSERT_TRUE(times.ok());
    EXPECT_GT(times->front().round_ns.front(), 0.0);
  }
}

TEST_F(Interleaved, PreparesEveryTurnOutsideTheCalls) {
  Subject prepared = subject("call");
  prepared.before_round = [this] { return note("before"); };
  ASSERT_TRUE(run_interleaved(std::vector<Subject>{prepared}, {.rounds = 2, .calls_per_round = 2}).ok());
  EXPECT_EQ(calls_,
            (std::vector<std::string>{"before", "call", "before", "call", "call", "before", "call", "call"}));
}

TEST_F(Interleaved, AFailingCallEndsItWithItsSubjectNamed) {
  Subject failing = subject("b");
  failing.call = [this]() -> Status {
    if (calls_.size() < 6) return note("b");
    return Error{ErrorCode::kInference, Reason::kLaneBusy, 0, {}};
  };
  const auto times = run_interleaved(std::vector<Subject>{subject("a"), failing}, {.rounds = 50});
  ASSERT_FALSE(times.ok());
  EXPECT_EQ(times.error().reason, Reason::kLaneBusy);
  EXPECT_THAT(times.error().message, HasSubstr("'b'"));
  EXPECT_THAT(times.error().message, HasSubstr(std::string(sentence_of(Reason::kLaneBusy))));
}

TEST_F(Interleaved, AFailingPreparationEndsIt) {
  Subject failing = subject("a");
  failing.before_round = []() -> Status { return make_error(ErrorCode::kIo, Reason::kNotFound, "no file"); };
  const auto times = run_interleaved(std::vector<Subject>{failing}, {});
  ASSERT_FALSE(times.ok());
  EXPECT_EQ(times.error().reason, Reason::kNotFound);
  EXPECT_TRUE(calls_.empty());
}

TEST_F(Interleaved, StopsBetweenTwoRoundsWhenCancelled) {
  std::atomic<bool> is_cancelled{false};
  Subject cancelling = subject("b");
  cancelling.call = [&]() -> Status {
    if (calls_.size() > 20) is_cancelled = true;
    return note("b");
  };
  const std::vector<Subject> subjects = {subject("a"), cancelling};
  ExperimentPlan plan{.rounds = 1000, .cancel_requested = &is_cancelled};
  const auto times = run_interleaved(subjects, plan);
  ASSERT_FALSE(times.ok());
  EXPECT_EQ(times.error().reason, Reason::kCancelled);
  EXPECT_LE(calls_.size(), 26U);
  EXPECT_EQ(calls_.size() % 2, 0U) << "a round that was begun is finished";

  is_cancelled = false;
  calls_.clear();
  plan.rounds = 5;
  EXPECT_TRUE(run_interleaved(subjects, plan).ok());
}

TEST_F(Interleaved, RefusesAPlanWithoutRoundsAndASubjectWithoutACall) {
  EXPECT_FALSE(run_interleaved(std::vector<Subject>{subject("a")}, {.rounds = 0}).ok());
  EXPECT_FALSE(run_interleaved(std::vector<Subject>{subject("a")}, {.calls_per_round = 0}).ok());
  EXPECT_FALSE(run_interleaved(std::vector<Subject>{Subject{"empty", nullptr, nullptr}}, {}).ok());
  EXPECT_TRUE(calls_.empty());
}

TEST_F(Interleaved, RefusesMoreTimesThanItWouldKeep) {
  const std::vector<Subject> subjects = {subject("a")};
  const auto times = run_interleaved(subjects, {.rounds = 100'000, .calls_per_round = 2000});
  ASSERT_FALSE(times.ok());
  EXPECT_EQ(times.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(times.error().message, HasSubstr("at most 16000 rounds"));
  EXPECT_TRUE(calls_.empty());
}

// The negative control, on noise that is the same each time: 101 rounds, 0.6 % own noise, a drift of a
// quarter.
TEST(Bar, CatchesTwoPerCentAndPassesTheSameTwice) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const auto times = test::noisy_rounds({1.0, 1.0, 1.02}, 101, seed);
    const Comparison same = compare(times[1], times[0]);
    const Comparison injected = compare(times[2], times[0]);
    EXPECT_TRUE(is_no_slower(same, times[0])) << seed;
    EXPECT_FALSE(is_slower(same, times[0])) << seed;
    EXPECT_FALSE(is_no_slower(injected, times[0])) << seed;
    EXPECT_TRUE(is_slower(injected, times[0])) << seed;
  }
}

TEST(Bar, SaysNothingWithoutBounds) {
  const auto few = test::noisy_rounds({1.0, 1.0, 3.0}, 5, 1);
  EXPECT_FALSE(is_no_slower(compare(few[1], few[0]), few[0]));
  EXPECT_FALSE(is_slower(compare(few[2], few[0]), few[0]));
  const auto enough = test::noisy_rounds({1.0, 1.0, 3.0}, 40, 1);
  EXPECT_TRUE(is_no_slower(compare(enough[1], enough[0]), enough[0]));
  EXPECT_TRUE(is_slower(compare(enough[2], enough[0]), enough[0]));
}

TEST(Bar, AllowsTwoMicrosecondsOnAShortCallAndOnePerCentOfALongOne) {
  const auto times_of = [](double ns) { return SubjectTimes{"", std::vector<double>(10, ns), {}}; };
  const SubjectTimes fast = times_of(1500.0);
  EXPECT_TRUE(is_no_slower(compare(times_of(3500.0), fast), fast));
  EXPECT_FALSE(is_no_slower(compare(times_of(3501.0), fast), fast));
  const SubjectTimes slow = times_of(1.0e6);
  EXPECT_TRUE(is_no_slower(compare(times_of(1.01e6), slow), slow));
  EXPECT_FALSE(is_no_slower(compare(times_of(1.0101e6), slow), slow));
}

}  // namespace
}  // namespace skua::bench
