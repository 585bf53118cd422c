// What a flight writes: never over what it reads, and no reason to stay on the ground once in the air.
#include "flight/flight_outputs.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "child_process.h"
#include "temp_folder.h"
#include "verdicts.h"

namespace skua::flight::flight_outputs_tests {
namespace {

using skua::test::in_child;
using skua::test::is_error;
using skua::test::is_ok;
using skua::test::mount_small_disk;
using skua::test::TempFolder;
using skua::test::why_no_mounts;

constexpr ErrorCode kInvalid = ErrorCode::kInvalidArgument;

class KeptWarnings final : public EventSink {
 public:
  void emit(const Event& event) noexcept override { all.push_back(event); }
  std::vector<Event> all;
};

class FlightOutputsTest : public ::testing::Test {
 protected:
  FlightOutputsTest() {
    files_.inputs = {{"--config", at("airborne.yaml")}, {"the replay file", at("frames.txt")}};
    files_.report.name = "--report";
    files_.frame_lines.name = "--frame-lines";
    files_.trace.name = "--trace";
    for (const NamedFile& input : files_.inputs) folder_.write(input.path.filename(), "what was there");
  }
  std::filesystem::path at(const char* name) const { return folder_.path() / name; }
  void inputs_are_whole() const {
    for (const NamedFile& input : files_.inputs)
      EXPECT_EQ(folder_.read(input.path.filename()), "what was there") << input.name;
  }
  /// As each of the three, one after the other.
  void expect_refused(const std::filesystem::path& path, const std::string& found) {
    files_.trace.path = path;
    EXPECT_TRUE(is_error(start(false), kInvalid, Reason::kInvalidArgument, "--trace " + path.string()));
    EXPECT_TRUE(is_error(start(false), kInvalid, Reason::kInvalidArgument, found));
    files_.trace.path.clear();
    for (NamedFile* const output : {&files_.report, &files_.frame_lines}) {
      output->path = path;
      const Status refused = check_flight_files(files_);
      EXPECT_TRUE(is_error(refused, kInvalid, Reason::kInvalidArgument, std::string(output->name) + " "));
      EXPECT_TRUE(is_error(refused, kInvalid, Reason::kInvalidArgument, found));
      output->path.clear();
    }
  }
  void expect_taken(const std::filesystem::path& path) {
    files_.trace.path = files_.report.path = path;
    files_.report.path += "-of-the-report";
    EXPECT_TRUE(is_ok(check_flight_files(files_)) && is_ok(start(false)) && is_traced_) << path;
    files_.trace.path.clear(), files_.report.path.clear();
  }
  Status start(bool is_restart) {
    auto trace = start_trace(files_, is_restart, events_);
    if (!trace.ok()) return std::move(trace).error();
    is_traced_ = *trace != nullptr;
    return {};
  }

  TempFolder folder_;
  FlightFiles files_;
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

/// One of each kind that a flight reads or keeps; tests/e2e/test_flight_trace.py has those of a real one.
TEST_F(FlightOutputsTest, InAFolderThatTheFlightNeedsAreRefusedAndNothingIsLost) {
  std::filesystem::create_directories(at("sets/set-1"));
  std::filesystem::create_directories(at("sets-of-another"));
  folder_.write("sets/set-1/net.engine", "what was there");
  std::filesystem::create_directory_symlink("sets/set-1", at("short"));
  files_.folders = {{"recorder_dir", {}}, {"flight_sets_dir", at("sets")}};
  for (const char* path :
       {"sets/set-1/net.engine", "sets/new.json", "sets/set-1/../new.json", "sets/gone/../x",
        "short/net.engine", "short/new.json", "sets-of-another/../sets/new.json"})
    expect_refused(at(path), "lies in flight_sets_dir (" + at("sets").string() + ")");
  EXPECT_EQ(folder_.read("sets/set-1/net.engine"), "what was there");
  EXPECT_FALSE(folder_.has("sets/new.json"));
  files_.folders[1].path = at("short");
  expect_refused(at("sets/set-1/net.engine"), "lies in flight_sets_dir");
  expect_taken(at("sets/beside-it"));
  files_.folders[1].path = at("sets");
  expect_taken(at("sets-of-another/trace.json"));
  expect_taken(at("sets.json"));
}

TEST_F(FlightOutputsTest, InAFolderThatIsMountedTwiceAreRefused) {
  const std::string why_not = why_no_mounts(folder_.path());
  if (!why_not.empty()) GTEST_SKIP() << why_not;
  std::filesystem::create_directories(at("sets/set-1"));
  std::filesystem::create_directory(at("second"));
  files_.folders = {{"flight_sets_dir", at("sets")}};
  files_.report.path = at("second/set-1/report.json");
  std::filesystem::create_directory(at("second/set-1"));
  ASSERT_TRUE(is_ok(check_flight_files(files_))) << "control: it is not mounted yet";
  const std::string said = in_child([&]() -> std::string {
    std::string problem = mount_small_disk(at("second"), "64k");  // in mounts of this child's own
    if (!problem.empty()) return problem;
    if (::mount(at("sets").c_str(), at("second").c_str(), nullptr, MS_BIND, nullptr) != 0)
      return std::strerror(errno);
    const Status refused = check_flight_files(files_);
    return refused.ok() ? "taken" : refused.error().message;
  });
  EXPECT_NE(said.find("lies in flight_sets_dir"), std::string::npos) << said;
}

TEST_F(FlightOutputsTest, ThatAreAPictureAreRefusedWhateverPathLeadsToIt) {
  folder_.write("a.png", "a picture");
  folder_.write("b.png", "a picture");
  folder_.write("list.txt", "a.png\nlink.png\ngone.png\n");
  std::filesystem::create_symlink("b.png", at("link.png"));
  std::filesystem::create_directory(at("map"));
  folder_.write("tile.png", "a tile");
  std::filesystem::create_symlink("../tile.png", at("map/tile.png"));
  FlightArguments arguments;
  arguments.trace = at("trace.json");
  FlightSettings settings;
  settings.frames = at("list.txt");
  TileMap map;
  map.folder = settings.map = at("map");
  map.tiles.resize(1);
  map.tiles[0].name = "tile.png";
  files_ = files_of(arguments, RuntimeConfig(), settings, FrameSource::open(settings.frames).value(), map);
  EXPECT_EQ(files_.pictures.size(), 3U);
  for (const char* path : {"a.png", "./b.png", "tile.png"}) expect_refused(at(path), "is a picture");
  expect_refused(at("list.txt"), "is the replay file");
  expect_refused(at("map/new.json"), "lies in the map");
  EXPECT_EQ(folder_.read("a.png") + folder_.read("b.png") + folder_.read("tile.png"),
            "a picturea picturea tile");
  files_.pictures.clear();
  expect_taken(at("a.png"));
}

TEST_F(FlightOutputsTest, EverythingThatAConfigurationNamesIsKept) {
  folder_.write("frame.png", "a picture");
  RuntimeConfig config;
  config.trusted_key = at("first.pub"), config.next_trusted_key = at("second.pub");
  config.thermal_replay = at("thermal.jsonl");
  config.onnxruntime_library = at("libonnxruntime.so"), config.torch_library = at("libtorch.so");
  config.flight_sets_dir = at("sets"), config.state_dir = at("state"), config.recorder_dir = at("recorder");
  FlightSettings settings;
  settings.frames = folder_.path(), settings.map = at("map");
  FlightArguments arguments;
  arguments.config = at("airborne.yaml");
  const FrameSource frames = FrameSource::open(settings.frames).value();
  files_ = files_of(arguments, config, settings, frames, TileMap());
  EXPECT_TRUE(files_.pictures.empty()) << "no output, nothing to look at";
  EXPECT_EQ(files_.inputs.size() + files_.folders.size(), 11U);
  for (const NamedFile& input : files_.inputs) expect_refused(input.path, "is " + std::string(input.name));
  for (const char* name : {"sets", "state", "recorder", "map"}) std::filesystem::create_directory(at(name));
  for (const NamedFile& folder : files_.folders)
    expect_refused(folder.path / "trace.json", "lies in " + std::string(folder.name));
}

TEST_F(FlightOutputsTest, ThatAreEachOtherAreRefused) {
  files_.trace.path = at("one");
  files_.frame_lines.path = at("./one");
  EXPECT_TRUE(is_error(start(false), kInvalid, Reason::kInvalidArgument, "--frame-lines"));
  EXPECT_FALSE(folder_.has("one"));
  files_.report.path = at("one");
  EXPECT_TRUE(is_error(check_flight_files(files_), kInvalid, Reason::kInvalidArgument, "it is --report"));
  const std::filesystem::path here = std::filesystem::current_path();
  std::filesystem::current_path(folder_.path());
  files_.report.path = "one";
  EXPECT_TRUE(is_error(check_flight_files(files_), kInvalid, Reason::kInvalidArgument, "it is --report"));
  std::filesystem::current_path(here);
  files_.report.path.clear();
  files_.trace.path = files_.frame_lines.path = "/dev/null";
  EXPECT_TRUE(is_ok(start(false)) && is_ok(check_flight_files(files_))) << "it keeps nothing of either";
}

TEST_F(FlightOutputsTest, AnAircraftInTheAirFliesOnWithoutItsTrace) {
  const std::filesystem::path bad[] = {at("gone/trace.json"), at("airborne.yaml"), folder_.path(),
                                       at("sets/trace.json")};
  std::filesystem::create_directory(at("sets"));
  files_.folders = {{"flight_sets_dir", at("sets")}};
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
