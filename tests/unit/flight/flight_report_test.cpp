// What is said of a flight: the figures of the loop, and a file that is whole or not there.
#include "flight/flight_report.h"

#include <gmock/gmock.h>
#include <sys/resource.h>

#include <csignal>

#include "child_process.h"
#include "core/json_strict.h"
#include "flight_fixture.h"
#include "process_signals.h"

namespace skua::flight {
namespace {

using namespace skua::flight::test;  // NOLINT(google-build-using-namespace)
using skua::test::in_child;
using skua::test::is_error;
using skua::test::is_ok;
using ::testing::UnorderedElementsAre;

class FlightReportTest : public FlightFixture {
 protected:
  /// Four frames: three with a position, one whose extractor failed.
  void fly() {
    signals_ = SignalWatcher::start({std::chrono::minutes(1), [] {}, 0}).value();
    create();
    built_.engines.set_id = "set-1";
    built_.engines.signer = Sha256{{0xab}};
    built_.engines.total_ns = 2'500'000;
    built_.engines.times = {{"vpr", 16, 1'000'000, 2'000'000, 3'000'000, 4'000'000}};
    for (std::size_t i = 0; i < 4; ++i)
      root_.write("frames/" + std::to_string(i) + ".png", encode_gray(pictures_[i]));
    frames_ = FrameSource::open(root_.path() / "frames").value();
    behaviour_.fail(Network::kFeatures, Reason::kExecutionFailed, 1, 2);
    const LoopParts parts{&*pipeline_, &*frames_, &*tiles_, signals_.get(), &supervisor_, &events_, nullptr};
    settings_.rate_hz = 4.0;
    settings_.deadline_ms = 5000.0;
    loop_.emplace(parts, FrameFormat{kSide, kSide, 1}, settings_);
    end_ = loop_->run(std::nullopt);
  }
  FlownFlight flown() const {
    FlownFlight flight{
        built_, *runtime_, *injected_.lightglue, settings_, lightglue_model_, *loop_, FlightPhase::kReboot,
        3,      end_};
    flight.frame_lines_lost = 2;
    flight.trace_spans_lost = 3;
    flight.ready_ns = 7'250'000;
    return flight;
  }

  const PendingSignals after_;
  std::unique_ptr<SignalWatcher> signals_;
  Supervisor supervisor_ = Supervisor::connect("", "").value();
  std::optional<FrameSource> frames_;
  std::optional<FlightLoop> loop_;
  PreConstruction built_;
  std::string lightglue_model_ = "matcher";
  FlightEnd end_ = FlightEnd::kSignal;
};

std::vector<std::string> keys_of(const Json& object) {
  std::vector<std::string> keys;
  for (const auto& item : object.items()) keys.push_back(item.key());
  return keys;
}

TEST_F(FlightReportTest, SaysWhatWasFlown) {
  fly();
  const auto parsed = parse_json(report_text(flown()));
  ASSERT_TRUE(is_ok(parsed));
  const Json& report = *parsed;
  const Json expected = {
      {"schema_version", 1}, {"set_id", "set-1"}, {"runtime", "fake"},     {"phase", "F8"},
      {"start_count", 3},    {"cause", "frames"}, {"rate_hz", 4.0},        {"ready_ms", 7.25},
      {"load_ms", 2.5},      {"frames", 4},       {"positions", 3},        {"missed", 0},
      {"throttled", 0},      {"refined", 0},      {"frame_lines_lost", 2}, {"trace_spans_lost", 3}};
  for (const auto& item : expected.items()) EXPECT_EQ(report[item.key()], item.value()) << item.key();
  EXPECT_EQ(report["signer"], "ab" + std::string(62, '0'));
  EXPECT_EQ(report["no_result"], (Json{{"execution_failed", 1}}));
  EXPECT_EQ(report["engines"], (Json::array({{{"model", "vpr"},
                                              {"size_bytes", 16},
                                              {"verify_ms", 1.0},
                                              {"deserialize_ms", 2.0},
                                              {"warm_up_ms", 3.0},
                                              {"golden_ms", 4.0}}})));
  EXPECT_EQ(report["matcher"]["batch_mode"], "one_lane");
  EXPECT_GE(report["flown_s"].get<double>(), 0.75);
}

TEST_F(FlightReportTest, EveryStageThatRanHasItsFiguresAndItsBackbone) {
  fly();
  const Json stages = parse_json(report_text(flown())).value()["stages"];
  EXPECT_THAT(keys_of(stages),
              UnorderedElementsAre("vpr", "features", "rerank", "match", "solve", "own", "frame", "acquire"));
  EXPECT_EQ(stages["vpr"]["count"], 4);
  EXPECT_EQ(stages["match"]["count"], 3) << "not of the frame whose features failed";
  EXPECT_EQ(stages["solve"]["count"], 3);
  EXPECT_EQ(stages["vpr"]["backbone"], settings_.vpr_model);
  EXPECT_EQ(stages["rerank"]["backbone"], "matcher");
  EXPECT_FALSE(stages["solve"].contains("backbone"));
  for (const auto& item : stages.items()) {
    const Json& stage = item.value();
    EXPECT_LE(stage["p50_ms"], stage["p95_ms"]) << item.key();
    EXPECT_LE(stage["p95_ms"], stage["p99_ms"]) << item.key();
    EXPECT_LE(stage["p99_ms"], stage["max_ms"]) << item.key();
    EXPECT_GT(stage["p50_ms"], 0.0) << item.key();
  }
}

TEST_F(FlightReportTest, TheEndIsAnEventWithTheSameFigures) {
  fly();
  const Event event = ended_event("set-1", end_, loop_->progress());
  EXPECT_EQ(event.kind, "c7.flight_ended");
  EXPECT_EQ(event.level, Level::kInfo);
  const std::vector<std::pair<std::string, Event::Value>> expected = {
      {"set_id", "set-1"},
      {"cause", "frames"},
      {"frame_count", std::int64_t{4}},
      {"no_result_count", std::int64_t{1}},
      {"late_count", static_cast<std::int64_t>(loop_->late_count())},
      {"missed_count", std::int64_t{0}}};
  ASSERT_EQ(event.fields.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(event.fields[i].key, expected[i].first);
    EXPECT_EQ(event.fields[i].value, expected[i].second) << expected[i].first;
  }
}

TEST(WriteReport, ReplacesAnOlderOneAndLeavesNothingElse) {
  const skua::test::TempFolder folder;
  folder.write("report.json", "old");
  EXPECT_TRUE(is_ok(write_report(folder.path() / "report.json", "new\n")));
  EXPECT_EQ(folder.read("report.json"), "new\n");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(WriteReport, APlaceWithoutOneIsRefusedByName) {
  const skua::test::TempFolder folder;
  std::filesystem::create_directories(folder.path() / "report.json/full");
  constexpr ErrorCode kInvalid = ErrorCode::kInvalidArgument;
  EXPECT_TRUE(is_error(write_report(folder.path() / "gone/report.json", "x"), kInvalid, Reason::kNotFound,
                       "--report " + (folder.path() / "gone/report.json").string()));
  const Status onto_a_folder = write_report(folder.path() / "report.json", "x");
  ASSERT_FALSE(onto_a_folder.ok());
  EXPECT_EQ(onto_a_folder.error().code, kInvalid);
  const Status no_name = write_report(folder.path() / "", "x");
  ASSERT_FALSE(no_name.ok());
  EXPECT_EQ(no_name.error().code, kInvalid);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(WriteReport, OntoALinkAFolderOrADeviceIsRefusedAtTheStart) {
  const skua::test::TempFolder folder;
  folder.write("old.json", "old");
  std::filesystem::create_symlink("old.json", folder.path() / "link");
  for (const std::filesystem::path& path :
       {folder.path() / "link", folder.path() / ".", std::filesystem::path("/dev/null")}) {
    EXPECT_TRUE(is_error(check_report_folder(path), ErrorCode::kInvalidArgument, Reason::kNotRegularFile,
                         "--report " + path.string()));
  }
  EXPECT_TRUE(is_ok(check_report_folder(folder.path() / "old.json"))) << "control";
  EXPECT_TRUE(is_ok(check_report_folder(folder.path() / "new.json"))) << "control";
}

/// A disk on which half of it has room.
std::string write_to_a_small_disk(const std::filesystem::path& file) {
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{1000, 1000};
  if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return "no limit";
  const Status written = write_report(file, std::string(2000, 'x'));
  return written.ok() ? "written" : std::string(error_class_name(written.error().code));
}

TEST(WriteReport, WhatDoesNotFitLeavesTheOldOne) {
  const skua::test::TempFolder folder;
  folder.write("report.json", "old");
  EXPECT_EQ(in_child([&] { return write_to_a_small_disk(folder.path() / "report.json"); }),
            "InvalidArgumentError");
  EXPECT_EQ(folder.read("report.json"), "old");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

}  // namespace
}  // namespace skua::flight
