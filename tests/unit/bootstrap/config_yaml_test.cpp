#include "bootstrap/config_yaml.h"

#include <gmock/gmock.h>

namespace skua {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kGood[] = R"(mode: live
components:
  c2_vpr: {anything: [goes]}
  c7_inference:
    runtime: onnx_trt_ep
    execution_provider: cpu
    lanes: [c2_vpr, c3_matcher]
)";

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
  EXPECT_EQ(file->config.lanes[1].consumer, "c3_matcher");
  EXPECT_THAT(file->given, ElementsAre("execution_provider", "lanes", "runtime"));
  EXPECT_EQ(file->config.thermal_poll_hz, RuntimeConfig().thermal_poll_hz);
}

TEST(ConfigYaml, MissingBlockMeansDefaults) {
  for (const char* text : {"mode: live\n", "components: {}\n", "components: {c7_inference: }\n"}) {
    const auto file = parse_config_yaml(text, "c.yaml");
    ASSERT_TRUE(file.ok()) << file.error().message;
    EXPECT_TRUE(file->given.empty());
    EXPECT_EQ(fields_of(file->config), fields_of(RuntimeConfig()));
  }
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
  expect_refused("components: {c7_inference: {lanes: [a, a]}}\n", "1:36", "declared twice");
  expect_refused("components: {c7_inference: {lanes: [A B]}}\n", "1:28", "lanes");
  expect_refused("- 1\n", "1:1", "expected a mapping");
}

}  // namespace
}  // namespace skua
