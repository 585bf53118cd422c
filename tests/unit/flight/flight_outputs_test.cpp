// What a flight writes: never over what it reads, and no reason to stay on the ground once in the air.
#include "flight/flight_outputs.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "temp_folder.h"
#include "verdicts.h"

namespace skua::flight::flight_outputs_tests {
namespace {

using skua::test::is_error;
using skua::test::is_ok;
using skua::test::TempFolder;

constexpr ErrorCode kInvalid = ErrorCode::kInvalidArgument;

class KeptWarnings final : public EventSink {
 public:
  void emit(const Event& event) noexcept override { all.push_back(event); }
  std::vector<Event> all;
};

class FlightOutputsTest : public ::testing::Test {
 protected:
  FlightOutputsTest() {
    for (const NamedFile& input : files_.inputs) folder_.write(input.path.filename(), "what was there");
  }
  std::filesystem::path at(const char* name) const { return folder_.path() / name; }
  void inputs_are_whole() const {
    for (const NamedFile& input : files_.inputs)
      EXPECT_EQ(folder_.read(input.path.filename()), "what was there") << input.name;
  }
  Status start(bool is_restart) {
    auto trace = start_trace(files_, is_restart, events_);
    if (!trace.ok()) return std::move(trace).error();
    is_traced_ = *trace != nullptr;
    return {};
  }

  TempFolder folder_;
  FlightFiles files_{{{"--config", at("airborne.yaml")}, {"the replay file", at("frames.txt")}},
                     {"--report", {}},
                     {"--frame-lines", {}},
                     {"--trace", {}}};
  KeptWarnings events_;
  bool is_traced_ = false;
};

TEST_F(FlightOutputsTest, OfTheirOwnAreTaken) {
  files_.report.path = at("report.json");
  files_.frame_lines.path = at("frames.jsonl");
  files_.trace.path = at("trace.json");
  EXPECT_TRUE(is_ok(check_flight_files(files_)));
  EXPECT_TRUE(is_ok(start(false)));
  EXPECT_TRUE(is_traced_ && events_.all.empty());
  EXPECT_TRUE(is_ok(check_flight_files(files_))) << "the next flight's: they are there";
}

TEST_F(FlightOutputsTest, ThatAreAnInputAreRefusedAndTheInputStays) {
  for (const char* path : {"airborne.yaml", "./airborne.yaml", "gone/../frames.txt", "frames.txt"}) {
    files_.trace.path = at(path);
    EXPECT_TRUE(is_error(start(false), kInvalid, Reason::kInvalidArgument, "--trace")) << path;
    files_.trace.path.clear();
    files_.frame_lines.path = at(path);
    EXPECT_TRUE(is_error(check_flight_files(files_), kInvalid, Reason::kInvalidArgument, "--frame-lines"));
    files_.frame_lines.path.clear();
    files_.report.path = at(path);
    EXPECT_TRUE(is_error(check_flight_files(files_), kInvalid, Reason::kInvalidArgument, "--report"));
    files_.report.path.clear();
    inputs_are_whole();
  }
  std::filesystem::create_symlink("airborne.yaml", at("link"));
  files_.report.path = at("link");
  EXPECT_TRUE(is_error(check_flight_files(files_), kInvalid, Reason::kInvalidArgument, "name another"));
}

TEST_F(FlightOutputsTest, ThatAreEachOtherAreRefused) {
  files_.trace.path = at("one");
  files_.frame_lines.path = at("./one");
  EXPECT_TRUE(is_error(start(false), kInvalid, Reason::kInvalidArgument, "--frame-lines"));
  EXPECT_FALSE(folder_.has("one"));
  files_.report.path = at("one");
  EXPECT_TRUE(is_error(check_flight_files(files_), kInvalid, Reason::kInvalidArgument, "it is --report"));
  files_.report.path.clear();
  files_.trace.path = files_.frame_lines.path = "/dev/null";
  EXPECT_TRUE(is_ok(start(false)) && is_ok(check_flight_files(files_))) << "it keeps nothing of either";
}

TEST_F(FlightOutputsTest, AnAircraftInTheAirFliesOnWithoutItsTrace) {
  const std::filesystem::path bad[] = {at("gone/trace.json"), at("airborne.yaml"), folder_.path()};
  for (const std::filesystem::path& path : bad) {
    files_.trace.path = path;
    events_.all.clear();
    EXPECT_FALSE(start(false).ok()) << "control: a take-off is refused";
    EXPECT_TRUE(events_.all.empty());
    EXPECT_TRUE(is_ok(start(true))) << path;
    EXPECT_FALSE(is_traced_);
    ASSERT_EQ(events_.all.size(), 1U);
    EXPECT_EQ(events_.all[0].kind, "c7.sink_lost");
    EXPECT_EQ(std::get<std::string>(events_.all[0].fields.at(0).value), "trace");
    EXPECT_NE(events_.all[0].message.find(path.string()), std::string::npos) << events_.all[0].message;
  }
  inputs_are_whole();
  files_.trace.path = at("trace.json");
  EXPECT_TRUE(is_ok(start(true)) && is_traced_) << "and with it where it can be had";
}

}  // namespace
}  // namespace skua::flight::flight_outputs_tests
