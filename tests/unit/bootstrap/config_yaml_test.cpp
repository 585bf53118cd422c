#include "bootstrap/config_yaml.h"

#include <gmock/gmock.h>

namespace skua::config_yaml_tests {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::StartsWith;

constexpr char kGood[] = R"(mode: live
components:
  c2_vpr: {anything: [goes]}
  c7_inference:
    runtime: onnx_trt_ep
    execution_provider: cpu
    lanes: [{consumer: c2_vpr, engine: ultravpr}, c3_matcher]
)";

ConfigFile parsed(const std::string& text) { return parse_config_yaml(text, "c.yaml").value(); }

void expect_refused(const std::string& text, const std::string& position, const std::string& part) {
  ASSERT_TRUE(parse_config_yaml(kGood, "c.yaml").ok());
  const auto file = parse_config_yaml(text, "c.yaml");
  ASSERT_FALSE(file.ok()) << text;
  EXPECT_EQ(file.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(file.error().message, StartsWith("c.yaml:" + position + ": "));
  EXPECT_THAT(file.error().message, HasSubstr(part));
}

TEST(ConfigYaml, ReadsTheBlockAndRemembersWhatItGave) {
  const auto file = parse_config_yaml(kGood, "c.yaml");
  ASSERT_TRUE(file.ok()) << file.error().message;
  EXPECT_EQ(file->config.runtime, "onnx_trt_ep");
  EXPECT_EQ(file->config.execution_provider, "cpu");
  ASSERT_EQ(file->config.lanes.size(), 2U);
  EXPECT_EQ(file->config.lanes[0].engine, "ultravpr");
  EXPECT_EQ(file->config.lanes[1].consumer, "c3_matcher");
  EXPECT_EQ(file->config.lanes[1].engine, "");
  EXPECT_EQ(lanes_text(file->config.lanes), "c2_vpr:ultravpr, c3_matcher");
  EXPECT_TRUE(file->has_block);
  EXPECT_THAT(file->sources, ElementsAre(Pair("execution_provider", "c.yaml:6"), Pair("lanes", "c.yaml:7"),
                                         Pair("runtime", "c.yaml:5")));
  EXPECT_EQ(file->source_of("runtime"), "c.yaml:5");
  EXPECT_EQ(file->source_of("device"), "default");
  EXPECT_EQ(file->config.thermal_poll_hz, RuntimeConfig().thermal_poll_hz);
}

TEST(ConfigYaml, MissingBlockMeansDefaults) {
  for (const char* text : {"mode: live\n", "components: {}\n", "components: {c7_inference: }\n"}) {
    const auto file = parse_config_yaml(text, "c.yaml");
    ASSERT_TRUE(file.ok()) << file.error().message;
    EXPECT_TRUE(file->sources.empty());
    EXPECT_EQ(fields_of(file->config), fields_of(RuntimeConfig()));
  }
}

TEST(ConfigYaml, ABlockWithoutAValueCountsAsGiven) {
  EXPECT_FALSE(parsed("mode: live\n").has_block);
  EXPECT_FALSE(parsed("components: \n").has_block);
  EXPECT_FALSE(parsed("components: {c2_vpr: }\n").has_block);
  EXPECT_TRUE(parsed("components: {c7_inference: }\n").has_block);
  EXPECT_TRUE(parsed("components: {c7_inference: {}}\n").has_block);
}

TEST(ConfigYaml, RefusesWithLineAndColumn) {
  const std::string good = kGood;
  expect_refused(good + "    speed: 3\n", "8:12", "speed");
  expect_refused(good + "    runtime: tensorrt\n", "8:5", "given twice");
  expect_refused(good + "    thermal_poll_hz: 11\n", "8:22", "thermal_poll_hz");
  expect_refused(good + "    thermal_poll_hz: [1]\n", "8:22", "expected a value, found a list");
  expect_refused(good + "    ort_disallow_cpu_fallback: false\n", "8:32", "execution_provider: cpu");
  expect_refused(good + "    state_dir: relative\n", "8:16", "state_dir");
  expect_refused(good + "components: {}\n", "8:1", "'components' is given twice");
  expect_refused("components: {c7_inference: [1]}\n", "1:28", "expected a mapping, found a list");
  expect_refused("components: [c7_inference]\n", "1:13", "expected a mapping");
  expect_refused("- 1\n", "1:1", "expected a mapping");
}

TEST(ConfigYaml, EveryWrongLaneIsNamedWhereItStands) {
  const auto lanes = [](const std::string& list) {
    return "components: {c7_inference: {lanes: " + list + "}}\n";
  };
  expect_refused(lanes("[a, a]"), "1:40", "'a' is declared twice");
  expect_refused(lanes("[A B]"), "1:37", "'A B'");
  expect_refused(lanes("[default]"), "1:37", "'default', which always exists");
  expect_refused(lanes("a"), "1:36", "lanes: expected a list");
  expect_refused(lanes("[[a]]"), "1:37", "lanes: a lane: expected a value, found a list");
  expect_refused(lanes("[{engine: x}]"), "1:37", "consumer is missing");
  expect_refused(lanes("[{consumer: a, engine: X}]"), "1:37", "engine 'X' of 'a'");
  expect_refused(lanes("[{consumer: a, model: x}]"), "1:51", "model");
  expect_refused(lanes("[{consumer: a, consumer: b}]"), "1:51", "given twice");
  std::string many = "[l0";
  for (std::size_t i = 1; i < kMostLanes; ++i) many += ", l" + std::to_string(i);
  EXPECT_EQ(parsed(lanes(many + "]")).config.lanes.size(), kMostLanes);
  EXPECT_FALSE(parse_config_yaml(lanes(many + ", one_more]"), "c.yaml").ok());
}

}  // namespace
}  // namespace skua::config_yaml_tests
