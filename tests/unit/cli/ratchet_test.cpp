// `skua ratchet`: what it shows, and when it resets.
#include <gmock/gmock.h>

#include <sstream>
#include <string>
#include <vector>

#include "cache/publish.h"
#include "cache/release_ratchet.h"
#include "cli/commands.h"
#include "core/json_strict.h"
#include "skua_command.h"
#include "temp_folder.h"

namespace skua::test {
namespace {

using ::testing::HasSubstr;

class RatchetCommand : public ::testing::Test {
 protected:
  struct Outcome : CommandOutcome {
    Json json;
  };
  Outcome ratchet(std::vector<std::string> options, bool is_json = true) const {
    std::vector<std::string> arguments = {"ratchet", state_.path().string()};
    if (is_json) arguments.emplace_back("--json");
    arguments.insert(arguments.end(), options.begin(), options.end());
    Outcome outcome{skua_command(std::move(arguments)), {}};
    if (is_json) outcome.json = parse_json(outcome.out).value();
    return outcome;
  }
  void accept(std::uint64_t sequence) const {
    ASSERT_TRUE(accept_sequence(posix_file_system(), state_.path(), sequence).ok());
  }
  std::optional<std::uint64_t> accepted() const {
    return read_ratchet(posix_file_system(), state_.path()).value().accepted;
  }
  TempFolder state_;
};

TEST_F(RatchetCommand, ShowsWhatIsAcceptedAndWritesNothing) {
  EXPECT_TRUE(ratchet({}).json["accepted"].is_null());
  EXPECT_FALSE(state_.has("release"));
  EXPECT_THAT(ratchet({}, false).out, HasSubstr("accepted release sequence: none"));
  accept(7);
  const Outcome shown = ratchet({});
  EXPECT_EQ(shown.status, 0);
  EXPECT_EQ(shown.json,
            (Json{{"state_dir", state_.path().string()}, {"accepted", 7}, {"is_one_copy_bad", false}}));
  EXPECT_EQ(ratchet({}, false).out, "accepted release sequence: 7\n");
  state_.write("release/ratchet.b", "damaged");
  EXPECT_EQ(ratchet({}).json["is_one_copy_bad"], true);
  EXPECT_THAT(ratchet({}, false).err, HasSubstr("damaged or missing"));
  EXPECT_EQ(state_.read("release/ratchet.b"), "damaged");
}

TEST_F(RatchetCommand, DamageIsAGateRefusalUntilItIsReset) {
  accept(7);
  state_.write("release/ratchet.a", "damaged");
  state_.write("release/ratchet.b", "damaged");
  const Outcome shown = ratchet({});
  EXPECT_EQ(shown.status, 5);
  EXPECT_EQ(shown.json["error"]["reason"], "ratchet_damaged");
  const Outcome reset = ratchet({"--reset", "6"});
  EXPECT_EQ(reset.status, 0);
  EXPECT_EQ(reset.json["was_readable"], false);
  EXPECT_TRUE(reset.json["was_accepted"].is_null());
  EXPECT_EQ(accepted(), 6U);
}

TEST_F(RatchetCommand, ResetsDownAndUp) {
  accept(7);
  const Outcome reset = ratchet({"--reset", "3"});
  EXPECT_EQ(reset.status, 0);
  EXPECT_EQ(reset.json["was_accepted"], 7);
  EXPECT_EQ(reset.json["accepted"], 3);
  EXPECT_EQ(accepted(), 3U);
  EXPECT_EQ(ratchet({"--reset", "9"}, false).out, "accepted release sequence: 9 (was 3)\n");
  EXPECT_EQ(accepted(), 9U);
}

TEST_F(RatchetCommand, ANumberThatNoSetCanHaveIsAUsageError) {
  accept(7);
  for (const std::string bad : {"-1", "9007199254740993", "99999999999999999999999", "seven", "1.5", ""}) {
    EXPECT_EQ(ratchet({"--reset", bad}).status, 2) << bad;
    EXPECT_EQ(accepted(), 7U) << bad;
  }
  EXPECT_EQ(ratchet({"--reset", "9007199254740992"}).status, 0) << "the control";
}

TEST_F(RatchetCommand, NothingIsResetWhileAFlightRuns) {
  accept(7);
  {
    const auto flight = WriterLock::take(posix_file_system(), state_.path()).value();
    const Outcome refused = ratchet({"--reset", "3"});
    EXPECT_EQ(refused.status, 2);
    EXPECT_EQ(refused.json["error"]["reason"], "folder_busy");
    EXPECT_EQ(accepted(), 7U);
    EXPECT_EQ(ratchet({}).json["accepted"], 7) << "looking is allowed";
  }
  EXPECT_EQ(ratchet({"--reset", "3"}).status, 0) << "the control";
}

TEST_F(RatchetCommand, NothingIsResetWhileAFlightMayBeTakenUpAgain) {
  accept(7);
  state_.write("in_flight.json", "{}");
  const Outcome refused = ratchet({"--reset", "3"});
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.json["error"]["message"], HasSubstr("If that flight is over, remove this file"));
  EXPECT_EQ(accepted(), 7U);
  std::filesystem::remove(state_.path() / "in_flight.json");
  EXPECT_EQ(ratchet({"--reset", "3"}).status, 0) << "the control";
}

}  // namespace
}  // namespace skua::test
