// The block `flight`: every field at its bounds, and wrong in every way, with line and column.
#include "flight/flight_settings.h"

#include <gtest/gtest.h>

#include <cctype>

#include "temp_folder.h"
#include "verdicts.h"

namespace skua::flight {
namespace {

using skua::test::is_error;
using skua::test::is_ok;
using skua::test::TempFolder;
constexpr ErrorCode kInvalid = ErrorCode::kInvalidArgument;

struct Field {
  const char* key;
  const char* good;
  std::vector<const char*> also_good, wrong;
};

/// In the order of the file that is written; K's order among each other is tested by itself.
const std::vector<Field>& fields() {
  static const std::vector<Field> all = {
      {"frames", "pictures", {"/absolute", "a/../b"}, {}},
      {"map", "tiles", {"/absolute"}, {}},
      {"rate_hz", "3", {"0.1", "100"}, {"0", "0.099", "-3", "100.1", ".nan", ".inf", "fast", "\"\""}},
      {"vpr_model", "vpr", {"a", "ultravpr_2"}, {"\"\"", "Vpr", "a-b", "a/b", "\"a b\"", "a.engine"}},
      {"features_model", "disk", {"x"}, {"\"\"", "DISK", "../x"}},
      {"adhop_model", "adhop", {"x"}, {"\"\"", "a:b"}},
      {"candidates", "10", {"100"}, {"0", "-1", "101", "1.5", "many", "1e1"}},
      {"matches", "3", {"10"}, {"0", "-1", "101", "2.5", "x"}},
      {"matches_throttled", "2", {"1", "3"}, {"0", "-1", "101", "x"}},
      {"min_inliers", "12", {"5", "10000"}, {"4", "0", "-5", "10001", "5.5", "x"}},
      {"deadline_ms", "400", {"1", "60000"}, {"0", "-1", "60000.1", ".nan", "soon"}},
      {"adhop_below_share", "0.5", {"0", "1"}, {"-0.001", "1.001", ".nan", ".inf", "half"}},
      {"adhop_min_period_s", "1", {"0.001", "3600"}, {"0", "-1", "3600.1", ".nan", "x"}}};
  return all;
}

constexpr char kHead[] = "mode: live\nflight:\n";

/// All fields at their good values, but `key` as `line`.
std::string file_with(std::string_view key, const std::string& line) {
  std::string text = kHead;
  for (const Field& field : fields())
    text += field.key == key ? line : "  " + std::string(field.key) + ": " + field.good + "\n";
  return text;
}

std::string line_of(std::string_view key, std::string_view value) {
  return "  " + std::string(key) + ": " + std::string(value) + "\n";
}

class FlightSettingsTest : public ::testing::Test {
 protected:
  Result<FlightSettings> read(const std::string& text) {
    return read_flight_settings(folder_.write("flight.yaml", text));
  }
  /// Refused at this line, by the field's name and with a column.
  void expect_refused(const std::string& text, std::size_t line, const std::string& name) {
    const auto refused = read(text);
    ASSERT_FALSE(refused.ok()) << text;
    EXPECT_EQ(refused.error().code, kInvalid);
    const std::string place = "flight.yaml:" + std::to_string(line) + ":";
    const std::string& message = refused.error().message;
    const std::size_t at = message.find(place);
    ASSERT_NE(at, std::string::npos) << message;
    EXPECT_NE(std::isdigit(static_cast<unsigned char>(message[at + place.size()])), 0) << message;
    EXPECT_NE(message.find(name), std::string::npos) << message;
  }
  TempFolder folder_;
};

TEST_F(FlightSettingsTest, ReadsEveryField) {
  const auto settings = read(R"(flight:
  frames: pictures
  map: /srv/map
  rate_hz: 2.5
  vpr_model: netvlad
  features_model: aliked
  adhop_model: refiner
  candidates: 20
  matches: 5
  matches_throttled: 4
  min_inliers: 15
  adhop_below_share: 0.25
  adhop_min_period_s: 1.5
)");
  ASSERT_TRUE(is_ok(settings));
  EXPECT_EQ(settings->frames, folder_.path() / "pictures") << "relative to the file's folder";
  EXPECT_EQ(settings->map, "/srv/map");
  EXPECT_EQ(settings->rate_hz, 2.5);
  EXPECT_EQ(settings->vpr_model, "netvlad");
  EXPECT_EQ(settings->features_model, "aliked");
  EXPECT_EQ(settings->adhop_model, "refiner");
  EXPECT_EQ(settings->candidates, 20U);
  EXPECT_EQ(settings->matches, 5U);
  EXPECT_EQ(settings->matches_throttled, 4U);
  EXPECT_EQ(settings->min_inliers, 15U);
  EXPECT_EQ(settings->adhop_below_share, 0.25);
  EXPECT_EQ(settings->adhop_min_period_s, 1.5);
}

TEST_F(FlightSettingsTest, WithoutTheBlockTheDefaultsStand) {
  for (const char* text : {"mode: live\n", "flight:\n", "flight: {}\n", "[1]\n"}) {
    const auto settings = read(text);
    ASSERT_TRUE(is_ok(settings)) << text;
    EXPECT_EQ(settings->rate_hz, 3.0);
    EXPECT_EQ(settings->candidates, 10U);
    EXPECT_EQ(settings->matches, 3U);
    EXPECT_EQ(settings->matches_throttled, 2U);
    EXPECT_TRUE(settings->frames.empty());
  }
}

TEST_F(FlightSettingsTest, EveryFieldAtItsBoundsIsTaken) {
  EXPECT_TRUE(is_ok(read(file_with("", ""))));
  for (const Field& field : fields()) {
    for (const char* value : field.also_good)
      EXPECT_TRUE(is_ok(read(file_with(field.key, line_of(field.key, value))))) << field.key << ' ' << value;
  }
}

TEST_F(FlightSettingsTest, EveryFieldWrongInTurnIsRefusedWithLineAndColumn) {
  std::size_t line = 3, cases = 0;
  for (const Field& field : fields()) {
    std::vector<const char*> wrong = field.wrong;
    wrong.insert(wrong.end(), {"[1]", "{a: 1}"});
    for (const char* value : wrong) {
      SCOPED_TRACE(std::string(field.key) + ": " + value);
      expect_refused(file_with(field.key, line_of(field.key, value)), line, field.key);
      ++cases;
    }
    ++line;
  }
  EXPECT_GE(cases, 70U);
}

TEST_F(FlightSettingsTest, EveryFieldTwiceIsRefused) {
  std::size_t line = 4;
  for (const Field& field : fields()) {
    const std::string once = line_of(field.key, field.good);
    expect_refused(file_with(field.key, once + once), line, field.key);
    ++line;
  }
}

TEST_F(FlightSettingsTest, EveryFieldMisspeltIsRefused) {
  std::size_t line = 3;
  for (const Field& field : fields()) {
    const std::string misspelt = std::string(field.key) + "s";
    expect_refused(file_with(field.key, line_of(misspelt, field.good)), line, misspelt);
    ++line;
  }
}

TEST_F(FlightSettingsTest, TheCandidatesNarrowFromStageToStage) {
  expect_refused("flight: {candidates: 2}\n", 1, "matches_throttled <= matches <= candidates");
  expect_refused("flight: {matches: 11}\n", 1, "found 2, 11, 10");
  expect_refused("flight: {matches_throttled: 4}\n", 1, "found 4, 3, 10");
  EXPECT_TRUE(is_ok(read("flight: {candidates: 4, matches: 4, matches_throttled: 4}\n")));
}

TEST_F(FlightSettingsTest, ABlockThatIsNoMappingOrThereTwiceIsRefused) {
  expect_refused("mode: live\nflight: 5\n", 2, "flight");
  expect_refused("mode: live\nflight: [1, 2]\n", 2, "flight");
  const auto twice = read("flight: {}\nmode: live\nflight: {}\n");
  ASSERT_FALSE(twice.ok());
  EXPECT_EQ(twice.error().code, kInvalid);
  EXPECT_NE(twice.error().message.find("flight"), std::string::npos);
}

TEST_F(FlightSettingsTest, AFileThatOthersMayWriteIsRefused) {
  const std::string text = file_with("", "");
  ASSERT_TRUE(is_ok(read(text))) << "the control";
  const std::filesystem::path file = folder_.path() / "flight.yaml";
  std::filesystem::permissions(file, std::filesystem::perms::group_write, std::filesystem::perm_options::add);
  EXPECT_TRUE(is_error(read_flight_settings(file.string()), kInvalid, Reason::kFileMode, "flight.yaml"));
}

TEST_F(FlightSettingsTest, AFileThatIsMissingIsRefusedByName) {
  EXPECT_TRUE(
      is_error(read_flight_settings(folder_.path() / "gone.yaml"), kInvalid, Reason::kNotFound, "gone.yaml"));
}

}  // namespace
}  // namespace skua::flight
