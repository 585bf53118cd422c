// How fresh a set must be to fly, as an aircraft meets it: what moves the accepted release sequence and what
// does not, in a take-off, in a reboot in flight, and in a start that flies nothing.
#include "bootstrap/airborne_freshness.h"

#include <gmock/gmock.h>

#include <map>

#include "airborne_fixture.h"
#include "cache/utc_text.h"
#include "event_payload.h"
#include "fault_filesystem.h"
#include "fixed_clock.h"
#include "verdicts.h"

namespace skua::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Tree = std::map<std::string, std::string>;

class AirborneFreshness : public AirborneTest {
 protected:
  AirborneFreshness() {
    config_.inference.release_sequence_step = 10;
    surroundings_.clock = &clock_;
    clock_.now_us = utc_seconds("2026-06-01T00:00:00Z").value() * 1000000;
  }

  void publish(std::uint64_t sequence, std::optional<std::string> not_after = {}) {
    set_id_ = "set-" + std::to_string(sequence);
    folder_.publish_set({"ultravpr", "lightglue"}, "lightglue", set_id_, [&](Manifest& manifest) {
      manifest.release_sequence = sequence;
      manifest.not_after = not_after;
    });
  }
  void accept(std::uint64_t sequence) {
    ASSERT_TRUE(is_ok(accept_sequence(posix_file_system(), folder_.state(), sequence)));
  }
  std::optional<std::uint64_t> accepted() const {
    return read_ratchet(posix_file_system(), folder_.state()).value().accepted;
  }
  void put_copy(const std::string& which, const std::string& text) const {
    std::ofstream(folder_.state() / "release" / ("ratchet." + which), std::ios::trunc) << text;
  }
  /// Every file below state_dir with its bytes.
  Tree state() const {
    Tree files;
    for (const auto& entry : fs::recursive_directory_iterator(folder_.state())) {
      std::ifstream stream(entry.path(), std::ios::binary);
      std::ostringstream text;
      if (entry.is_regular_file()) text << stream.rdbuf();
      files[entry.path().string()] = text.str();
    }
    return files;
  }
  void reboot() { surroundings_.set_in_flight = set_id_; }
  Result<PreConstruction> build() { return build_pre_constructed(config_, surroundings_); }
  /// A refusal before any byte of an engine went to a deserialiser, which left state_dir as it was.
  testing::AssertionResult is_refused(Reason reason) {
    const Tree before = state();
    const int loaded = events_.count("c7.engine_deserialized");
    const auto built = build();
    if (built.ok()) return testing::AssertionFailure() << "it flies";
    if (state() != before) return testing::AssertionFailure() << "state_dir has changed";
    if (events_.count("c7.engine_deserialized") != loaded)
      return testing::AssertionFailure() << "engines were loaded";
    return is_error(built, ErrorCode::kManifest, reason);
  }
  const Event* told(std::string_view kind) const {
    const auto found = std::find_if(events_.events.begin(), events_.events.end(),
                                    [&](const Event& event) { return event.kind == kind; });
    return found == events_.events.end() ? nullptr : &*found;
  }

  AirborneConfig config_ = folder_.config();
  FixedClock clock_;
  std::string set_id_;
};

TEST_F(AirborneFreshness, TheFirstSetMayHaveAnySequenceAndIsAccepted) {
  publish(4000);
  ASSERT_TRUE(is_ok(build()));
  EXPECT_EQ(accepted(), 4000U);
  ASSERT_NE(told("c7.sequence_accepted"), nullptr);
  EXPECT_THAT(missing_keys(*told("c7.sequence_accepted")), IsEmpty());
  EXPECT_EQ(events_.count("c7.ratchet"), 0);
  ASSERT_TRUE(is_ok(build())) << "and again";
  EXPECT_EQ(events_.count("c7.sequence_accepted"), 1) << "told once";
}

TEST_F(AirborneFreshness, AnOlderSetNeverFliesAgain) {
  publish(5);
  accept(6);
  EXPECT_TRUE(is_refused(Reason::kSequenceTooOld));
  reboot();
  EXPECT_TRUE(is_refused(Reason::kSequenceTooOld)) << "not in a reboot either";
  publish(6);
  EXPECT_TRUE(is_ok(build())) << "the control";
}

TEST_F(AirborneFreshness, ASetMayBeOneStepAhead) {
  accept(5);
  publish(16);
  EXPECT_TRUE(is_refused(Reason::kSequenceStepTooLarge));
  publish(15);
  ASSERT_TRUE(is_ok(build()));
  EXPECT_EQ(accepted(), 15U);
}

struct Spoiled {
  std::string name;
  Reason reason;
  void (*spoil)(AirborneConfig& config, const fs::path& set);
};

void flip_last(const fs::path& file) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(-1, std::ios::end);
  stream.put('\x7f');
}

fs::path first_with(const fs::path& folder, const std::string& ending) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().string().ends_with(ending)) return entry.path();
  }
  return {};
}

TEST_F(AirborneFreshness, ASetThatDidNotPassWholeNeverMovesIt) {
  const std::vector<Spoiled> cases = {
      {"an engine", Reason::kSidecarHashMismatch,
       [](AirborneConfig&, const fs::path& set) {
         fs::path engine = first_with(set, ".sha256");
         flip_last(engine.replace_extension());
       }},
      {"a golden file", Reason::kGoldenHashMismatch,
       [](AirborneConfig&, const fs::path& set) { flip_last(first_with(set / "golden", ".golden")); }},
      {"an unlisted file", Reason::kUnlistedFile,
       [](AirborneConfig&, const fs::path& set) { std::ofstream(set / "extra") << "x"; }},
      {"no matcher", Reason::kPreConstructedMissing,
       [](AirborneConfig& config, const fs::path&) { config.inference.lightglue_model = "other"; }},
      {"a matcher of another contract", Reason::kContractMismatch,
       [](AirborneConfig& config, const fs::path&) { config.inference.lightglue_model = "ultravpr"; }}};
  accept(5);
  std::uint64_t sequence = 6;
  for (const Spoiled& spoiled : cases) {
    publish(sequence++);
    const AirborneConfig whole = config_;
    spoiled.spoil(config_, folder_.sets() / set_id_);
    const auto built = build();
    ASSERT_FALSE(built.ok()) << spoiled.name;
    EXPECT_EQ(built.error().reason, spoiled.reason) << spoiled.name << ": " << built.error().describe();
    EXPECT_EQ(accepted(), 5U) << spoiled.name;
    config_ = whole;
  }
  EXPECT_EQ(events_.count("c7.sequence_accepted"), 0);
  publish(sequence);
  ASSERT_TRUE(is_ok(build())) << "the control";
  EXPECT_EQ(accepted(), sequence);
}

TEST_F(AirborneFreshness, ADryStartJudgesEverythingAndWritesNothing) {
  surroundings_.is_dry = true;
  publish(7);
  ASSERT_TRUE(is_ok(build()));
  EXPECT_THAT(state(), IsEmpty());
  EXPECT_EQ(events_.count("c7.sequence_accepted"), 0);
  accept(6);
  put_copy("a", "damaged");
  const Tree before = state();
  ASSERT_TRUE(is_ok(build()));
  EXPECT_EQ(state(), before) << "no copy is healed";
  EXPECT_EQ(events_.count("c7.ratchet"), 1);
  accept(8);
  EXPECT_TRUE(is_refused(Reason::kSequenceTooOld));
  publish(8);
  surroundings_.is_dry = false;
  EXPECT_TRUE(is_ok(build())) << "the control";
}

TEST_F(AirborneFreshness, OneBadCopyIsToldAndHealed) {
  publish(7);
  accept(7);
  put_copy("b", "damaged");
  ASSERT_TRUE(is_ok(build()));
  ASSERT_NE(told("c7.ratchet"), nullptr);
  EXPECT_EQ(told("c7.ratchet")->level, Level::kWarn);
  EXPECT_THAT(missing_keys(*told("c7.ratchet")), IsEmpty());
  EXPECT_THAT(told("c7.ratchet")->message, HasSubstr("the other one counts: 7"));
  ASSERT_TRUE(is_ok(build()));
  EXPECT_EQ(events_.count("c7.ratchet"), 1) << "it was healed by the first";
}

TEST_F(AirborneFreshness, WhatCannotBeReadRefusesATakeOffAndIsToldInAReboot) {
  publish(7);
  accept(7);
  put_copy("a", "damaged");
  put_copy("b", "damaged");
  EXPECT_TRUE(is_refused(Reason::kRatchetDamaged));
  surroundings_.set_in_flight = "set-6";
  EXPECT_TRUE(is_refused(Reason::kRatchetDamaged)) << "another set was in flight: this is a take-off";
  EXPECT_EQ(events_.count("c7.ratchet"), 0);
  reboot();
  const Tree before = state();
  ASSERT_TRUE(is_ok(build()));
  ASSERT_EQ(events_.count("c7.ratchet"), 1);
  EXPECT_THAT(told("c7.ratchet")->message, HasSubstr("accepted at its take-off"));
  EXPECT_EQ(state(), before) << "what it said is for the ground to find out";
}

/// Somebody's doing, not the disk's: the flight in progress may be forged as well.
TEST_F(AirborneFreshness, CopiesThatOthersMayWriteAreRefusedInARebootToo) {
  publish(7);
  accept(7);
  reboot();
  ASSERT_TRUE(is_ok(build())) << "the control";
  const auto copy = folder_.state() / "release" / "ratchet.a";
  std::filesystem::permissions(copy, std::filesystem::perms::others_write,
                               std::filesystem::perm_options::add);
  EXPECT_TRUE(is_refused(Reason::kFileMode));
}

TEST_F(AirborneFreshness, AStateFolderThatIsNotThereIsNotAFirstFlight) {
  publish(7);
  config_.inference.state_dir = folder_.state() / "none";
  EXPECT_TRUE(is_refused(Reason::kNotFound));
}

TEST_F(AirborneFreshness, WhatIsLostInFlightIsToldAndWrittenAgain) {
  publish(7);
  reboot();
  ASSERT_TRUE(is_ok(build()));
  ASSERT_EQ(events_.count("c7.ratchet"), 1);
  EXPECT_THAT(told("c7.ratchet")->message, HasSubstr("it was lost"));
  EXPECT_EQ(accepted(), 7U);
}

TEST_F(AirborneFreshness, WhatCannotBeWrittenRefusesATakeOffAndIsToldInAReboot) {
  accept(6);
  publish(7);
  const auto held = WriterLock::take(posix_file_system(), folder_.state() / "release").value();
  EXPECT_TRUE(is_error(build(), ErrorCode::kManifest, Reason::kRatchetNotWritten));
  EXPECT_EQ(accepted(), 6U);
  EXPECT_EQ(events_.count("c7.ratchet"), 0);
  reboot();
  ASSERT_TRUE(is_ok(build()));
  ASSERT_EQ(events_.count("c7.ratchet"), 1);
  EXPECT_THAT(told("c7.ratchet")->message, HasSubstr("the flight goes on"));
  EXPECT_EQ(accepted(), 6U);
}

class AirborneExpiry : public AirborneFreshness {
 protected:
  AirborneExpiry() { publish(7, "2026-05-31T23:59:59Z"); }  // a second before the clock
};

TEST_F(AirborneExpiry, ATrustedClockRefusesATakeOffAndWarnsInAReboot) {
  config_.inference.is_clock_trusted = true;
  EXPECT_TRUE(is_refused(Reason::kSetExpired));
  EXPECT_EQ(events_.count("c7.set_expired"), 0);
  reboot();
  ASSERT_TRUE(is_ok(build()));
  ASSERT_EQ(events_.count("c7.set_expired"), 1);
  EXPECT_EQ(told("c7.set_expired")->level, Level::kWarn);
  EXPECT_THAT(missing_keys(*told("c7.set_expired")), IsEmpty());
}

TEST_F(AirborneExpiry, AClockThatIsNotTrustedDecidesNothing) {
  ASSERT_FALSE(config_.inference.is_clock_trusted) << "the default";
  EXPECT_TRUE(is_ok(build()));
  reboot();
  EXPECT_TRUE(is_ok(build()));
  EXPECT_EQ(events_.count("c7.set_expired"), 0);
}

TEST_F(AirborneExpiry, ATrustedClockThatStandsAt1970DoesNotGroundTheAircraft) {
  config_.inference.is_clock_trusted = true;
  clock_.now_us = 0;
  EXPECT_TRUE(is_ok(build()));
  EXPECT_EQ(events_.count("c7.set_expired"), 0);
}

/// The set is on the disk before the ratchet says that no older one may fly.
TEST_F(AirborneFreshness, ASetThatCannotBeMadeDurableMovesNothing) {
  publish(3);
  EngineSet set;
  set.set_id = set_id_;
  set.release_sequence = 3;
  std::uint64_t refusals = 0;
  for (std::uint64_t n = 1;; ++n) {
    FaultFileSystem files;
    auto ratchet = FlightRatchet::read(files, config_.inference, events_, false);
    ASSERT_TRUE(is_ok(ratchet));
    files.arm({n, Reason::kIo, EIO, false, false});
    const Status done = ratchet->accept(set);
    const std::string what = files.journal().back();
    if (what.find("ratchet") != std::string::npos || !files.has_fired()) break;
    if (what == "open-root " + folder_.state().filename().string()) break;  // the set is settled
    EXPECT_TRUE(is_error(done, ErrorCode::kManifest, Reason::kRatchetNotWritten)) << what;
    EXPECT_EQ(accepted(), std::nullopt) << what;
    ++refusals;
  }
  EXPECT_GT(refusals, 10U) << "every file of the set, its folders, CURRENT";
}

}  // namespace
}  // namespace skua::test
