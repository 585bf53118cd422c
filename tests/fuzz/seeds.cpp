// Writes the first inputs of the corpus, from the product's own encoders: fuzz_seeds CORPUS-FOLDER. What
// fuzzing added to it later stays.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "bootstrap/config_yaml.h"
#include "cache/dsse_bundle.h"
#include "cache/release_ratchet.h"
#include "cache/set_statement.h"
#include "calibration/cache_origin.h"
#include "calibration/cache_text.h"
#include "calibration/npz.h"
#include "runtimes/tensorrt/compile_timing_cache.h"
#include "telemetry/reading_json.h"
#include "telemetry/source.h"
#include "whole_manifest.h"

namespace {

using namespace skua;

class Seeds {
 public:
  explicit Seeds(std::filesystem::path folder) : folder_(std::move(folder)) {}
  void add(const std::string& target, const std::string& text) {
    const auto file = folder_ / target / ("seed-" + std::to_string(++counts_[target]));
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
  }

 private:
  std::filesystem::path folder_;
  std::map<std::string, int> counts_;
};

void add_cache_formats(Seeds& seeds) {
  const EngineRecord record = test::plan_record();
  seeds.add("engine_file_name", record.file);
  seeds.add("engine_file_name", "ultra_vpr___sm0_jp0_trt0_mixed.onnx");
  seeds.add("sidecar", record.engine_sha256.hex());
  seeds.add("build_record", encode_build_record(record));
  EngineRecord calibrated = record;
  calibrated.precision = Precision::kInt8;
  calibrated.file = "net__sm87_jp6.2_trt10.3_int8.engine";
  calibrated.golden.file = calibrated.file + ".golden";
  calibrated.calibration =
      CalibrationProvenance{test::digest_of("data"), 500, test::digest_of("cache"), "entropy2", "trtexec"};
  seeds.add("build_record", encode_build_record(calibrated));
  seeds.add("manifest", encode_manifest(test::whole_manifest()));
  Manifest small = test::whole_manifest();
  small.not_after.reset();
  seeds.add("manifest", encode_manifest(small));
  seeds.add("golden", test::golden_bytes());
  seeds.add("plan_header", test::plan_bytes(28));
  const auto timing = tensorrt::encode_timing_cache(test::bytes_of("timings"), "fuzz");
  seeds.add("timing_cache", {reinterpret_cast<const char*>(timing.data()), timing.size()});
  seeds.add("calibration_cache",
            calibration::print_cache_text(
                {100300, calibration::Algorithm::kEntropy2, {{"images", 0.5F}, {"a: b", 2.0F}}})
                .value());
  seeds.add("calibration_cache",
            calibration::print_cache_text({8501, calibration::Algorithm::kMinMax, {{"x", 0.0078F}}}).value());
  const CalibrationProvenance origin{test::digest_of("data"), 500, test::digest_of("cache"),
                                     "EntropyCalibration2", std::string(calibration::kCpuProducer)};
  seeds.add("cache_origin", calibration::encode_cache_origin({test::digest_of("model"), origin, 100300}));
  seeds.add("digest_cache",
            R"({"files": [{"hashed_us": 1767225600000000, "identity": "1 2 3 4 5", "sha256": ")" +
                test::digest_of("x").hex() + R"("}], "kind": "skua.source-digests", "schema": 1})");
  seeds.add("json", R"({"a": [1, -2, 3.5e-7, true, null], "b": {"c": "\u00e9\n", "d": []}})");
}

/// As many inputs as the first byte says (targets/npz.cpp).
void add_samples(Seeds& seeds) {
  TensorMap arrays;
  const std::vector<TensorSpec> inputs = {{"x", DType::kFloat32, {1, 2, 4}, {}, false},
                                          {"half", DType::kFloat16, {3}, {}, false},
                                          {"id", DType::kInt64, {}, {}, false}};
  for (std::size_t count = 1; count <= inputs.size(); ++count) {
    const TensorSpec& input = inputs[count - 1];
    arrays.insert(input.name, Tensor::allocate(input.dtype, input.shape).value()).value();
    seeds.add("npz", static_cast<char>(count - 1) + calibration::encode_npz(arrays).value());
  }
  seeds.add("preprocess_yaml",
            "channels: bgr\nresize: {width: 640, height: 480}\ncrop: {width: 224, height: 224}\n"
            "scale: 0.00392156862\nmean: [0.485, 0.456, 0.406]\nstd: 58.5\nlayout: nhwc\n");
  seeds.add("preprocess_yaml", "channels: gray\nlayout: nchw\n");
}

void add_telemetry(Seeds& seeds) {
  ThermalSourceOptions options;
  options.source = "null";
  const auto source = open_thermal_source(options).value();
  ThermalReading reading;
  source->read(reading);
  seeds.add("thermal_reading", encode_reading(*source, reading, 81244012345678));
  for (FieldReading& field : reading.fields) field = {FieldStatus::kValue, 1.0};
  reading.fields[0] = {FieldStatus::kOffline, 0.0, "is no regular file"};
  seeds.add("thermal_reading", encode_reading(*source, reading, 1));
  seeds.add("thermal_sensors", std::string("\x00\x05-256\n\x01\x0cgpu-thermal\n\x06\x02"
                                           "1\n\x09\x04"
                                           "999\n",
                                           30));
}

void add_settings(Seeds& seeds) {
  std::string every = "components:\n  c7_inference:\n";
  for (const auto& [key, value] : fields_of(RuntimeConfig())) every += "    " + key + ": \"" + value + "\"\n";
  seeds.add("config_yaml", every);
  seeds.add("config_yaml",
            "components:\n  c7_inference:\n    runtime: pytorch_fp16\n    lanes: [c2_vpr, "
            "\"c3_matcher:lightglue\"]\n\x1eSKUA_C7_LOG_LEVEL=WARN\nSKUA_C7_LANES=a,b:c\n");
  seeds.add(
      "set_yaml",
      "runtime: onnx_trt_ep\noptions: {execution_provider: cpu, intra_op_threads: 2}\nset_id: demo-1\n"
      "release_sequence: 7\nnetworks:\n  - name: a\n    onnx: models/a.onnx\n    pt: a.pt\n"
      "    precision: fp16\n    criticality: 3\n    keep_fp32: [x, y]\n  - name: b\n    onnx: /b.onnx\n");
  seeds.add(
      "policy",
      "skua_policy: 1\nallow_unsigned: true\nexpiry: off\ntrusted_keys: [keys/current.pub, /next.pub]\n");
  seeds.add("flight_state",
            R"({"schema_version": 1, "set_id": "set-1", "boot_id": "34d0dd1d", "start_count": 2,
                "recent_starts_s": [28987, 28998]})");
}

void add_signatures(Seeds& seeds) {
  const SetStatement statement = statement_of(test::whole_manifest(), test::digest_of("manifest"));
  const std::string payload = encode_statement(statement);
  DsseBundle bundle{payload, {}, test::digest_of("key")};
  const auto signature = test::bytes_of("as long as a signature");
  bundle.signature.assign(signature.begin(), signature.end());
  seeds.add("statement", payload);
  seeds.add("statement", encode_statement({"a set", {{"a/b", test::digest_of("a")}}}));
  seeds.add("bundle", encode_bundle(bundle));
  bundle.key_hint = {};
  bundle.payload = "{}";
  seeds.add("bundle", encode_bundle(bundle));
  seeds.add("base64", "YWJjZA==");
  for (const char how : {'\0', '\2', '\4'}) {
    seeds.add("ratchet", how + encode_ratchet(42));
    seeds.add("ratchet",
              static_cast<char>(how + 1) + std::string("skua.release-ratchet 1\n18446744073709551615\n"));
  }
  // Keys and signatures are made by each process: these say what is done to them (edits.h).
  const std::string xor_edit("\0\x20\0\x01", 4), erase_edit("\2\x10\0\x01", 4);
  for (const char level : {'\0', '\1', '\2', '\3'}) {
    for (const std::string& edits : {std::string(), xor_edit, erase_edit}) {
      seeds.add("sign_mutate_verify", level + edits);
      if (level == 0) continue;
      seeds.add("public_key", level + edits);
      seeds.add("private_key", level + edits);
    }
  }
  seeds.add("public_key", std::string(1, '\0') + "-----BEGIN PUBLIC KEY-----\n\n-----END PUBLIC KEY-----\n");
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: fuzz_seeds CORPUS-FOLDER\n");
    return 2;
  }
  Seeds seeds(arguments[1]);
  add_cache_formats(seeds);
  add_samples(seeds);
  add_telemetry(seeds);
  add_settings(seeds);
  add_signatures(seeds);
  return 0;
}
