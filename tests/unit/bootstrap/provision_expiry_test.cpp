// not_after of SET.yaml: it goes into the manifest and belongs to the set's identity, not to its content.
#include "provision_fixture.h"

#include "cache/utc_text.h"
#include "fixed_clock.h"
#include "verdicts.h"

namespace skua::test {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kLater = "2030-01-01T00:00:00Z";

class ProvisioningExpiry : public Provisioning {
 protected:
  ProvisioningExpiry() {
    context_.clock = &fixed_;
    set_clock("2026-06-01T00:00:00Z");
    spec_.not_after = std::string(kLater);
  }
  void set_clock(std::string_view text) { fixed_.now_us = utc_seconds(text).value() * 1000000; }
  /// Provisions and answers what was published; nothing when nothing was.
  std::optional<Manifest> published() {
    auto report = run();
    EXPECT_TRUE(is_ok(report));
    if (!report.ok() || !report->is_published) return std::nullopt;
    EXPECT_EQ(current().filename(), report->manifest.set_id);
    return std::move(report->manifest);
  }
  FixedClock fixed_;
};

TEST_F(ProvisioningExpiry, TheDateIsWrittenIntoTheManifestAndJudgedByTheGate) {
  ASSERT_EQ(published().value().not_after, kLater);
  GatePolicy policy;
  policy.allow_unsigned = true;
  const auto admit = [&] { return admit_set(posix_file_system(), current(), policy, fixed_); };
  EXPECT_TRUE(is_ok(admit()));
  set_clock("2030-01-01T00:00:01Z");
  EXPECT_TRUE(is_error(admit(), ErrorCode::kManifest, Reason::kSetExpired));
}

TEST_F(ProvisioningExpiry, AChangedDateIsANewSetOfTheSameContent) {
  const Manifest first = published().value();
  EXPECT_FALSE(published()) << "the same date is the same set";
  spec_.not_after = "2031-01-01T00:00:00Z";
  const Manifest second = published().value();
  EXPECT_EQ(second.not_after, "2031-01-01T00:00:00Z");
  EXPECT_EQ(second.release_sequence, first.release_sequence + 1);
  EXPECT_NE(second.set_id, first.set_id);
  EXPECT_EQ(content_digest(second), content_digest(first));
  EXPECT_EQ(compiled_, 2) << "nothing is compiled for it";
  spec_.not_after.reset();
  const Manifest third = published().value();
  EXPECT_EQ(third.not_after, std::nullopt);
  EXPECT_EQ(third.release_sequence, second.release_sequence + 1);
  EXPECT_FALSE(published());
}

TEST_F(ProvisioningExpiry, AnIdOrASequenceIsNotUsedForASecondDate) {
  spec_.set_id = "alpha";
  spec_.release_sequence = 5;
  ASSERT_TRUE(published());
  const auto before = tree();
  spec_.not_after = "2031-01-01T00:00:00Z";
  EXPECT_TRUE(
      is_error(run(), ErrorCode::kInvalidArgument, Reason::kInvalidArgument, "release_sequence is 5"));
  spec_.release_sequence = 6;
  EXPECT_TRUE(is_error(run(), ErrorCode::kInvalidArgument, Reason::kExists, "alpha"));
  EXPECT_EQ(tree(), before);
}

/// A writer was stopped just before CURRENT; then the date is changed.
TEST_F(ProvisioningExpiry, ASetThatLacksCurrentIsNotTakenUpUnderAnotherDate) {
  const Manifest first = published().value();
  fs::remove(sets() / "CURRENT");
  spec_.not_after = "2031-01-01T00:00:00Z";
  const Manifest second = published().value();
  EXPECT_EQ(second.release_sequence, first.release_sequence + 1);
  fs::remove(sets() / "CURRENT");
  const auto again = run();
  ASSERT_TRUE(is_ok(again));
  EXPECT_EQ(again->manifest.set_id, second.set_id) << "the control: the same date is taken up";
}

TEST_F(ProvisioningExpiry, ADateThatHasPassedIsRefusedBeforeAnythingIsCompiled) {
  set_clock("2030-01-01T00:00:01Z");
  const auto report = run();
  ASSERT_TRUE(is_error(report, ErrorCode::kInvalidArgument, Reason::kSetExpired, std::string(kLater)));
  EXPECT_EQ(compiled_, 0);
  set_clock(kLater);
  EXPECT_TRUE(published()) << "the control: that second is the last good one";
}

/// Whether the bytes of what flies are whole has nothing to do with its date.
TEST_F(ProvisioningExpiry, AnExpiredCurrentSetIsRenewedWithoutCompiling) {
  const Manifest first = published().value();
  set_clock("2030-06-01T00:00:00Z");
  spec_.not_after = "2031-01-01T00:00:00Z";
  const Manifest second = published().value();
  EXPECT_EQ(content_digest(second), content_digest(first));
  EXPECT_EQ(compiled_, 2);
}

}  // namespace
}  // namespace skua::test
