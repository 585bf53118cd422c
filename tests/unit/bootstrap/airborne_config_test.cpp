#include "bootstrap/airborne_config.h"

#include <gmock/gmock.h>

#include "temp_folder.h"

namespace skua {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Optional;
using ::testing::StartsWith;

Result<AirborneConfig> parse(const std::string& text, std::vector<std::string> environment = {}) {
  return parse_airborne_config(text, "c.yaml", environment);
}

void expect_refused(const std::string& text, const std::string& position, const std::string& part) {
  const auto config = parse(text);
  ASSERT_FALSE(config.ok()) << text;
  EXPECT_EQ(config.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(config.error().message, StartsWith("c.yaml:" + position + ": "));
  EXPECT_THAT(config.error().message, HasSubstr(part));
}

TEST(AirborneConfiguration, ModeIsLiveUnlessItSaysReplay) {
  EXPECT_EQ(parse("a: 1\n")->mode, FlightMode::kLive);
  EXPECT_EQ(parse("mode: live\n")->mode, FlightMode::kLive);
  EXPECT_EQ(parse("mode: replay\n")->mode, FlightMode::kReplay);
  expect_refused("mode: Live\n", "1:7", "mode is 'Live'; expected live or replay");
  expect_refused("mode: \n", "1:1", "mode has no value; expected live or replay");
  expect_refused("mode: [live]\n", "1:7", "mode: expected a value, found a list");
  expect_refused("mode: live\nmode: live\n", "2:1", "'mode' is given twice");
}

TEST(AirborneConfiguration, ConsumersAreTheFourThatComponentsHas) {
  EXPECT_EQ(parse("mode: live\n")->consumers, std::nullopt);
  EXPECT_THAT(parse("components: \n")->consumers, Optional(IsEmpty()));
  EXPECT_THAT(parse("components: {c1_vio: {x: 1}, c7_inference: }\n")->consumers, Optional(IsEmpty()));
  EXPECT_THAT(parse("components: {c3_matcher: {}, c1_vio: , c2_vpr: }\n")->consumers,
              Optional(ElementsAre("c2_vpr", "c3_matcher")));
  EXPECT_THAT(parse("components: {c3_5_adhop: [1], c2_5_rerank: 7}\n")->consumers,
              Optional(ElementsAre("c2_5_rerank", "c3_5_adhop")));
  expect_refused("components: {c2_vpr: , c2_vpr: }\n", "1:24", "'c2_vpr' is given twice");
}

TEST(AirborneConfiguration, TheBlockIsGivenByTheFileAlone) {
  EXPECT_FALSE(parse("components: {c2_vpr: }\n")->has_inference_block);
  EXPECT_TRUE(parse("components: {c7_inference: }\n")->has_inference_block);
  EXPECT_TRUE(parse("components: {c7_inference: {}}\n")->has_inference_block);
  const AirborneConfig config = parse("mode: replay\n", {"SKUA_C7_RUNTIME=tensorrt"}).value();
  EXPECT_FALSE(config.has_inference_block);
  EXPECT_EQ(config.inference.runtime, "tensorrt");
}

TEST(AirborneConfiguration, WithoutTheBlockTheDefaultsAreTaken) {
  const AirborneConfig config = parse("mode: live\n").value();
  EXPECT_EQ(fields_of(config.inference), fields_of(RuntimeConfig()));
  EXPECT_TRUE(config.inference.trusted_key.empty()) << "nobody is trusted unless the operator says so";
}

TEST(AirborneConfiguration, EnvironmentIsOverTheFile) {
  const std::string text = "components: {c7_inference: {runtime: tensorrt, log_level: WARN}}\n";
  const AirborneConfig config = parse(text, {"SKUA_C7_LOG_LEVEL=DEBUG"}).value();
  EXPECT_EQ(config.inference.runtime, "tensorrt");
  EXPECT_EQ(config.inference.log_level, "DEBUG");
  EXPECT_FALSE(parse(text, {"SKUA_C7_LOG_LEVELS=DEBUG"}).ok());
}

TEST(AirborneConfiguration, NothingAllowsUnsignedSetsInTheAir) {
  expect_refused("components: {c7_inference: {allow_unsigned: true}}\n", "1:45",
                 "'allow_unsigned' is unknown");
  EXPECT_FALSE(parse("mode: live\n", {"SKUA_C7_ALLOW_UNSIGNED=true"}).ok());
}

TEST(AirborneConfiguration, OtherKeysBelongToOthers) {
  EXPECT_TRUE(parse("flight: {rate_hz: 3}\nc13_fdr: [1]\ncomponents: {c4_pose: {k: 3}}\n").ok());
  expect_refused("components: {c7_inference: {rate_hz: 3}}\n", "1:38", "rate_hz");
}

TEST(AirborneConfiguration, TheExampleIsReadAndHasAllConsumers) {
  const std::filesystem::path example = SKUA_SOURCE_DIR "/docs/examples/airborne.yaml";
  const auto config = read_airborne_config(example, {});
  ASSERT_TRUE(config.ok()) << config.error().message;
  EXPECT_EQ(config->mode, FlightMode::kLive);
  EXPECT_TRUE(config->has_inference_block);
  EXPECT_EQ(config->consumers->size(), AIRBORNE_REQUIRED_PRE_CONSTRUCTED_KEYS.size());
  EXPECT_EQ(config->inference.trusted_key, "/etc/skua/flight.pub");
}

/// It names the keys that decide what flies.
TEST(AirborneConfiguration, WhatIsNoYamlOrNamesNoConsumersIsRefused) {
  EXPECT_FALSE(parse_airborne_config("a: [", "a.yaml", {}).ok());
  EXPECT_FALSE(parse_airborne_config("mode: live\ncomponents: {}\ncomponents: {}\n", "a.yaml", {}).ok());
}

TEST(AirborneConfiguration, AFileThatOthersMayWriteIsRefused) {
  const test::TempFolder folder;
  folder.write("airborne.yaml", "mode: live\n");
  const auto file = folder.path() / "airborne.yaml";
  ASSERT_TRUE(read_airborne_config(file, {}).ok()) << "the control";
  std::filesystem::permissions(file, std::filesystem::perms::group_write, std::filesystem::perm_options::add);
  const auto refusal = read_airborne_config(file, {});
  ASSERT_FALSE(refusal.ok());
  EXPECT_EQ(refusal.error().reason, Reason::kFileMode);
  EXPECT_THAT(refusal.error().message, HasSubstr("airborne.yaml"));
}

}  // namespace
}  // namespace skua
