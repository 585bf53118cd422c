#include "skua/runtime_config.h"

#include <gtest/gtest.h>

#include <limits>
#include <map>

#include "check.h"
#include "core/config_fields.h"

namespace skua {
namespace {

using test::is_invalid;
using test::is_ok;

struct FieldCase {
  const char* key;
  std::vector<std::string> good, bad;
};

const FieldCase kCases[] = {
    {"runtime", {"tensorrt", "pytorch_fp16", "onnx_trt_ep"}, {"", "onnx", "Tensorrt"}},
    {"engine_cache_dir", {"/x"}, {"", "x", "./x", "~/x"}},
    {"thermal_poll_hz", {"0.5", "10", "1e-3"}, {"0", "-1", "10.01", "nan", "inf", "", "1 ", "0x1"}},
    {"thermal_source",
     {"auto", "jetson_sysfs", "nvml", "linux", "replay", "null"},
     {"", "jtop", "sysfs", "Auto"}},
    {"thermal_replay", {"/x", ""}, {"x"}},
    {"thermal_cpu", {"-1", "0", "1023"}, {"-2", "1024", "", "all"}},
    {"thermal_nice", {"0", "19"}, {"-1", "20", ""}},
    {"per_frame_debug_log", {"true", "false"}, {"", "yes", "1", "True"}},
    {"gpu_memory_budget_bytes",
     {"1", "18446744073709551615"},
     {"0", "-1", "1.5", "18446744073709551616", "4G"}},
    {"trtexec_timeout_s", {"1", "2147483647"}, {"0", "-5", "2147483648", "4294967297", "-2147483649", ""}},
    {"build_memory_mb", {"256", "2147483647"}, {"255", "0", "-1", "2147483648", ""}},
    {"ort_trt_cache_dir", {"/x", ""}, {"x"}},
    {"ort_disallow_cpu_fallback", {"true"}, {"false", "no"}},
    {"flight_sets_dir", {"/x"}, {"", "sets"}},
    {"state_dir", {"/x"}, {"", "state"}},
    {"flight_set_limit_bytes", {"1"}, {"0", "-1"}},
    {"trusted_key", {"/etc/skua/flight.pub", ""}, {"flight.pub", "./x"}},
    {"next_trusted_key", {"/etc/skua/next.pub", ""}, {"next.pub"}},
    {"release_sequence_step", {"1", "18446744073709551615"}, {"0", "-1", ""}},
    {"is_clock_trusted", {"true", "false"}, {"", "no", "0"}},
    {"lightglue_model",
     {"lightglue", "demo_matcher"},
     {"", "LightGlue", "a.engine", "a__b", std::string(65, 'a')}},
    {"lightglue_lanes", {"1", "8"}, {"0", "9", "-1", ""}},
    {"log_sink", {"stdout", "journald", "none"}, {"", "stderr", "syslog"}},
    {"log_level", {"DEBUG", "INFO", "WARN", "ERROR"}, {"", "info", "TRACE"}},
    {"recorder_dir", {"/x", ""}, {"x"}},
    {"recorder_limit_bytes", {"1048576"}, {"0", "1048575", "-1"}},
    {"recorder_sync_ms", {"0", "60000"}, {"-1", "60001", ""}},
    {"intra_op_threads", {"1", "64"}, {"0", "65", "-1", "two"}},
    {"execution_provider", {"tensorrt", "cuda", "cpu"}, {"", "CPU", "cuda,cpu"}},
    {"onnxruntime_library", {"/usr/lib/libonnxruntime.so", ""}, {"libonnxruntime.so"}},
    {"device", {"cpu", "cuda", ""}, {"CPU", "cuda:0", "tensorrt"}},
    {"arithmetic", {"widened", "native", ""}, {"fp16", "Native"}},
    {"torch_library", {"/usr/lib/libtorch.so", ""}, {"libtorch.so"}},
    {"tensorrt_wait", {"spin", "block", "poll"}, {"", "sleep", "Spin"}},
    {"tensorrt_io_memory", {"auto", "mapped", "copied"}, {"", "managed"}},
    {"tensorrt_copied_tensors",
     {"", "ultravpr/image", "a/b,c/d.e/0"},
     {"image", "/image", "a/", "a/b,", "A/b", "a/b,,c/d"}},
    {"tensorrt_cuda_graphs", {"true", "false"}, {"", "1"}},
    {"trtexec", {"/usr/src/tensorrt/bin/trtexec"}, {"", "trtexec"}},
    {"polygraphy", {"/usr/bin/polygraphy", ""}, {"polygraphy"}},
};

std::string value_of(const RuntimeConfig& config, std::string_view key) {
  for (const auto& [name, value] : fields_of(config)) {
    if (name == key) return value;
  }
  return "no such field";
}

/// thermal_source: replay and thermal_replay are valid together only.
RuntimeConfig with_replay_complete(RuntimeConfig config) {
  if (config.thermal_source == "replay") config.thermal_replay = "/x";
  if (!config.thermal_replay.empty()) config.thermal_source = "replay";
  return config;
}

TEST(RuntimeConfig, DefaultsAreValid) { EXPECT_TRUE(is_ok(RuntimeConfig().validate())); }

TEST(RuntimeConfig, EveryFieldHasCases) {
  ASSERT_EQ(std::size(kCases), config_fields().size());
  for (std::size_t i = 0; i < std::size(kCases); ++i) EXPECT_EQ(kCases[i].key, config_fields()[i].name);
}

TEST(RuntimeConfig, SetFieldTakesWhatIsAllowed) {
  for (const FieldCase& field : kCases) {
    for (const std::string& value : field.good) {
      RuntimeConfig config;
      EXPECT_TRUE(is_ok(set_field(config, field.key, value))) << field.key << " " << value;
      EXPECT_TRUE(is_ok(with_replay_complete(config).validate()));
      RuntimeConfig again;
      EXPECT_TRUE(is_ok(set_field(again, field.key, value_of(config, field.key))));
      EXPECT_EQ(fields_of(again), fields_of(config));
    }
  }
}

TEST(RuntimeConfig, SetFieldRefusesTheRestAndChangesNothing) {
  for (const FieldCase& field : kCases) {
    for (const std::string& value : field.bad) {
      RuntimeConfig config;
      const auto before = fields_of(config);
      EXPECT_TRUE(is_invalid(set_field(config, field.key, value), field.key)) << field.key << " " << value;
      EXPECT_EQ(fields_of(config), before) << field.key << " " << value;
    }
  }
}

TEST(RuntimeConfig, PrintedValuesAreTheFields) {
  RuntimeConfig config;
  config.thermal_poll_hz = 2.5;
  config.intra_op_threads = 3;
  config.engine_cache_dir = "/a/b";
  EXPECT_EQ(value_of(config, "thermal_poll_hz"), "2.5");
  EXPECT_EQ(value_of(config, "intra_op_threads"), "3");
  EXPECT_EQ(value_of(config, "engine_cache_dir"), "/a/b");
  EXPECT_EQ(value_of(config, "gpu_memory_budget_bytes"), "4294967296");
  EXPECT_EQ(value_of(config, "per_frame_debug_log"), "false");
}

TEST(RuntimeConfig, UnknownKeyListsTheKnownOnes) {
  RuntimeConfig config;
  EXPECT_TRUE(is_invalid(set_field(config, "engine_cache", "/x"), "'engine_cache'"));
  EXPECT_TRUE(is_invalid(set_field(config, "", "/x"), "thermal_poll_hz"));
}

void expect_refused(void (*spoil)(RuntimeConfig&), const std::string& part) {
  RuntimeConfig config;
  spoil(config);
  EXPECT_TRUE(is_invalid(config.validate(), part)) << part;
}

TEST(RuntimeConfig, ValidateChecksEveryField) {
  using C = RuntimeConfig;
  expect_refused([](C& c) { c.runtime = "x"; }, "runtime is 'x'");
  expect_refused([](C& c) { c.engine_cache_dir = "x"; }, "engine_cache_dir");
  expect_refused([](C& c) { c.thermal_poll_hz = std::numeric_limits<double>::quiet_NaN(); },
                 "thermal_poll_hz");
  expect_refused([](C& c) { c.gpu_memory_budget_bytes = 0; }, "gpu_memory_budget_bytes");
  expect_refused([](C& c) { c.trtexec_timeout_s = 0; }, "trtexec_timeout_s");
  expect_refused([](C& c) { c.ort_trt_cache_dir = "x"; }, "ort_trt_cache_dir");
  expect_refused([](C& c) { c.flight_sets_dir = ""; }, "flight_sets_dir");
  expect_refused([](C& c) { c.state_dir = "x"; }, "state_dir");
  expect_refused([](C& c) { c.flight_set_limit_bytes = 0; }, "flight_set_limit_bytes");
  expect_refused([](C& c) { c.execution_provider = "x"; }, "execution_provider");
  expect_refused([](C& c) { c.intra_op_threads = 65; }, "intra_op_threads");
  expect_refused([](C& c) { c.onnxruntime_library = "x"; }, "onnxruntime_library");
  expect_refused([](C& c) { c.thermal_source = "x"; }, "thermal_source");
  expect_refused([](C& c) { c.log_sink = "x"; }, "log_sink");
  expect_refused([](C& c) { c.recorder_limit_bytes = 1; }, "recorder_limit_bytes");
}

TEST(RuntimeConfig, RecordedReadingsAreForTheReplayAlone) {
  expect_refused([](RuntimeConfig& c) { c.thermal_source = "replay"; }, "thermal_replay is left out");
  expect_refused([](RuntimeConfig& c) { c.thermal_replay = "/x"; }, "thermal_source: replay");
}

TEST(RuntimeConfig, CpuFallbackNamesTheHonestWay) {
  expect_refused([](RuntimeConfig& c) { c.ort_disallow_cpu_fallback = false; }, "execution_provider: cpu");
}

TEST(RuntimeConfig, LanesAreSlugsNamedOnce) {
  using C = RuntimeConfig;
  expect_refused([](C& c) { c.lanes = {{"c2_vpr"}, {"c2_vpr"}}; }, "'c2_vpr' is declared twice");
  expect_refused([](C& c) { c.lanes = {{"default"}}; }, "'default'");
  expect_refused([](C& c) { c.lanes = {{""}}; }, "''");
  expect_refused([](C& c) { c.lanes = {{"C2 VPR"}}; }, "'C2 VPR'");
  expect_refused([](C& c) { c.lanes = {{"c2_vpr", "Ultra VPR"}}; }, "engine 'Ultra VPR' of 'c2_vpr'");
  RuntimeConfig config;
  config.lanes = {{"c2_vpr", "ultravpr"}, {"c3_matcher"}};
  EXPECT_TRUE(is_ok(config.validate()));
}

}  // namespace
}  // namespace skua
