// What is not loaded, whatever the gates say of its bytes.
#include <fstream>

#include "load_fixture.h"
#include "sysfs_tree.h"

namespace skua::test {
namespace {

using ::testing::HasSubstr;

TEST_F(LoadTest, ASealThatComesWhileASetLoadsIsHeeded) {
  const auto set_dir = publish_set({publish_fake(cache_dir_, fake_record("alpha"))});
  auto runtime = make_runtime();
  behaviour_.on_warm_up = [&](const std::string&) {
    runtime->seal();
    return Status();
  };
  EXPECT_EQ(runtime->load_flight_set(set_dir, policy()).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(events_.count("c7.engines_ready"), 0);
}

TEST_F(LoadTest, ASealedRuntimeLoadsNoEngineEither) {
  const EngineCacheEntry entry = publish("alpha");
  auto runtime = make_runtime();
  runtime->seal();
  EXPECT_EQ(runtime->deserialize_engine(entry).error().code, ErrorCode::kInvalidArgument);
  EXPECT_TRUE(make_runtime()->deserialize_engine(entry).ok()) << "the control";
}

TEST_F(LoadTest, WhereTheTemperaturesComeFromIsToldWithTheSet) {
  const auto set_dir = publish_set({publish_fake(cache_dir_, fake_record("alpha"))});
  const SysfsTree tree("jetson_orin_nano_jp6");
  const auto told = [&](bool has_telemetry) {
    events_.events.clear();
    RuntimeEnvironment environment = make_environment();
    environment.thermal_root = tree.root();
    FakeRuntime runtime(environment, behaviour_);
    EXPECT_TRUE(!has_telemetry || runtime.start_telemetry().ok());
    EXPECT_TRUE(runtime.load_flight_set(set_dir, policy()).ok());
    for (const Event& event : events_.events) {
      if (event.kind == "c7.engines_ready") return std::get<std::string>(event.fields.back().value);
    }
    return std::string("not told");
  };
  EXPECT_EQ(told(false), "none");
  EXPECT_NE(told(true), "none");
}

TEST_F(LoadTest, AnEngineThatCannotBeWarmedUpIsRefused) {
  const EngineCacheEntry entry = publish("alpha");
  auto runtime = make_runtime();
  behaviour_.on_warm_up = [](const std::string&) -> Status {
    return make_error(ErrorCode::kInference, Reason::kExecutionFailed, "warm-up failed");
  };
  EXPECT_FALSE(runtime->deserialize_engine(entry).ok());
  EXPECT_EQ(behaviour_.engines_alive, 0);
}

TEST_F(LoadTest, ACacheThatIsNotThereIsARefusal) {
  EngineCacheEntry entry = publish("alpha");
  entry.engine_path = root_.path() / "none" / entry.engine_path.filename();
  const auto refused = make_runtime()->deserialize_engine(entry);
  ASSERT_FALSE(refused.ok());
  EXPECT_TRUE(refused.error().is_load_refusal()) << refused.error().describe();
}

TEST_F(LoadTest, ASetOfAnotherRuntimeIsRefused) {
  EngineRecord foreign = fake_record("alpha");
  foreign.runtime_label = "another";
  const EngineRecord a = publish_fake(cache_dir_, foreign);
  const auto set_dir = publish_fake_set(
      sets_dir_, cache_dir_, {a}, "set-1", [](Manifest& manifest) { manifest.runtime_label = "another"; },
      &key_);
  const auto refused = make_runtime()->load_flight_set(set_dir, policy());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, Reason::kRuntimeMismatch);
  EXPECT_THAT(refused.error().message, HasSubstr("'another'"));
  EXPECT_EQ(behaviour_.deserialize_count, 0);
}

TEST_F(LoadTest, AFlippedByteOfASetNeverReachesTheDeserialiser) {
  const EngineRecord a = publish_fake(cache_dir_, fake_record("alpha"));
  const auto set_dir = publish_set({a});
  std::fstream file(set_dir / build_record_name(a.file), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-1, std::ios::end);
  file.put(' ');
  file.close();
  EXPECT_FALSE(make_runtime()->load_flight_set(set_dir, policy()).ok());
  EXPECT_EQ(behaviour_.deserialize_count, 0);
}

}  // namespace
}  // namespace skua::test
