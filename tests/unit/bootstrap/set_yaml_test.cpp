#include "bootstrap/set_yaml.h"

#include <gmock/gmock.h>

#include <string>

#include "temp_folder.h"

namespace skua::set_yaml_tests {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::StartsWith;

constexpr char kGood[] = R"(runtime: onnx_trt_ep
execution_provider: cpu
networks:
  - name: demo_vpr
    onnx: models/demo_vpr.onnx
    precision: fp32
)";

Result<SetSpec> parsed(const std::string& text) { return parse_set_yaml(text, "/data/SET.yaml"); }

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

/// Refused at this place, with a message that holds `part`; the unchanged text is accepted.
void expect_refused(const std::string& text, const std::string& position, const std::string& part) {
  ASSERT_TRUE(parsed(kGood).ok());
  const auto spec = parsed(text);
  ASSERT_FALSE(spec.ok()) << text;
  EXPECT_EQ(spec.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(spec.error().message, StartsWith("/data/SET.yaml:" + position + ": "));
  EXPECT_THAT(spec.error().message, HasSubstr(part));
}

TEST(SetYaml, MinimalSetHasDefaultsAndResolvedPaths) {
  const auto spec = parsed(kGood);
  ASSERT_TRUE(spec.ok()) << spec.error().message;
  EXPECT_EQ(spec->runtime, "onnx_trt_ep");
  EXPECT_THAT(spec->options, ElementsAre(Pair("execution_provider", "cpu")));
  EXPECT_FALSE(spec->set_id || spec->release_sequence);
  ASSERT_EQ(spec->networks.size(), 1U);
  EXPECT_EQ(spec->networks[0].sources.at("onnx"), "/data/models/demo_vpr.onnx");
  EXPECT_EQ(spec->networks[0].build.precision, Precision::kFp32);
  EXPECT_EQ(spec->networks[0].build.model_name, "demo_vpr");
  EXPECT_EQ(spec->networks[0].criticality, 0U);
}

TEST(SetYaml, EveryKeyIsUnderstood) {
  const auto spec = parsed(R"(runtime: onnx_trt_ep
options: {execution_provider: cpu, intra_op_threads: 2}
set_id: demo-1
release_sequence: 7
networks:
  - name: a
    onnx: a.onnx
    pt: a.pt
    precision: fp16
    workspace_mb: 64
    criticality: 3
    keep_fp32: [/head/*, "Soft?ax"]
    profiles: [{input: image, min: 1x3x8x8, opt: 1x3x16x16, max: 2x3x32x32}]
    max_output_shapes: {matches: 512x2}
    golden: {file: a.golden, origin: pytorch 2.13}
    tolerances: {scores: {absolute: 0.5, relative: 0.25, as_set: true, max_mismatch_fraction: 0.125}}
  - {name: b, onnx: b.onnx, precision: fp32}
)");
  ASSERT_TRUE(spec.ok()) << spec.error().message;
  EXPECT_EQ(spec->set_id, "demo-1");
  EXPECT_EQ(spec->release_sequence, 7U);
  const NetworkSpec& a = spec->networks[0];
  EXPECT_EQ(a.criticality, 3U);
  EXPECT_EQ(a.sources.at("pt"), "/data/a.pt");
  EXPECT_EQ(a.build.workspace_mb, 64);
  EXPECT_THAT(a.build.keep_fp32, ElementsAre("/head/*", "Soft?ax"));
  EXPECT_EQ(a.build.optimization_profiles.at(0),
            (OptimizationProfile{"image", {1, 3, 8, 8}, {1, 3, 16, 16}, {2, 3, 32, 32}}));
  EXPECT_EQ(a.build.max_output_shapes.at("matches"), Shape({512, 2}));
  EXPECT_EQ(a.build.golden->file, "/data/a.golden");
  EXPECT_EQ(a.build.golden->origin, "pytorch 2.13");
  EXPECT_EQ(a.build.tolerances.at("scores"), (Tolerance{0.5, 0.25, true, 0.125}));
  EXPECT_EQ(spec->networks[1].criticality, 1U);
}

TEST(SetYaml, InputsAndOutputsMayBeDeclared) {
  const auto spec = parsed(replaced(kGood, "precision: fp32",
                                    "precision: fp32\n    input_dtypes: {image: float16, mask: bool}\n"
                                    "    output_names: [a, b]"));
  ASSERT_TRUE(spec.ok()) << spec.error().message;
  const BuildConfig& build = spec->networks[0].build;
  EXPECT_THAT(build.input_dtypes, ElementsAre(Pair("image", DType::kFloat16), Pair("mask", DType::kBool)));
  EXPECT_THAT(build.output_names, ElementsAre("a", "b"));
}

TEST(SetYaml, WhatANetworkSaysWrongIsRefusedWhereItStands) {
  const auto with = [](const std::string& line) {
    return replaced(kGood, "precision: fp32", "precision: fp32\n    " + line);
  };
  expect_refused(with("input_dtypes: {image: float99}"), "7:27", "float99");
  expect_refused(with("input_dtypes: {image: [a]}"), "7:27", "input_dtypes.image");
  expect_refused(with("input_dtypes: 7"), "7:19", "input_dtypes");
  expect_refused(with("output_names: [[a]]"), "7:20", "output_names");
  expect_refused(with("keep_fp32: ~"), "7:16", "nothing");
  expect_refused(with("max_output_shapes: {y: 3xx}"), "7:28", "max_output_shapes.y");
  expect_refused(with("max_output_shapes: {y: [3]}"), "7:28", "max_output_shapes.y");
  expect_refused(with("profiles: [{input: x, min: 1, opt: two, max: 3}]"), "7:40", "profiles[0].opt");
  expect_refused(with("profiles: [{input: x, min: 5, opt: 2, max: 3}]"), "4:5", "x");
  expect_refused(with("tolerances: {y: {absolute: much}}"), "7:32", "absolute");
  expect_refused(with("tolerances: {y: {absolute: 1}, y: {absolute: 2}}"), "7:36", "y");
  expect_refused(with("golden: {file: \"\", origin: x}"), "7:20", "is empty");
  expect_refused(replaced(kGood, "models/demo_vpr.onnx", "\"\""), "5:11", "is empty");
}

TEST(SetYaml, EachRuntimeHasItsOwnOptions) {
  EXPECT_THAT(set_option_keys_of("onnx_trt_ep"), ElementsAre("execution_provider", "intra_op_threads"));
  EXPECT_THAT(set_option_keys_of("pytorch_fp16"), ElementsAre("device", "arithmetic", "intra_op_threads"));
  EXPECT_THAT(set_option_keys_of("another"), ElementsAre("intra_op_threads"));
}

TEST(SetYaml, UnknownKeysAreRefusedWhereTheyStand) {
  expect_refused(std::string(kGood) + "speed: 3\n", "7:1", "unknown key 'speed'");
  expect_refused(std::string(kGood) + "    speed: 3\n", "7:5", "networks[0].speed");
  expect_refused(std::string(kGood) + "    golden: {file: a, origin: b, by: c}\n", "7:34",
                 "networks[0].golden.by");
  expect_refused(std::string(kGood) + "    tolerances: {o: {abs: 1}}\n", "7:22",
                 "networks[0].tolerances.o.abs");
}

TEST(SetYaml, RepeatedKeysAreRefused) {
  expect_refused(std::string(kGood) + "runtime: tensorrt\n", "7:1", "runtime is given twice");
  expect_refused(std::string(kGood) + "options: {execution_provider: cuda}\n", "7:31", "given twice");
  expect_refused(std::string(kGood) + "  - {name: demo_vpr, onnx: b.onnx, precision: fp32}\n", "7:5",
                 "given twice");
}

/// Messages name keys, and go to a terminal.
TEST(SetYaml, KeysAreShortAndPrintable) {
  expect_refused(std::string(kGood) + "\"a\\rb\": 1\n", "7:1", "without control characters, found 'a?b'");
  expect_refused(std::string(kGood) + "a\r-b: 1\n", "7:1", "found 'a?-b'");
  const std::string longest(255, 'k');
  expect_refused(std::string(kGood) + longest + ": 1\n", "7:1", "unknown key");
  expect_refused(std::string(kGood) + longest + "k: 1\n", "7:1", "expected a key of at most 255 bytes");
}

TEST(SetYaml, MissingKeysAreNamed) {
  expect_refused(replaced(kGood, "    precision: fp32\n", ""), "4:5", "networks[0].precision is missing");
  expect_refused(replaced(kGood, "    onnx: models/demo_vpr.onnx\n", ""), "4:5", "expected 'onnx' or 'pt'");
  expect_refused("runtime: onnx_trt_ep\n", "1:1", "networks is missing");
  expect_refused("runtime: onnx_trt_ep\nnetworks: []\n", "2:11", "expected 1 to 256 entries, found 0");
}

TEST(SetYaml, WithoutARuntimeItIsTheBaseline) {
  const auto spec = parsed(replaced(kGood, "runtime: onnx_trt_ep\n", ""));
  ASSERT_TRUE(spec.ok()) << spec.error().message;
  EXPECT_EQ(spec->runtime, "pytorch_fp16");
}

TEST(SetYaml, ValuesOfAnotherKindAreRefused) {
  expect_refused(replaced(kGood, "runtime: onnx_trt_ep", "runtime: [a]"), "1:10",
                 "expected a value, found a list");
  expect_refused(replaced(kGood, "precision: fp32", "precision: fp8"), "6:16", "fp8");
  expect_refused(replaced(kGood, "name: demo_vpr", "name: Demo__VPR"), "4:11", "no legal model name");
  expect_refused(std::string(kGood) + "    workspace_mb: many\n", "7:19", "expected an integer");
  expect_refused(std::string(kGood) + "    workspace_mb: 0\n", "7:19", "expected an integer from 1");
  expect_refused(std::string(kGood) + "set_id: ../escape\n", "7:9", "is not allowed");
  expect_refused(std::string(kGood) + "release_sequence: 0\n", "7:19", "expected an integer from 1");
  expect_refused(replaced(kGood, "execution_provider: cpu", "execution_provider: gpu"), "2:21",
                 "execution_provider");
  expect_refused(replaced(kGood, "networks:\n", "options: {state_dir: /x}\nnetworks:\n"), "3:22",
                 "not a runtime option");
  expect_refused(std::string(kGood) + "    profiles: [{input: i, min: 1x, opt: 1, max: 1}]\n", "7:32",
                 "profiles[0].min");
  expect_refused("- a\n", "1:1", "expected a mapping, found a list");
}

const std::string kInt8 = replaced(kGood, "fp32", "int8");
constexpr char kCalibration[] =
    "    calibration: {data_set: data, fp32_source: wide.onnx, judged_by: flight, algorithm: minmax, cache: "
    "c, "
    "allow_cpu_ranges: true}\n";

TEST(SetYaml, ACalibratedNetworkNamesItsData) {
  const auto spec = parsed(kInt8 + kCalibration);
  ASSERT_TRUE(spec.ok()) << spec.error().describe();
  const BuildConfig& build = spec->networks[0].build;
  EXPECT_EQ(build.calibration_dataset, "/data/data");
  EXPECT_EQ(build.fp32_source, "/data/wide.onnx");
  EXPECT_EQ(build.accuracy_dataset, "/data/flight");
  EXPECT_EQ(build.calibration_algorithm, "minmax");
  EXPECT_EQ(build.calibration_cache, "/data/c");
  EXPECT_TRUE(build.allow_cpu_ranges);
  expect_refused(std::string(kGood) + "    calibration: {data_set: data}\n", "4:5", "int8 and mixed");
  expect_refused(kInt8, "4:5", "needs calibration_dataset");
  expect_refused(kInt8 + "    calibration: {data_set: data}\n", "7:18", "judged_by");
  expect_refused(std::string(kGood) + "    calibration: {}\n", "7:18", "data_set");
  expect_refused(std::string(kGood) + "calibration: {}\n", "7:1", "calibration");
}

TEST(SetYaml, BoundsOfAccuracyAreTheNetworksOrTheSets) {
  const std::string text = kInt8 + kCalibration;
  const auto spec = parsed(text + "accuracy: {relative_l2: 0.05}\n");
  ASSERT_TRUE(spec.ok()) << spec.error().describe();
  EXPECT_EQ(spec->networks[0].build.accuracy.relative_l2, 0.05);
  EXPECT_EQ(spec->networks[0].build.accuracy.agreement, AccuracyLimits().agreement);
  const auto own =
      parsed(text + "    accuracy: {agreement: 0.95, cosine: 0.99}\naccuracy: {agreement: 0.91}\n");
  ASSERT_TRUE(own.ok()) << own.error().describe();
  EXPECT_EQ(own->networks[0].build.accuracy.agreement, 0.95);
  EXPECT_EQ(own->networks[0].build.accuracy.cosine, 0.99);
  // Networks of another precision are not held to the set's.
  EXPECT_TRUE(parsed(std::string(kGood) + "accuracy: {relative_l2: 0.05}\n").ok());
  expect_refused(std::string(kGood) + "    accuracy: {relative_l2: 0.05}\n", "4:5", "not judged by samples");
  expect_refused(std::string(kGood) + "accuracy: {relative_l2: 0.2}\n", "7:11", "tightened, not loosened");
  expect_refused(std::string(kGood) + "accuracy: {more: 0.2}\n", "7:12", "more");
}

TEST(SetYaml, AnExpiryDateIsOneMomentInUtc) {
  const auto spec = parsed(std::string(kGood) + "not_after: 2028-02-29T23:59:59Z\n");
  ASSERT_TRUE(spec.ok()) << spec.error().describe();
  EXPECT_EQ(spec->not_after, "2028-02-29T23:59:59Z");
  EXPECT_EQ(parsed(std::string(kGood))->not_after, std::nullopt);
  for (const std::string bad : {"x", "2030-01-01", "2027-02-29T00:00:00Z", "2030-01-01T00:00:00+01:00",
                                "2030-01-01 00:00:00Z", "''", "1893456000"}) {
    expect_refused(std::string(kGood) + "not_after: " + bad + "\n", "7:12", "expected a moment in UTC");
  }
  expect_refused(std::string(kGood) + "not_after: [2030]\n", "7:12", "expected a value, found a list");
  expect_refused(std::string(kGood) + "    not_after: 2030-01-01T00:00:00Z\n", "7:5", "not_after");
}

TEST(SetYaml, WhatTheLibrarySaysCannotSpeakToATerminal) {
  for (const std::string text : {"a: \"\\\x1b[2J\"",
                                 "\"\n\\\x1e?\x1e"
                                 "00~ut"}) {
    const auto spec = parsed(text);
    ASSERT_FALSE(spec.ok());
    EXPECT_EQ(spec.error().reason, Reason::kMalformed);
    for (const char c : spec.error().message) EXPECT_TRUE(c >= ' ' && c <= '~') << spec.error().message;
  }
}

TEST(SetYaml, TextThatIsNotOneYamlDocument) {
  EXPECT_EQ(parsed("a: [1,\n  b: }").error().reason, Reason::kMalformed);
  EXPECT_THAT(parsed("a: [1,\n  b: }").error().message, HasSubstr("/data/SET.yaml:2:"));
  EXPECT_EQ(parsed("").error().reason, Reason::kMalformed);
  EXPECT_EQ(parsed(std::string(kGood) + "---\na: b\n").error().reason, Reason::kMalformed);
}

TEST(SetYaml, ReadsFilesAndNamesMissingOnes) {
  const test::TempFolder folder;
  const auto spec = read_set_yaml(folder.write("SET.yaml", kGood));
  ASSERT_TRUE(spec.ok()) << spec.error().message;
  EXPECT_EQ(spec->networks[0].sources.at("onnx"), folder.path() / "models/demo_vpr.onnx");
  EXPECT_EQ(read_set_yaml(folder.path() / "none.yaml").error().reason, Reason::kNotFound);
  const auto large = read_set_yaml(folder.write("large.yaml", kGood + std::string(1U << 20U, '#')));
  ASSERT_FALSE(large.ok());
  EXPECT_EQ(large.error().reason, Reason::kTooLarge);
}

TEST(SetYaml, SourceFileIsTheOneThatTheRuntimeCompiles) {
  const auto spec = parsed(kGood);
  ASSERT_TRUE(spec.ok());
  EXPECT_EQ(source_file(spec->networks[0], "onnx_trt_ep").value(), "/data/models/demo_vpr.onnx");
  const auto pt = source_file(spec->networks[0], "pytorch_fp16");
  ASSERT_FALSE(pt.ok());
  EXPECT_THAT(pt.error().message, HasSubstr("'pt:'"));
}

}  // namespace
}  // namespace skua::set_yaml_tests
