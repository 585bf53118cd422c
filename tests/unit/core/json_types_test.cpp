#include "core/json_types.h"
#include "core/json_strict.h"

#include <gtest/gtest.h>

#include <limits>

#include "check.h"

namespace skua::json_types_tests {
namespace {

using test::is_error;
using test::is_ok;

template <typename T>
testing::AssertionResult is_malformed(const Result<T>& result, const std::string& part) {
  return is_error(result, ErrorCode::kInvalidArgument, Reason::kMalformed, part);
}

// Through text, as it travels.
Json through_text(const Json& json) { return parse_json(json.dump()).value(); }

TEST(JsonTypes, ShapesReadBack) {
  for (const Shape& shape : {Shape(), Shape({1, -1, 0}), Shape({std::numeric_limits<std::int64_t>::max()})}) {
    EXPECT_EQ(shape_from_json(through_text(to_json(shape)), "x").value(), shape);
  }
}

TEST(JsonTypes, ShapesRefuseWhatIsNone) {
  for (const char* text : {"3", "\"1x2\"", "[1.5]", "[\"1\"]", "[-2]", "[1,1,1,1,1,1,1,1,1]",
                           "[9223372036854775808]", "{}", "[null]"}) {
    EXPECT_TRUE(is_malformed(shape_from_json(parse_json(text).value(), "a.shape"), "a.shape")) << text;
  }
}

HostTuple some_host() {
  return {87, "6.2", "10.3", "36.4.3", "Orin", 8, "10.3.0.30", "12.6", "12.6.68", "aarch64", "asimd"};
}

TEST(JsonTypes, ValuesReadBack) {
  const TensorSpec spec{"matches", DType::kInt64, Shape({-1, 2}), Shape({512, 2}), true};
  EXPECT_EQ(tensor_spec_from_json(through_text(to_json(spec)), "").value(), spec);
  const OptimizationProfile profile{"x", Shape({1}), Shape({2}), Shape({3})};
  EXPECT_EQ(profile_from_json(through_text(to_json(profile)), "").value(), profile);
  EXPECT_EQ(host_from_json(through_text(to_json(some_host())), "").value(), some_host());
  EXPECT_EQ(host_from_json(through_text(to_json(HostTuple())), "").value(), HostTuple());
  const Tolerance tolerance{1e-5, 0.1 + 0.2, true, 0.01};
  EXPECT_EQ(tolerance_from_json(through_text(to_json(tolerance)), "").value(), tolerance);
  CalibrationProvenance provenance{{}, 500, {}, "entropy", "skua 0.1.0"};
  provenance.dataset_sha256.bytes[3] = 9;
  EXPECT_EQ(calibration_from_json(through_text(to_json(provenance)), "").value(), provenance);
}

// Every field of a value type is needed, and no other is allowed.
template <typename Decode>
void expect_strict(const Json& good, Decode decode) {
  ASSERT_TRUE(is_ok(decode(good, "top")));
  for (const auto& [key, value] : good.items()) {
    Json changed = good;
    changed.erase(key);
    EXPECT_TRUE(is_malformed(decode(changed, "top"), "top." + key)) << key;
    changed = good;
    changed[key] = Json::object({{"wrong", "type"}});
    EXPECT_TRUE(is_malformed(decode(changed, "top"), "top." + key)) << key;
  }
  Json extended = good;
  extended["surplus"] = 1;
  EXPECT_TRUE(is_malformed(decode(extended, "top"), "'surplus' is unknown"));
}

TEST(JsonTypes, DecodersAreStrict) {
  expect_strict(to_json(TensorSpec{"a", DType::kBool, Shape({1}), Shape({1}), false}), tensor_spec_from_json);
  expect_strict(to_json(OptimizationProfile{"a", Shape({1}), Shape({1}), Shape({1})}), profile_from_json);
  expect_strict(to_json(some_host()), host_from_json);
  expect_strict(to_json(Tolerance{}), tolerance_from_json);
  expect_strict(to_json(CalibrationProvenance{}), calibration_from_json);
}

TEST(JsonTypes, ErrorsInsideNameTheWholePath) {
  Json json = to_json(TensorSpec{"a", DType::kBool, Shape({1}), Shape({1}), false});
  json["shape"] = Json::array({"x"});
  EXPECT_TRUE(is_malformed(tensor_spec_from_json(json, "inputs[2]"), "inputs[2].shape"));
  json["shape"] = Json::array({1});
  json["dtype"] = "float17";
  EXPECT_TRUE(is_malformed(tensor_spec_from_json(json, "inputs[2]"), "inputs[2].dtype"));
}

BuildConfig full_config() {
  BuildConfig config;
  config.precision = Precision::kInt8;
  config.workspace_mb = 256;
  config.calibration_dataset = "/data/set";
  config.fp32_source = "/data/wide.onnx";
  config.accuracy_dataset = "/data/flight";
  config.accuracy = {0.05, 0.0, 0.95, 0.5, 0.99};
  config.calibration_algorithm = "minmax";
  config.calibration_cache = "/data/cache";
  config.allow_cpu_ranges = true;
  config.optimization_profiles = {{"x", Shape({1}), Shape({2}), Shape({3})},
                                  {"y", Shape({1}), Shape({1}), Shape({1})}};
  config.model_name = "demo";
  config.keep_fp32 = {"a*", "b"};
  config.max_output_shapes = {{"matches", Shape({512, 2})}, {"scores", Shape({512})}};
  config.build_route = BuildRoute::kTrtexec;
  config.golden = GoldenSource{"/data/golden", "reference"};
  config.tolerances = {{"scores", {1e-5, 1e-4, true, 0.1}}};
  return config;
}

TEST(JsonTypes, BuildConfigReadsBack) {
  const BuildConfig config = full_config();
  const BuildConfig read = build_config_from_json(through_text(to_json(config)), "").value();
  EXPECT_EQ(read.precision, config.precision);
  EXPECT_EQ(read.workspace_mb, config.workspace_mb);
  EXPECT_EQ(read.calibration_dataset, config.calibration_dataset);
  EXPECT_EQ(read.fp32_source, config.fp32_source);
  EXPECT_EQ(read.accuracy_dataset, config.accuracy_dataset);
  EXPECT_EQ(read.accuracy, config.accuracy);
  EXPECT_EQ(read.calibration_algorithm, config.calibration_algorithm);
  EXPECT_EQ(read.calibration_cache, config.calibration_cache);
  EXPECT_EQ(read.allow_cpu_ranges, config.allow_cpu_ranges);
  EXPECT_EQ(read.optimization_profiles, config.optimization_profiles);
  EXPECT_EQ(read.model_name, config.model_name);
  EXPECT_EQ(read.keep_fp32, config.keep_fp32);
  EXPECT_EQ(read.max_output_shapes, config.max_output_shapes);
  EXPECT_EQ(read.build_route, config.build_route);
  ASSERT_TRUE(read.golden.has_value());
  EXPECT_EQ(read.golden->file, config.golden->file);
  EXPECT_EQ(read.golden->origin, config.golden->origin);
  EXPECT_EQ(read.tolerances, config.tolerances);
}

TEST(JsonTypes, BuildConfigFieldsMayBeLeftOut) {
  const Json defaults = to_json(BuildConfig());
  EXPECT_EQ(to_json(build_config_from_json(Json::object(), "").value()), defaults);
  EXPECT_EQ(to_json(build_config_from_json(defaults, "").value()), defaults);
  const Json full = to_json(full_config());
  for (const auto& [key, value] : full.items()) {
    const Json one = Json::object({{key, value}});
    const auto config = build_config_from_json(one, "");
    ASSERT_TRUE(is_ok(config)) << key;
    EXPECT_EQ(to_json(*config)[key], value) << key;
  }
}

TEST(JsonTypes, BuildConfigRefusesWrongFields) {
  const Json full = to_json(full_config());
  for (const auto& [key, value] : full.items()) {
    Json changed = full;
    changed[key] = value.is_boolean() ? Json("yes") : Json(true);
    EXPECT_TRUE(is_malformed(build_config_from_json(changed, "build"), "build." + key)) << key;
  }
  const std::pair<const char*, const char*> cases[] = {
      {R"({"workspace": 1})", "build.'workspace' is unknown"},
      {R"({"precision": "half"})", "build.precision"},
      {R"({"workspace_mb": 2147483648})", "build.workspace_mb"},
      {R"({"keep_fp32": ["a", 1]})", "build.keep_fp32[1]"},
      {R"({"optimization_profiles": [{"input": "x", "min": [1], "opt": [1]}]})",
       "build.optimization_profiles[0].max"},
      {R"({"max_output_shapes": {"m": [1.5]}})", "build.max_output_shapes.'m'"},
      {R"({"golden": {"file": "x"}})", "build.golden.origin"},
      {R"({"tolerances": {"s": {"absolute": 1}}})", "build.tolerances.'s'.relative"},
  };
  for (const auto& [text, part] : cases) {
    EXPECT_TRUE(is_malformed(build_config_from_json(parse_json(text).value(), "build"), part)) << text;
  }
}

TEST(JsonTypes, RuntimeConfigReadsBackWithTheNamesOfTheStack) {
  RuntimeConfig config;
  config.runtime = "onnx_trt_ep";
  config.thermal_poll_hz = 0.1;
  config.per_frame_debug_log = true;
  config.gpu_memory_budget_bytes = std::numeric_limits<std::uint64_t>::max();
  config.intra_op_threads = 2;
  config.state_dir = "/s";
  config.lanes = {{"c2_vpr"}, {"c3_matcher"}};
  const Json json = through_text(to_json(config));
  const RuntimeConfig read = runtime_config_from_json(json, "").value();
  EXPECT_EQ(fields_of(read), fields_of(config));
  ASSERT_EQ(read.lanes.size(), 2U);
  EXPECT_EQ(read.lanes[1].consumer, "c3_matcher");
  for (const auto& [name, value] : fields_of(config)) EXPECT_TRUE(json.contains(name)) << name;
  EXPECT_EQ(json.size(), fields_of(config).size() + 1);
}

TEST(JsonTypes, RuntimeConfigIsStrict) {
  const Json full = to_json(RuntimeConfig());
  EXPECT_TRUE(is_ok(runtime_config_from_json(Json::object(), "")));
  for (const auto& [key, value] : full.items()) {
    Json changed = full;
    changed[key] = Json::object();
    EXPECT_TRUE(is_malformed(runtime_config_from_json(changed, "c7"), "c7." + key)) << key;
  }
  EXPECT_TRUE(
      is_malformed(runtime_config_from_json(Json::object({{"threads", 1}}), "c7"), "'threads' is unknown"));
}

}  // namespace
}  // namespace skua::json_types_tests
