// The logging table of the flight stack, row by row, as it leaves Skua: through the real pipeline, as lines
// of JSON.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "becomes.h"
#include "core/json_strict.h"
#include "events/event_pipeline.h"
#include "fake_cache.h"
#include "hot_path_counters.h"
#include "sysfs_tree.h"
#include "temp_folder.h"

namespace skua::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class LoggingTableTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(root_.path() / "cache");
    std::filesystem::create_directories(root_.path() / "sets");
    const int fd = ::open(log_path().c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
    ASSERT_GE(fd, 0);
    LogSinkOptions sink;
    sink.fd = fd;
    PipelineOptions options;
    options.minimum = Level::kDebug;
    options.log = make_log_sink(LogTarget::kStdout, sink);
    pipeline_ = EventPipeline::start(options).value();
    ::close(fd);
  }

  std::filesystem::path log_path() const { return root_.path() / "log"; }

  std::unique_ptr<FakeRuntime> make_runtime(bool is_timing_logged) {
    RuntimeEnvironment environment;
    environment.host = fake_host();
    environment.role = Role::kGround;
    environment.events = pipeline_.get();
    environment.thermal_root = machine_.root();
    environment.config.engine_cache_dir = root_.path() / "cache";
    environment.config.per_frame_debug_log = is_timing_logged;
    environment.config.thermal_poll_hz = 10.0;
    return std::make_unique<FakeRuntime>(environment, behaviour_);
  }

  EngineHandle load_set(FakeRuntime& runtime) {
    std::vector<EngineRecord> records;
    for (const char* model : {"ultravpr", "lightglue"})
      records.push_back(publish_fake(root_.path() / "cache", fake_record(model)));
    GatePolicy policy;
    policy.allow_unsigned = true;
    const auto folder = publish_fake_set(root_.path() / "sets", root_.path() / "cache", records);
    return *runtime.load_flight_set(folder, policy).value().find("ultravpr");
  }

  static TensorMap inputs() {
    TensorMap map;
    map.insert("x", Tensor::allocate(DType::kFloat32, {kFakeElements}).value()).value();
    return map;
  }

  /// The records of a kind, once everything was written.
  std::vector<Json> logged(std::string_view kind) {
    EXPECT_TRUE(pipeline_->drain(std::chrono::seconds(10)));
    std::vector<Json> records;
    std::ifstream lines(log_path());
    for (std::string line; std::getline(lines, line);) {
      Json record = parse_json(line).value();
      if (record["kind"] == kind) records.push_back(std::move(record));
    }
    return records;
  }
  /// The only one.
  Json one(std::string_view kind) {
    const std::vector<Json> records = logged(kind);
    EXPECT_EQ(records.size(), 1U) << kind;
    return records.empty() ? Json() : records.front();
  }
  /// Waits for `count` records of a kind.
  bool comes(std::string_view kind, std::size_t count) {
    return becomes([&] { return logged(kind).size() >= count; });
  }

  TempFolder root_;
  SysfsTree machine_{"jetson_orin_nano_jp6"};
  FakeBehaviour behaviour_;
  std::unique_ptr<EventPipeline> pipeline_;
};

TEST_F(LoggingTableTest, ReadyNamesRuntimeEnginesAndThermalSource) {
  auto runtime = make_runtime(false);
  ASSERT_TRUE(runtime->start_telemetry().ok());
  // The poller's own thread opens the source; here the load takes less time than a busy machine needs for it.
  ASSERT_TRUE(becomes([&] { return runtime->thermal_state().is_telemetry_available; }));
  load_set(*runtime);
  const Json ready = one("c7.engines_ready");
  EXPECT_EQ(ready["level"], "INFO");
  EXPECT_EQ(ready["msg"], "C7 ready: runtime=fake, engines=[ultravpr@fp16, lightglue@fp16]");
  EXPECT_EQ(ready["kv"]["thermal_source"], "jetson_sysfs");
  EXPECT_EQ(ready["kv"]["signer"], "none") << "an unsigned set, on the ground";
  EXPECT_NE(ready["kv"]["engine_times"].get<std::string>().find(" golden="), std::string::npos);
}

TEST_F(LoggingTableTest, EachEngineIsDeserialisedAndThenResident) {
  auto runtime = make_runtime(false);
  load_set(*runtime);
  for (const auto& [kind, text] :
       {std::pair{"c7.engine_deserialized", "C7 engine deserialised: ultravpr@fp16"},
        std::pair{"c7.backbone_resident", "C7 backbone resident: ultravpr@fp16"}}) {
    const std::vector<Json> records = logged(kind);
    ASSERT_EQ(records.size(), 2U) << kind;
    // Engines are loaded at once: whose record comes first is not said.
    const auto own =
        std::find_if(records.begin(), records.end(), [&](const Json& r) { return r["msg"] == text; });
    ASSERT_NE(own, records.end()) << text;
    EXPECT_EQ((*own)["level"], "INFO");
  }
}

TEST_F(LoggingTableTest, OutOfMemoryNamesBackboneAndFrame) {
  auto runtime = make_runtime(false);
  const EngineHandle handle = load_set(*runtime);
  auto bound = runtime->bind(handle, runtime->create_lane("c2_vpr").value()).value();
  behaviour_.fail_run = true;
  behaviour_.run_error = Error{ErrorCode::kOutOfMemory, Reason::kOutOfMemory, 2, {}};
  InferOptions options;
  options.frame = 12345;
  EXPECT_FALSE(bound.run(options).ok());
  const Json record = one("c7.out_of_memory");
  EXPECT_EQ(record["level"], "ERROR");
  EXPECT_EQ(record["frame_id"], 12345);
  EXPECT_THAT(record["msg"].get<std::string>(),
              StartsWith("C7 OOM during infer; backbone=ultravpr; frame=12345"));
}

TEST_F(LoggingTableTest, InferenceFailureNamesBackboneFrameAndReason) {
  auto runtime = make_runtime(false);
  const EngineHandle handle = load_set(*runtime);
  behaviour_.fail_run = true;
  behaviour_.run_error = Error{ErrorCode::kInference, Reason::kExecutionFailed, 2, "the SDK's own words"};
  InferOptions options;
  options.frame = 7;
  EXPECT_FALSE(runtime->infer(handle, inputs(), options).ok());
  const Json record = one("c7.inference_failed");
  EXPECT_EQ(record["level"], "WARN");
  EXPECT_EQ(record["frame_id"], 7);
  EXPECT_EQ(record["kv"]["reason"], "execution_failed");
  EXPECT_THAT(record["msg"].get<std::string>(), HasSubstr("the SDK's own words"));
}

TEST_F(LoggingTableTest, ThrottleEnteredAndLeftNameTemperatureAndClock) {
  auto runtime = make_runtime(false);
  ASSERT_TRUE(runtime->start_telemetry().ok());
  const std::string alert = "/sys/class/thermal/cooling_device5/cur_state";
  machine_.set(alert, "1\n");
  ASSERT_TRUE(comes("c7.thermal_transition", 1));
  machine_.set(alert, "0\n");
  ASSERT_TRUE(comes("c7.thermal_transition", 2));
  const std::vector<Json> records = logged("c7.thermal_transition");
  EXPECT_EQ(records[0]["level"], "WARN");
  EXPECT_EQ(records[1]["level"], "WARN");
  EXPECT_THAT(records[0]["msg"].get<std::string>(),
              ::testing::MatchesRegex("C7 thermal throttle active; gpu_temp=[0-9]+C; clock=[0-9]+mhz"));
  EXPECT_THAT(records[1]["msg"].get<std::string>(), StartsWith("C7 thermal throttle ended; gpu_temp="));
}

TEST_F(LoggingTableTest, MissingTelemetryIsAWarning) {
  machine_.apply("!remove /sys");
  auto runtime = make_runtime(false);
  EXPECT_FALSE(runtime->start_telemetry().ok());
  EXPECT_EQ(one("c7.telemetry_unavailable")["level"], "WARN");
}

TEST_F(LoggingTableTest, TimingIsDebugAndOnlyWithItsSwitch) {
  for (const bool is_timing_logged : {false, true}) {
    auto runtime = make_runtime(is_timing_logged);
    const EngineRecord record = publish_fake(root_.path() / "cache", fake_record("ultravpr"));
    const auto handle = runtime->deserialize_engine(to_entry(record, root_.path() / "cache")).value();
    InferOptions options;
    options.frame = 12345;
    ASSERT_TRUE(runtime->infer(handle, inputs(), options).ok());
    EXPECT_EQ(logged("c7.infer").size(), is_timing_logged ? 1U : 0U);
  }
  const Json record = one("c7.infer");
  EXPECT_EQ(record["level"], "DEBUG");
  EXPECT_THAT(record["msg"].get<std::string>(),
              ::testing::MatchesRegex("C7 infer backbone=ultravpr frame=12345 took=[0-9]+ms"));
}

TEST_F(LoggingTableTest, BuildAndLoadFailuresAreErrors) {
  auto runtime = make_runtime(false);
  EXPECT_FALSE(runtime->compile_engine(root_.path() / "nowhere.onnx", BuildConfig()).ok());
  EXPECT_EQ(one("c7.engine_build_failed")["level"], "ERROR");
  GatePolicy policy;
  EXPECT_FALSE(runtime->load_flight_set(root_.path() / "no_set", policy).ok());
  EXPECT_EQ(one("c7.engine_refused")["level"], "ERROR");
}

/// The frame loop's own promise, with the sink that flies.
TEST_F(LoggingTableTest, AFailingBoundRunAllocatesAndLocksNothingWithTheRealPipeline) {
  auto runtime = make_runtime(true);
  const EngineHandle handle = load_set(*runtime);
  auto bound = runtime->bind(handle, runtime->create_lane("c2_vpr").value()).value();
  behaviour_.fail_run = true;
  behaviour_.run_error = Error{ErrorCode::kInference, Reason::kExecutionFailed, 1, {}};
  int failures = 0;
  const HotPathCounts counts = count_hot_path([&] {
    for (int i = 0; i < 500; ++i) failures += bound.run().ok() ? 0 : 1;
  });
  EXPECT_EQ(failures, 500);
  EXPECT_EQ(counts.allocations, 0U);
  EXPECT_EQ(counts.locks, 0U);
  EXPECT_EQ(logged("c7.inference_failed").size() + pipeline_->counts().dropped, 500U);
}

}  // namespace
}  // namespace skua::test
