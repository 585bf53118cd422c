#include "bootstrap/config_layers.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include "temp_folder.h"

namespace skua {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

using Variables = std::vector<std::string>;

constexpr char kFile[] = R"(components:
  c7_inference:
    runtime: tensorrt
    log_level: WARN
    lanes: [c2_vpr]
)";

ConfigFile file() { return parse_config_yaml(kFile, "c.yaml").value(); }

Result<ConfigFile> with(const Variables& environment) { return with_environment(file(), environment); }

void expect_refused(const Variables& environment, const std::string& part) {
  const auto read = with(environment);
  ASSERT_FALSE(read.ok()) << part;
  EXPECT_EQ(read.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(read.error().message, HasSubstr(part));
}

TEST(ConfigLayers, EnvironmentIsOverTheFileAndTheFileOverTheDefaults) {
  const ConfigFile read = with({"SKUA_C7_LOG_LEVEL=DEBUG", "SKUA_C7_LOG_SINK=none", "HOME=/x"}).value();
  EXPECT_EQ(read.config.log_level, "DEBUG");
  EXPECT_EQ(read.source_of("log_level"), "SKUA_C7_LOG_LEVEL");
  EXPECT_EQ(read.config.log_sink, "none");
  EXPECT_EQ(read.source_of("log_sink"), "SKUA_C7_LOG_SINK");
  EXPECT_EQ(read.config.runtime, "tensorrt");
  EXPECT_EQ(read.source_of("runtime"), "c.yaml:3");
  EXPECT_EQ(read.config.device, "");
  EXPECT_EQ(read.source_of("device"), "default");
}

TEST(ConfigLayers, WithoutVariablesTheFileStands) {
  const ConfigFile read = with({}).value();
  EXPECT_EQ(read.sources, file().sources);
  EXPECT_EQ(fields_of(read.config), fields_of(file().config));
}

TEST(ConfigLayers, LanesAreACommaListAndReplaceTheFilesOwn) {
  const ConfigFile read = with({"SKUA_C7_LANES=c3_matcher:lightglue, c2_vpr"}).value();
  EXPECT_EQ(lanes_text(read.config.lanes), "c3_matcher:lightglue, c2_vpr");
  EXPECT_EQ(read.source_of("lanes"), "SKUA_C7_LANES");
  // What is printed is what is read.
  EXPECT_EQ(lanes_text(with({"SKUA_C7_LANES=" + lanes_text(read.config.lanes)})->config.lanes),
            "c3_matcher:lightglue, c2_vpr");
  EXPECT_TRUE(with({"SKUA_C7_LANES="})->config.lanes.empty());
  EXPECT_EQ(lanes_text(with({})->config.lanes), "c2_vpr");
  expect_refused({"SKUA_C7_LANES=a,a"}, "environment variable SKUA_C7_LANES: lanes: consumer 'a'");
  expect_refused({"SKUA_C7_LANES=a,"}, "consumer ''");
  expect_refused({"SKUA_C7_LANES=a:"}, "no engine is named after the colon of 'a:'");
  expect_refused({"SKUA_C7_LANES=a:b:c"}, "engine 'b:c' of 'a'");
}

TEST(ConfigLayers, UnknownAndRepeatedVariablesAreRefused) {
  expect_refused({"SKUA_C7_RUNTIMES=tensorrt"}, "'SKUA_C7_RUNTIMES' is unknown");
  expect_refused({"SKUA_C7_RUNTIMES=tensorrt"}, "SKUA_C7_RUNTIME, SKUA_C7_ENGINE_CACHE_DIR");
  expect_refused({"SKUA_C7_RUNTIMES=tensorrt"}, "SKUA_C7_LANES");
  expect_refused({"SKUA_C7_=1"}, "'SKUA_C7_' is unknown");
  expect_refused({"SKUA_C7_runtime=tensorrt"}, "'SKUA_C7_runtime' is unknown");
  expect_refused({"SKUA_C7_RUNTIME"}, "environment variable SKUA_C7_RUNTIME: runtime is ''");
  expect_refused({"SKUA_C7_LOG_SINK=none", "SKUA_C7_LOG_SINK=none"}, "'SKUA_C7_LOG_SINK' is given twice");
  EXPECT_TRUE(with({"SKUA_DEPTH=x", "SKUA_C8_RUNTIME=x", "OTHER_SKUA_C7_RUNTIME=x"}).ok());
}

TEST(ConfigLayers, FieldsAreComparedOnceAllLayersAreThere) {
  const ConfigFile half =
      parse_config_yaml("components: {c7_inference: {thermal_source: replay}}\n", "c.yaml").value();
  EXPECT_TRUE(with_environment(half, Variables{"SKUA_C7_THERMAL_REPLAY=/x"}).ok());
  EXPECT_TRUE(with_environment(half, Variables{"SKUA_C7_THERMAL_SOURCE=null"}).ok());
  const auto contradiction = with_environment(half, Variables{});
  ASSERT_FALSE(contradiction.ok());
  EXPECT_THAT(contradiction.error().message,
              HasSubstr("(thermal_source: c.yaml:1; thermal_replay: default)"));
  const auto other = with_environment({}, Variables{"SKUA_C7_THERMAL_REPLAY=/x"});
  ASSERT_FALSE(other.ok());
  EXPECT_THAT(other.error().message, HasSubstr("thermal_replay: SKUA_C7_THERMAL_REPLAY"));
}

TEST(ConfigLayers, AValueThatTheFileMayNotHaveIsRefusedEvenWhereTheEnvironmentReplacesIt) {
  const test::TempFolder folder;
  const auto path = folder.write("c.yaml", "components: {c7_inference: {log_sink: syslog}}\n");
  const auto read = read_config(path, Variables{"SKUA_C7_LOG_SINK=none"});
  ASSERT_FALSE(read.ok());
  EXPECT_THAT(read.error().message, StartsWith(path.string() + ":1:39: log_sink is 'syslog'"));
}

TEST(ConfigLayers, NoFileMeansTheDefaultsUnderTheEnvironment) {
  const ConfigFile read = read_config({}, Variables{"SKUA_C7_RUNTIME=tensorrt"}).value();
  EXPECT_EQ(read.config.runtime, "tensorrt");
  EXPECT_FALSE(read.has_block);
}

TEST(ConfigLayers, OfTheProcessOnlyOurVariablesAreTaken) {
  ASSERT_EQ(setenv("SKUA_C7_LOG_SINK", "none", 1), 0);
  ASSERT_EQ(setenv("SKUA_OTHER", "x", 1), 0);
  const Variables found = process_environment();
  ASSERT_EQ(unsetenv("SKUA_C7_LOG_SINK"), 0);
  EXPECT_THAT(found, AllOf(Contains("SKUA_C7_LOG_SINK=none"), Each(StartsWith("SKUA_C7_"))));
  EXPECT_THAT(process_environment(), Not(Contains("SKUA_C7_LOG_SINK=none")));
}

}  // namespace
}  // namespace skua
