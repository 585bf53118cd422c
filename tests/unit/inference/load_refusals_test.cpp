// What is not loaded, whatever the gates say of its bytes.
#include <fstream>
#include <functional>

#include "kept_trace.h"
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

/// What `span` of the trace of `load` says of its failure; once.
std::string reason_of(const char* span, const std::function<bool()>& load) {
  KeptTrace trace;
  EXPECT_FALSE(load());
  const auto found = spans_named(trace.spans(), span);
  if (found.size() != 1 || !found[0].contains("args")) return std::to_string(found.size()) + " without";
  return found[0]["args"].value("reason", "none");
}

TEST_F(LoadTest, ATraceSaysWhyNothingWasLoadedWhereverThatWasFound) {
  const auto set_dir = publish_set({publish_fake(cache_dir_, fake_record("alpha"))});
  auto sealed = make_runtime(), twice = make_runtime(), late = make_runtime();
  const auto load = [&](FakeRuntime& runtime) {
    return [&] { return runtime.load_flight_set(set_dir, policy()).ok(); };
  };
  ASSERT_TRUE(load(*twice)());
  EXPECT_EQ(reason_of("load_set", load(*twice)), "invalid_argument");
  sealed->seal();
  EXPECT_EQ(reason_of("load_set", load(*sealed)), "invalid_argument");
  const auto gone = root_.path() / "gone";
  EXPECT_EQ(reason_of("load_set", [&] { return make_runtime()->load_flight_set(gone, policy()).ok(); }),
            "set_missing");
  behaviour_.on_warm_up = [&](const std::string&) {
    late->seal();
    return Status();
  };
  EXPECT_EQ(reason_of("load_set", load(*late)), "invalid_argument");
  behaviour_.on_warm_up = [](const std::string&) { return Status(); };
  EngineCacheEntry entry = publish("bravo");
  entry.engine_sha256 = Sha256();
  EXPECT_EQ(reason_of("load_engine", [&] { return make_runtime()->deserialize_engine(entry).ok(); }),
            "manifest_hash_mismatch");
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
