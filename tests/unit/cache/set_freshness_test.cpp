// Stages 4 and 5 of the set gate: the bounds of the release sequence, and the expiry date by the clock and
// the policy's rule.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "cache/set_gate.h"
#include "cache/utc_text.h"
#include "cache_fixture.h"
#include "fixed_clock.h"

namespace skua::test::set_freshness_tests {
namespace {

using testing::HasSubstr;

constexpr auto kManifestError = ErrorCode::kManifest;
constexpr std::string_view kLast = "2030-02-28T23:59:59Z";

std::int64_t us_of(std::string_view text) { return utc_seconds(text).value() * 1000000; }

/// A published set with an expiry date and sequence 5.
class Freshness : public testing::Test {
 protected:
  Freshness() { publish(std::string(kLast), 5); }
  void publish(std::optional<std::string> not_after, std::uint64_t sequence) {
    Manifest draft = draft_of(folders_.records(), "set-" + std::to_string(++sets_));
    draft.not_after = std::move(not_after);
    draft.release_sequence = sequence;
    UnsyncedFileSystem files;
    publish_set(files, folders_.sets(), folders_.cache(), draft).value();
  }
  Result<AdmittedSet> admit() const {
    return admit_set(posix_file_system(), folders_.sets() / ("set-" + std::to_string(sets_)), policy_,
                     clock_);
  }
  Result<AdmittedSet> admit_at(std::int64_t utc_us) {
    clock_.now_us = utc_us;
    return admit();
  }
  /// Neither refused nor told as expired.
  testing::AssertionResult is_fresh(const Result<AdmittedSet>& set) const {
    if (!set.ok()) return testing::AssertionFailure() << set.error().describe();
    return (set->is_expired ? testing::AssertionFailure() : testing::AssertionSuccess()) << "is_expired";
  }

  PublishedFolders folders_;
  int sets_ = 1;
  GatePolicy policy_ = ground_policy();
  FixedClock clock_;
};

TEST_F(Freshness, TheNamedSecondIsTheLastGoodMoment) {
  const std::int64_t last_us = us_of(kLast);
  EXPECT_TRUE(is_fresh(admit_at(last_us - 1)));
  EXPECT_TRUE(is_fresh(admit_at(last_us)));
  const auto found = admit_at(last_us + 1);
  ASSERT_TRUE(refused(found, kManifestError, Reason::kSetExpired));
  EXPECT_THAT(found.error().message, HasSubstr(std::string(kLast)));
  EXPECT_TRUE(refused(admit_at(us_of("2030-03-01T00:00:00Z")), kManifestError, Reason::kSetExpired));
}

TEST_F(Freshness, NoClockExpiresASetTooEarlyAndNoneOverflows) {
  for (const std::int64_t utc_us : {std::int64_t{0}, std::int64_t{-1}, us_of("2029-12-31T23:59:59Z"),
                                    std::numeric_limits<std::int64_t>::min()}) {
    EXPECT_TRUE(is_fresh(admit_at(utc_us))) << utc_us;
  }
  for (const std::int64_t utc_us :
       {us_of("2040-01-01T00:00:00Z"), std::numeric_limits<std::int64_t>::max()}) {
    EXPECT_TRUE(refused(admit_at(utc_us), kManifestError, Reason::kSetExpired)) << utc_us;
  }
}

/// Ten years ahead and back again: each verdict is of the clock as it is then.
TEST_F(Freshness, AJumpOfTheClockDecidesNothingButItsOwnMoment) {
  const std::int64_t good_us = us_of("2026-06-01T00:00:00Z"), jump_us = us_of("1980-01-01T00:00:00Z");
  for (int round = 0; round < 3; ++round) {
    EXPECT_TRUE(is_fresh(admit_at(good_us)));
    EXPECT_TRUE(refused(admit_at(good_us + jump_us), kManifestError, Reason::kSetExpired));
    EXPECT_TRUE(is_fresh(admit_at(good_us - jump_us)));
  }
}

TEST_F(Freshness, TheRuleDecidesWhatBecomesOfAnExpiredSet) {
  clock_.now_us = us_of(kLast) + 1;
  policy_.expiry = ExpiryRule::kRefuse;
  EXPECT_TRUE(refused(admit(), kManifestError, Reason::kSetExpired));
  policy_.expiry = ExpiryRule::kWarn;
  ASSERT_TRUE(accepted(admit()));
  EXPECT_TRUE(admit()->is_expired);
  policy_.expiry = ExpiryRule::kNotJudged;
  EXPECT_TRUE(is_fresh(admit()));
  clock_.now_us = us_of(kLast);
  policy_.expiry = ExpiryRule::kWarn;
  EXPECT_TRUE(is_fresh(admit()));
  EXPECT_EQ(GatePolicy().expiry, ExpiryRule::kRefuse) << "who says nothing gets the strict rule";
}

TEST_F(Freshness, ASetWithoutADateDoesNotExpire) {
  publish({}, 5);
  EXPECT_TRUE(is_fresh(admit_at(std::numeric_limits<std::int64_t>::max())));
}

/// A writer that was stopped before CURRENT takes its own set over, and no other.
TEST_F(Freshness, ASetIsNotTakenOverUnderAnotherDate) {
  const auto publish_again = [&](const std::string& not_after) {
    Manifest draft = draft_of(folders_.records(), "set-2");
    draft.not_after = not_after;
    draft.release_sequence = 5;
    UnsyncedFileSystem files;
    return publish_set(files, folders_.sets(), folders_.cache(), draft);
  };
  EXPECT_TRUE(accepted(publish_again(std::string(kLast)))) << "the control";
  EXPECT_TRUE(refused(publish_again("2030-03-01T00:00:00Z"), ErrorCode::kInvalidArgument, Reason::kExists));
}

TEST_F(Freshness, SequenceBoundsAreInclusive) {
  const auto verdict = [&](std::optional<std::uint64_t> minimum, std::optional<std::uint64_t> maximum) {
    policy_.minimum_release_sequence = minimum;
    policy_.maximum_release_sequence = maximum;
    const auto found = admit();
    return found.ok() ? Reason::kNone : found.error().reason;
  };
  EXPECT_EQ(verdict({}, {}), Reason::kNone);
  EXPECT_EQ(verdict(5, 5), Reason::kNone);
  EXPECT_EQ(verdict(4, 6), Reason::kNone);
  EXPECT_EQ(verdict(6, 6), Reason::kSequenceTooOld);
  EXPECT_EQ(verdict(6, {}), Reason::kSequenceTooOld);
  EXPECT_EQ(verdict({}, 4), Reason::kSequenceStepTooLarge);
  EXPECT_EQ(verdict(1, 4), Reason::kSequenceStepTooLarge);
  policy_.minimum_release_sequence = 6;
  EXPECT_THAT(admit().error().message, HasSubstr("sequence 6 or later, found 5"));
  policy_.minimum_release_sequence.reset();
  EXPECT_THAT(admit().error().message, HasSubstr("at most 4, found 5"));
}

TEST_F(Freshness, TheSequenceIsJudgedBeforeTheDate) {
  clock_.now_us = us_of(kLast) + 1;
  policy_.minimum_release_sequence = 6;
  EXPECT_TRUE(refused(admit(), kManifestError, Reason::kSequenceTooOld));
}

/// The days of 1970 to 2100 one by one, beside a calendar that only counts.
TEST(UtcSeconds, AgreesWithCountingDays) {
  std::int64_t days = 0;
  for (int year = 1970; year <= 2100; ++year) {
    const bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    for (const auto& [month, length] : {std::pair(1, 31),
                                        {2, is_leap ? 29 : 28},
                                        {3, 31},
                                        {4, 30},
                                        {5, 31},
                                        {6, 30},
                                        {7, 31},
                                        {8, 31},
                                        {9, 30},
                                        {10, 31},
                                        {11, 30},
                                        {12, 31}}) {
      for (int day = 1; day <= length; ++day, ++days) {
        char text[64];
        std::snprintf(text, sizeof text, "%04d-%02d-%02dT13:07:59Z", year, month, day);
        ASSERT_EQ(utc_seconds(text), days * 86400 + 13 * 3600 + 7 * 60 + 59) << text;
        ASSERT_EQ(utc_text(*utc_seconds(text) * 1000000), text);
      }
    }
  }
  EXPECT_EQ(days, 47847) << "131 years with 32 leap days";
}

TEST(UtcSeconds, KnowsItsEndsAndNothingElse) {
  EXPECT_EQ(utc_seconds("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(utc_seconds("1969-12-31T23:59:59Z"), -1);
  EXPECT_EQ(utc_seconds("9999-12-31T23:59:59Z"), 253402300799);
  EXPECT_EQ(utc_seconds("0000-01-01T00:00:00Z"), -62167219200);
  for (const std::string bad : {"", "2030-02-30T00:00:00Z", "2100-02-29T00:00:00Z", "2030-02-28T23:59:60Z",
                                "2030-02-28T23:59:59", "2030-02-28T23:59:59z", "+030-02-28T23:59:59Z"}) {
    EXPECT_EQ(utc_seconds(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace skua::test::set_freshness_tests
