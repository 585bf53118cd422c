// A small engine cache and a flight set in a temporary folder, made by the real publisher, and ways to spoil
// them.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "bytes_of.h"
#include "cache/build_record.h"
#include "cache/golden.h"
#include "cache/publish.h"
#include "cache/set_files.h"
#include "cache/set_gate.h"
#include "cache/sidecar_file.h"
#include "skua/sidecar.h"
#include "spy_folder.h"
#include "temp_folder.h"
#include "unsynced_filesystem.h"

namespace skua::test {

namespace fs = std::filesystem;

inline Sha256 digest_of(std::string_view text) { return Sha256Sidecar::digest(bytes_of(text)); }

/// Whether `result` was refused for `reason`, with a message worth reading.
template <typename T>
testing::AssertionResult refused(const Result<T>& result, ErrorCode code, Reason reason) {
  if (result.ok()) return testing::AssertionFailure() << "accepted, expected " << to_string(reason);
  const Error& error = result.error();
  const bool is_right = error.code == code && error.reason == reason && error.message.size() > 20;
  return (is_right ? testing::AssertionSuccess() : testing::AssertionFailure()) << error.describe();
}

template <typename T>
testing::AssertionResult accepted(const Result<T>& result) {
  if (result.ok()) return testing::AssertionSuccess();
  return testing::AssertionFailure() << result.error().describe();
}

inline HostTuple orin() {
  HostTuple host;
  host.sm = 87;
  host.jetpack = "6.2";
  host.tensorrt = "10.3";
  host.l4t = "36.4.3";
  host.module_name = "Orin Nano";
  host.sm_count = 8;
  host.tensorrt_build = "10.3.0.30";
  host.cuda_driver = "12.6";
  host.cuda_runtime = "12.6.68";
  host.cpu_arch = "aarch64";
  host.cpu_features = "asimd fp16";
  return host;
}

/// The 28 bytes that the gate looks at, of TensorRT 10.3.0.30, and something behind them.
inline std::string plan_bytes(std::size_t size = 96) {
  std::string plan(size, '\x5a');
  plan.replace(0, 8, std::string("ftrt\0\0\0\0", 8));
  plan.replace(24, 4, std::string("\x0a\x03\x00\x1e", 4));
  return plan;
}

inline std::string golden_bytes(float value = 0.5F) {
  TensorMap inputs, outputs;
  Tensor x = Tensor::allocate(DType::kFloat32, Shape{1, 4}).value();
  x.as<float>()[2] = value;
  inputs.insert("x", std::move(x)).value();
  outputs.insert("y", Tensor::allocate(DType::kFloat32, Shape{1, 4}).value()).value();
  const std::vector<std::byte> bytes = encode_golden(inputs, outputs).value();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Digests and sizes are those of plan_bytes() and golden_bytes().
inline EngineRecord plan_record(const std::string& model = "net") {
  EngineRecord record;
  record.model = model;
  record.file = model + "__sm87_jp6.2_trt10.3_fp16.engine";
  record.runtime_label = "tensorrt";
  record.host = orin();
  record.engine_sha256 = digest_of(plan_bytes());
  record.size_bytes = plan_bytes().size();
  record.device_memory_bytes = 4096;
  record.model_sha256 = digest_of("model");
  record.build_config_sha256 = digest_of("key");
  record.inputs = {{"x", DType::kFloat32, Shape{-1, 4}, Shape{8, 4}, false}};
  record.outputs = {{"y", DType::kFloat32, Shape{-1, 4}, Shape{8, 4}, true}};
  record.profiles = {{"x", Shape{1, 4}, Shape{2, 4}, Shape{8, 4}}};
  record.options = {{"device", "cuda:0"}, {"sdk_version", "10.3.0"}};
  record.proof = {{"precision", "12 of 14 layers half"}};
  record.arithmetic = "fp16";
  record.model_id = "net-1";
  record.weights_sha256 = digest_of("weights").hex();
  record.exporter = "torch 2.5";
  record.sources = {{model + ".onnx", digest_of("model"), 5}};
  record.golden = {record.file + ".golden",
                   digest_of(golden_bytes()),
                   golden_bytes().size(),
                   "eager fp32",
                   {{"y", Tolerance{1e-4, 1e-3, true, 0.25}}}};
  record.builder = "skua test";
  record.created = "2026-01-02T03:04:05Z";
  return record;
}

/// Stages `engine` with its golden file and publishes it as `record`.
inline Result<EngineRecord> publish_plan_with(FileSystem& files, const fs::path& cache, EngineRecord record,
                                              const std::string& engine = plan_bytes()) {
  SKUA_ASSIGN_OR_RETURN(WriterLock lock, WriterLock::take(files, cache));
  SKUA_ASSIGN_OR_RETURN(const std::string staging, lock.make_staging());
  // The build process writes in its own ways, not through the port.
  std::ofstream(cache / staging / record.file, std::ios::binary) << engine;
  std::ofstream(cache / staging / record.golden.file, std::ios::binary) << golden_bytes();
  return publish_engine(lock, staging, std::move(record));
}
inline EngineRecord publish_plan(const fs::path& cache, EngineRecord record,
                                 const std::string& engine = plan_bytes()) {
  UnsyncedFileSystem files;
  return publish_plan_with(files, cache, std::move(record), engine).value();
}

inline Manifest draft_of(const std::vector<EngineRecord>& records, const std::string& set_id) {
  Manifest manifest;
  manifest.set_id = set_id;
  manifest.created = "2026-02-03T04:05:06Z";
  manifest.runtime_label = "tensorrt";
  manifest.runtime_options = {{"device", "cuda:0"}};
  manifest.host = orin();
  manifest.builder = "skua test";
  for (const EngineRecord& record : records) {
    manifest.artifacts.push_back(
        {record.model, manifest.artifacts.size(), record, {{"y", "cosine", 0.999, 0.99}}});
  }
  return manifest;
}

inline Result<Manifest> publish_set(FileSystem& files, const fs::path& sets, const fs::path& cache,
                                    const Manifest& draft, std::uint64_t limit_bytes = 1U << 20U,
                                    const PrivateKey* key = nullptr) {
  SKUA_ASSIGN_OR_RETURN(WriterLock lock, WriterLock::take(files, sets));
  SKUA_ASSIGN_OR_RETURN(SetWriter writer, SetWriter::begin(lock));
  SKUA_ASSIGN_OR_RETURN(const auto folder, files.open_folder(cache));
  for (const ManifestArtifact& artifact : draft.artifacts) {
    SKUA_RETURN_IF_ERROR(writer.add_engine(*folder, artifact.engine));
  }
  return writer.commit(draft, limit_bytes, key);
}

inline GatePolicy ground_policy() {
  GatePolicy policy;
  policy.allow_unsigned = true;
  return policy;
}

/// A cache with two engines and a set `set-1` of both; with a key a signed one.
class PublishedFolders {
 public:
  explicit PublishedFolders(const PrivateKey* key = nullptr) {
    fs::create_directory(cache());
    fs::create_directory(sets());
    std::string other_plan = plan_bytes();  // of the same length, so that a swap of the two is no other size
    other_plan.back() = 'b';
    records_ = {publish_plan(cache(), plan_record("alpha")),
                publish_plan(cache(), plan_record("beta"), other_plan)};
    UnsyncedFileSystem files;
    publish_set(files, sets(), cache(), draft_of(records_, "set-1"), 1U << 20U, key).value();
  }
  fs::path cache() const { return temp_.path() / "cache"; }
  fs::path sets() const { return temp_.path() / "sets"; }
  fs::path set() const { return sets() / "set-1"; }
  const std::vector<EngineRecord>& records() const { return records_; }
  const TempFolder& temp() const { return temp_; }
  Result<AdmittedSet> admit(const GatePolicy& policy = ground_policy()) const {
    return admit_set(posix_file_system(), set(), policy);
  }

 private:
  TempFolder temp_;
  std::vector<EngineRecord> records_;
};

}  // namespace skua::test
