#include "bench/report.h"

#include <gmock/gmock.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "core/json_strict.h"
#include "inference/module_loader.h"
#include "temp_folder.h"

namespace skua::bench {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Report sample() {
  Report report;
  report.machine = describe_machine({{"commit", "abc123"}, {"threads", 1}});
  report.figures = {{"call",
                     "bound run, one node",
                     "ratio",
                     {1.061, 1.052, 1.07, 31, true},
                     "<= 1.15",
                     Verdict::kReached,
                     "cpu"},
                    {"call",
                     "infer | map",
                     "ratio",
                     {1.4, 1.3, 1.5, 31, true},
                     "<= 1.25",
                     Verdict::kNotReached,
                     "two\nlines"},
                    {"load", "peak memory", "MiB", {12.0, 12.0, 12.0, 1, false}, "", Verdict::kNoBar, ""},
                    {"load", "three runs", "ms", {2.0, 1.0, 3.0, 3, false}, "", Verdict::kNoBar, ""}};
  return report;
}

std::string text_of(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

TEST(Machine, SaysWhereTheFiguresComeFrom) {
  const Json machine = describe_machine({{"commit", "abc123"}});
  EXPECT_GE(machine.at("cores_usable").get<int>(), 1);
  for (const char* key : {"cpu", "memory", "kernel", "load_average", "compiler", "optimiser"}) {
    EXPECT_FALSE(machine.at(key).get<std::string>().empty()) << key;
  }
  EXPECT_EQ(machine.at("build_id").get<std::string>(), build_id());
  EXPECT_EQ(machine.at("commit").get<std::string>(), "abc123");
}

TEST(Report, KeepsEveryFigureInJson) {
  const Json json = to_json(sample());
  EXPECT_EQ(json.at("machine").at("commit"), "abc123");
  const Json& figures = json.at("figures");
  ASSERT_EQ(figures.size(), 4U);
  EXPECT_DOUBLE_EQ(figures[0].at("upper").get<double>(), 1.07);
  EXPECT_EQ(figures[0].at("verdict"), "reached");
  EXPECT_EQ(figures[1].at("verdict"), "not reached");
  EXPECT_TRUE(figures[2].at("verdict").is_null());
  EXPECT_FALSE(figures[3].at("is_bounded").get<bool>());
}

TEST(Report, ReadsBackWhatItWrote) {
  const Json json = to_json(sample());
  const auto report = report_from_json(json);
  ASSERT_TRUE(report.ok()) << report.error().describe();
  EXPECT_EQ(to_json(*report), json);

  Json spoiled = json;
  spoiled["figures"][1]["verdict"] = "splendid";
  const auto refused = report_from_json(spoiled);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message, HasSubstr("figures[1].verdict"));
}

/// 1 us to 200 us, and half of each.
Report with_sides() {
  SubjectTimes slow{"ours", {}, {}}, fast{"theirs", {}, {}};
  for (std::int64_t i = 1; i <= 200; ++i) {
    slow.calls_ns.push_back(i * 1000);
    fast.calls_ns.push_back(i * 500);
  }
  Report report = sample();
  report.figures[0].sides = sides_of(slow, fast);
  return report;
}

TEST(Report, KeepsTheTimesOfBothSides) {
  const Json json = to_json(with_sides());
  const Json& sides = json.at("figures")[0].at("sides");
  EXPECT_EQ(sides.at("subject").at("name"), "ours");
  EXPECT_DOUBLE_EQ(sides.at("subject").at("p99_us").get<double>(), 198.0);
  EXPECT_DOUBLE_EQ(sides.at("reference").at("p50_us").get<double>(), 50.0);
  EXPECT_TRUE(json.at("figures")[1].at("sides").is_null());
  const auto again = report_from_json(json);
  ASSERT_TRUE(again.ok()) << again.error().describe();
  EXPECT_EQ(to_json(*again), json);
}

TEST(Report, RefusesSidesThatAreNotWhole) {
  Json json = to_json(with_sides());
  json["figures"][0]["sides"]["reference"].erase("p99_us");
  const auto refused = report_from_json(json);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message, HasSubstr("sides.reference"));
}

TEST(Report, ASideOfRoundsIsTheirPercentiles) {
  const Side side = side_of("loads", {3000.4, 1000.0, 2000.0});
  EXPECT_EQ(side.times.count, 3U);
  EXPECT_DOUBLE_EQ(side.times.p50_us, 2.0);
  EXPECT_DOUBLE_EQ(side.times.max_us, 3.0);
}

TEST(Report, KeepsAFigureThatIsNoNumber) {
  Report report;
  report.machine = Json::object();
  report.figures = {
      {"call", "of nothing", "ratio", {std::nan(""), 0.0, 0.0, 0, false}, "", Verdict::kNoBar, ""}};
  EXPECT_THAT(to_markdown(report), HasSubstr("| of nothing | - ratio |"));
  const auto json = parse_json(to_json(report).dump());
  ASSERT_TRUE(json.ok());
  EXPECT_TRUE(report_from_json(*json).ok());
}

TEST(Report, IsATableThatNoTextCanBreak) {
  const std::string text = to_markdown(sample());
  EXPECT_THAT(text, HasSubstr("- commit: abc123\n"));
  EXPECT_THAT(text, HasSubstr("## call\n"));
  EXPECT_THAT(
      text, HasSubstr("| bound run, one node | 1.061 ratio | 1.052 to 1.070 | <= 1.15 | reached | cpu |\n"));
  EXPECT_THAT(
      text,
      HasSubstr("| infer \\| map | 1.400 ratio | 1.300 to 1.500 | <= 1.25 | not reached | two lines |\n"));
  EXPECT_THAT(text, HasSubstr("| peak memory | 12.00 MiB |  |  |  |  |\n"));
  EXPECT_THAT(text, HasSubstr("| three runs | 2.000 ms | 1.000 to 3.000 (range of 3) |"));
  EXPECT_EQ(text.find("## call"), text.rfind("## call")) << "one heading per group";
}

TEST(Report, IsWrittenWholeAndReplacesAnOlderOne) {
  const skua::test::TempFolder folder;
  std::ofstream(folder.path() / "report.md") << "old";
  const Report report = sample();
  ASSERT_TRUE(write_report(report, folder.path() / "report").ok());
  EXPECT_EQ(text_of(folder.path() / "report.md"), to_markdown(report));
  EXPECT_THAT(text_of(folder.path() / "report.json"), HasSubstr("\"abc123\""));
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path())) ++files;
  EXPECT_EQ(files, 2U) << "no temporary stays";
}

TEST(Report, NamesAFolderThatIsNotThere) {
  const skua::test::TempFolder folder;
  const Status written = write_report(sample(), folder.path() / "absent" / "report");
  ASSERT_FALSE(written.ok());
  EXPECT_THAT(written.error().describe(), HasSubstr("absent"));
}

}  // namespace
}  // namespace skua::bench
