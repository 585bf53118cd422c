// The record of the flight in progress: take-off or reboot, crash loops, damage, and every fault of a disk.
#include "bootstrap/flight_state.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/json_strict.h"
#include "fault_filesystem.h"
#include "temp_folder.h"
#include "verdicts.h"

namespace skua::flight_state_tests {
namespace {

using skua::test::FaultFileSystem;
using skua::test::FaultPlan;
using skua::test::is_error;
using skua::test::is_ok;
using skua::test::TempFolder;
constexpr ErrorCode kInvalid = ErrorCode::kInvalidArgument;

class Listener final : public EventSink {
 public:
  void emit(const Event& event) noexcept override { events.push_back(event); }
  std::size_t count(std::string_view kind) const {
    return static_cast<std::size_t>(
        std::count_if(events.begin(), events.end(), [&](const Event& event) { return event.kind == kind; }));
  }
  std::vector<Event> events;
};

class FlightStateTest : public ::testing::Test {
 protected:
  Result<FlightState> open(FileSystem& files = posix_file_system()) {
    return FlightState::open(files, folder_.path(), events_);
  }
  /// One start of the program that does not end in order; how many starts it says there were.
  int start(std::string_view set_id, const BootMoment& now) {
    auto state = open();
    EXPECT_TRUE(is_ok(state));
    const auto begun = state->begin(set_id, now);
    EXPECT_TRUE(is_ok(begun));
    return begun.ok() ? *begun : -1;
  }
  FlightPhase phase(std::string_view set_id) { return open().value().phase_for(set_id); }
  Json record() const { return parse_json(folder_.read("in_flight.json")).value(); }

  TempFolder folder_;
  Listener events_;
};

TEST_F(FlightStateTest, AStartIsATakeOffUntilTheSetIsInFlight) {
  EXPECT_EQ(phase("set-1"), FlightPhase::kTakeOff);
  EXPECT_EQ(start("set-1", {"boot-a", 100}), 1);
  EXPECT_EQ(events_.events.size(), 0U);
  EXPECT_EQ(phase("set-1"), FlightPhase::kReboot);
  EXPECT_EQ(phase("set-2"), FlightPhase::kTakeOff) << "another set is another flight";
}

TEST_F(FlightStateTest, TheRecordHoldsWhatTheFormatSays) {
  start("set-1", {"boot-a", 100});
  start("set-1", {"boot-a", 130});
  EXPECT_EQ(record(), (Json{{"schema_version", 1},
                            {"set_id", "set-1"},
                            {"boot_id", "boot-a"},
                            {"start_count", 2},
                            {"recent_starts_s", {100, 130}}}));
}

/// Whoever may write the record could have a set loaded that is older than the last one.
TEST_F(FlightStateTest, ARecordThatOthersMayWriteIsMovedAsideAndNoFlightInProgress) {
  start("set-1", {"boot-a", 100});
  ASSERT_EQ(phase("set-1"), FlightPhase::kReboot) << "the control";
  std::filesystem::permissions(folder_.path() / "in_flight.json", std::filesystem::perms::others_write,
                               std::filesystem::perm_options::add);
  EXPECT_EQ(phase("set-1"), FlightPhase::kTakeOff);
  EXPECT_TRUE(folder_.has("in_flight.json.rejected"));
  EXPECT_EQ(events_.events.size(), 1U);
}

TEST_F(FlightStateTest, AFolderThatOthersMayWriteIsRefused) {
  std::filesystem::permissions(folder_.path(), std::filesystem::perms::others_write,
                               std::filesystem::perm_options::add);
  EXPECT_TRUE(is_error(open(), ErrorCode::kEngineDeserialize, Reason::kFileMode));
}

TEST_F(FlightStateTest, AnOrderlyEndMakesTheNextStartATakeOff) {
  {
    auto state = open().value();
    ASSERT_TRUE(is_ok(state.begin("set-1", {"boot-a", 100})));
    EXPECT_TRUE(folder_.has("in_flight.json"));
    state.end();
    state.end();  // nothing to remove is no failure
  }
  EXPECT_FALSE(folder_.has("in_flight.json"));
  EXPECT_EQ(phase("set-1"), FlightPhase::kTakeOff);
  EXPECT_TRUE(events_.events.empty());
}

/// A process may fly more than once.
TEST_F(FlightStateTest, WhatBeginsAfterAnOrderlyEndIsATakeOffToo) {
  auto state = open().value();
  for (int flight = 0; flight < 2; ++flight) {
    const auto starts = state.begin("set-1", {"boot-a", 100});
    ASSERT_TRUE(is_ok(starts));
    EXPECT_EQ(*starts, 1);
    EXPECT_EQ(state.set_in_flight(), "set-1");
    state.end();
    EXPECT_EQ(state.set_in_flight(), "");
  }
  EXPECT_TRUE(events_.events.empty());
}

TEST_F(FlightStateTest, EveryRestartIsCountedAndTold) {
  for (int i = 1; i <= 4; ++i) EXPECT_EQ(start("set-1", {"boot-a", 1000 * i}), i);
  EXPECT_EQ(events_.count("c7.reboot_in_flight"), 3U);
  EXPECT_EQ(events_.count("c7.crash_loop"), 0U);
  EXPECT_EQ(events_.events.back().level, Level::kWarn);
  EXPECT_EQ(std::get<std::int64_t>(events_.events.back().fields[1].value), 4);
}

TEST_F(FlightStateTest, FiveStartsWithinFiveMinutesAreACrashLoop) {
  for (int i = 0; i < 4; ++i) start("set-1", {"boot-a", 100 + i * 70});
  EXPECT_EQ(events_.count("c7.crash_loop"), 0U);
  start("set-1", {"boot-a", 399});  // the first was 299 s ago
  ASSERT_EQ(events_.count("c7.crash_loop"), 1U);
  EXPECT_EQ(events_.events.back().level, Level::kError);
  EXPECT_EQ(std::get<std::int64_t>(events_.events.back().fields[1].value), 5);
}

TEST_F(FlightStateTest, FiveStartsInFiveMinutesAndASecondAreNone) {
  for (int i = 0; i < 4; ++i) start("set-1", {"boot-a", 100 + i * 70});
  start("set-1", {"boot-a", 400});  // 300 s after the first
  EXPECT_EQ(events_.count("c7.crash_loop"), 0U);
}

/// A start that falls over in its load is counted as well: noted before the load, it is not counted again.
TEST_F(FlightStateTest, AStartIsCountedBeforeItsLoad) {
  start("set-1", {"boot-a", 100});
  for (int i = 1; i <= 3; ++i) open().value().note_restart({"boot-a", 100 + i});  // never comes to begin()
  EXPECT_EQ(events_.count("c7.crash_loop"), 0U);
  auto state = open().value();
  state.note_restart({"boot-a", 104});
  EXPECT_EQ(events_.count("c7.crash_loop"), 1U);
  EXPECT_EQ(events_.count("c7.reboot_in_flight"), 4U);
  EXPECT_EQ(record()["start_count"], 5);
  EXPECT_EQ(state.begin("set-1", {"boot-a", 105}).value(), 5);
  EXPECT_EQ(record()["start_count"], 5);
  EXPECT_EQ(events_.count("c7.reboot_in_flight"), 4U);
}

TEST_F(FlightStateTest, WithoutAFlightInProgressThereIsNothingToNote) {
  open().value().note_restart({"boot-a", 100});
  EXPECT_FALSE(folder_.has("in_flight.json"));
  EXPECT_TRUE(events_.events.empty());
}

TEST_F(FlightStateTest, ADryStartChangesNothing) {
  folder_.write("in_flight.json", "damaged");
  EXPECT_TRUE(is_ok(FlightState::open(posix_file_system(), folder_.path(), events_, true)));
  EXPECT_EQ(folder_.read("in_flight.json"), "damaged");
  EXPECT_FALSE(folder_.has("in_flight.json.rejected"));
  EXPECT_EQ(events_.count("c7.flight_state"), 1U);
}

/// Seconds since the boot of another boot say nothing.
TEST_F(FlightStateTest, AnotherBootBeginsTheWindowAnewAndTheCountNot) {
  for (int i = 0; i < 4; ++i) start("set-1", {"boot-a", 100 + i});
  EXPECT_EQ(start("set-1", {"boot-b", 103}), 5);
  EXPECT_EQ(events_.count("c7.crash_loop"), 0U);
  EXPECT_EQ(record()["recent_starts_s"], (Json{103}));
  EXPECT_EQ(events_.count("c7.reboot_in_flight"), 4U);
}

TEST_F(FlightStateTest, AnotherSetAfterAFlightWithoutEndIsToldAndTakesOff) {
  start("set-1", {"boot-a", 100});
  EXPECT_EQ(start("set-2", {"boot-a", 101}), 1);
  ASSERT_EQ(events_.events.size(), 1U);
  EXPECT_EQ(events_.events[0].kind, "c7.flight_state");
  EXPECT_EQ(events_.events[0].level, Level::kWarn);
  EXPECT_NE(events_.events[0].message.find("set-1"), std::string::npos);
  EXPECT_EQ(phase("set-2"), FlightPhase::kReboot);
}

TEST_F(FlightStateTest, ALoopOfStartsDoesNotGrowTheRecord) {
  auto state = open().value();
  for (int i = 0; i < 70; ++i) ASSERT_TRUE(is_ok(state.begin("set-1", {"boot-a", 100})));
  EXPECT_EQ(record()["start_count"], 70);
  EXPECT_EQ(record()["recent_starts_s"].size(), 64U);
}

TEST_F(FlightStateTest, ADamagedRecordIsMovedAsideAndTheStartIsATakeOff) {
  start("set-1", {"boot-a", 100});
  const std::string good = folder_.read("in_flight.json");
  std::vector<std::string> damaged = {
      "", "{}", "[]", "null", std::string(70'000, ' '), good + "x", good.substr(0, good.size() / 2)};
  const std::pair<const char*, const char*> changes[] = {{"\"schema_version\": 1", "\"schema_version\": 2"},
                                                         {"\"set_id\": \"set-1\"", "\"set_id\": 1"},
                                                         {"\"start_count\": 1", "\"start_count\": -1"},
                                                         {"\"start_count\": 1", "\"start_count\": 1.5"},
                                                         {"100", "-100"},
                                                         {"100", "\"100\""},
                                                         {"100", "18446744073709551615"},
                                                         {"\"boot_id\"", "\"boat_id\""}};
  for (const auto& [from, to] : changes) {
    std::string text = good;
    damaged.push_back(text.replace(text.find(from), std::string_view(from).size(), to));
  }
  for (const std::string& text : damaged) {
    SCOPED_TRACE(text.substr(0, 200));
    events_.events.clear();
    folder_.write("in_flight.json", text);
    EXPECT_EQ(phase("set-1"), FlightPhase::kTakeOff);
    EXPECT_EQ(folder_.read("in_flight.json.rejected"), text);
    EXPECT_FALSE(folder_.has("in_flight.json"));
    ASSERT_EQ(events_.count("c7.flight_state"), 1U);
    EXPECT_EQ(events_.events[0].level, Level::kWarn);
  }
  folder_.write("in_flight.json", good);
  EXPECT_EQ(phase("set-1"), FlightPhase::kReboot) << "the control";
}

TEST_F(FlightStateTest, AFolderThatIsMissingOrHeldIsRefusedByName) {
  const auto missing = FlightState::open(posix_file_system(), folder_.path() / "gone", events_);
  EXPECT_TRUE(is_error(missing, kInvalid, Reason::kNotFound, "gone"));
  {
    const auto first = open();
    ASSERT_TRUE(is_ok(first));
    EXPECT_TRUE(is_error(open(), kInvalid, Reason::kFolderBusy, folder_.path().string()));
  }
  EXPECT_TRUE(is_ok(open()));  // the control: given back
}

TEST_F(FlightStateTest, ThisMachinesMomentIsOne) {
  const BootMoment first = boot_moment(), second = boot_moment();
  EXPECT_EQ(first.boot_id.size(), 36U) << first.boot_id;
  EXPECT_EQ(first.boot_id, second.boot_id);
  EXPECT_GE(second.seconds, first.seconds);
  EXPECT_GT(first.seconds, 0);
}

/// What begin() does to the disk, fault after fault, until none is met any more. Each verdict is asked of a
/// start behind the fault, on the real disk.
class FlightStateFaults : public FlightStateTest {
 protected:
  /// Operations that open() has done, so that the fault meets begin().
  template <typename Verdict>
  void sweep(std::string_view set_id, bool crash, const Verdict& verdict) {
    std::uint64_t met = 0;
    for (std::uint64_t step = 1; step < 100; ++step) {
      if (folder_.has("in_flight.json")) std::filesystem::remove(folder_.path() / "in_flight.json");
      if (is_reboot_) start("set-1", {"boot-a", 100});
      events_.events.clear();
      FaultFileSystem files;
      Result<int> begun(0);
      {
        auto state = open(files).value();
        FaultPlan plan;
        plan.fail_at = step;
        plan.reason = Reason::kDiskFull;
        plan.error_number = ENOSPC;
        plan.crash = crash;
        files.arm(plan);
        begun = state.begin(set_id, {"boot-a", 110});
      }
      if (!files.has_fired()) break;
      ++met;
      SCOPED_TRACE("step " + std::to_string(step) + ": " + files.journal().back());
      verdict(begun);
    }
    EXPECT_GE(met, 4U) << "create, write, sync, rename at least: otherwise this proves nothing";
  }
  bool is_reboot_ = false;
};

TEST_F(FlightStateFaults, ATakeOffThatCannotBeRecordedIsRefused) {
  sweep("set-1", false, [&](const Result<int>& begun) {
    EXPECT_TRUE(is_error(begun, kInvalid, Reason::kDiskFull, "no take-off"));
    EXPECT_TRUE(is_error(begun, kInvalid, Reason::kDiskFull, folder_.path().string()));
    EXPECT_EQ(phase("set-1"), FlightPhase::kTakeOff) << "what was refused is not in flight";
  });
}

TEST_F(FlightStateFaults, ARebootThatCannotBeRecordedGoesOnWithAWarning) {
  is_reboot_ = true;
  sweep("set-1", false, [&](const Result<int>& begun) {
    ASSERT_TRUE(is_ok(begun));
    EXPECT_EQ(*begun, 2);
    EXPECT_EQ(events_.count("c7.reboot_in_flight"), 1U);
    EXPECT_EQ(events_.count("c7.flight_state"), 1U);
    EXPECT_EQ(phase("set-1"), FlightPhase::kReboot) << "the old record stands, or the new one does";
  });
}

TEST_F(FlightStateFaults, AKillAtATakeOffLeavesNoRecordOrAWholeOne) {
  sweep("set-1", true, [&](const Result<int>&) {
    events_.events.clear();
    const FlightPhase found = phase("set-1");
    EXPECT_EQ(found, folder_.has("in_flight.json") ? FlightPhase::kReboot : FlightPhase::kTakeOff);
    EXPECT_TRUE(events_.events.empty()) << events_.events[0].message;
    EXPECT_FALSE(folder_.has("in_flight.json.rejected"));
  });
}

TEST_F(FlightStateFaults, AKillAtARebootLeavesTheOldRecordOrTheNewOne) {
  is_reboot_ = true;
  sweep("set-1", true, [&](const Result<int>&) {
    events_.events.clear();
    EXPECT_EQ(phase("set-1"), FlightPhase::kReboot);
    EXPECT_TRUE(events_.events.empty());
    const Json starts = record()["start_count"];
    EXPECT_TRUE(starts == 1 || starts == 2) << starts;
  });
}

TEST_F(FlightStateFaults, ARecordThatCannotBeReadIsARefusalAndNoTakeOff) {
  start("set-1", {"boot-a", 100});
  std::uint64_t refused = 0;
  for (std::uint64_t step = 1; step < 100; ++step) {
    FaultFileSystem files;
    FaultPlan plan;
    plan.fail_at = step;
    files.arm(plan);
    const auto state = open(files);
    if (!files.has_fired()) break;
    SCOPED_TRACE("step " + std::to_string(step) + ": " + files.journal().back());
    if (state.ok()) {
      EXPECT_EQ(state->phase_for("set-1"), FlightPhase::kReboot);
      continue;
    }
    ++refused;
    EXPECT_TRUE(is_error(state, kInvalid, Reason::kIo, folder_.path().string()));
    EXPECT_TRUE(folder_.has("in_flight.json"));
  }
  EXPECT_GE(refused, 3U);
  EXPECT_EQ(phase("set-1"), FlightPhase::kReboot);
}

TEST_F(FlightStateFaults, AnEndThatCannotBeRecordedIsAWarning) {
  for (std::uint64_t step = 1; step <= 2; ++step) {
    events_.events.clear();
    FaultFileSystem files;
    auto state = open(files).value();
    ASSERT_TRUE(is_ok(state.begin("set-1", {"boot-a", 100})));
    events_.events.clear();
    FaultPlan plan;
    plan.fail_at = step;
    files.arm(plan);
    state.end();
    EXPECT_TRUE(files.has_fired());
    EXPECT_EQ(events_.count("c7.flight_state"), 1U) << step;
  }
}

}  // namespace
}  // namespace skua::flight_state_tests
