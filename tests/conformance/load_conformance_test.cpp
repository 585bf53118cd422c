// What every runtime must do between a model file and a resident engine.
#include <fstream>

#include <gmock/gmock.h>

#include "conformance.h"
#include "skua/runtime_factory.h"
#include "skua/sidecar.h"

namespace skua::test {
namespace {

void flip_byte(const std::filesystem::path& path, std::streamoff offset) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(offset);
  const char byte = static_cast<char>(file.get() ^ 0x10);
  file.seekp(offset);
  file.put(byte);
}

TEST_P(ConformanceTest, CompiledEntryDescribesTheArtifactOnDisk) {
  const EngineCacheEntry entry = compile(GetParam().add_relu());
  EXPECT_EQ(entry.runtime_label, GetParam().label);
  EXPECT_EQ(Sha256Sidecar::digest_file(entry.engine_path).value(), entry.engine_sha256);
  EXPECT_TRUE(Sha256Sidecar::verify(entry.engine_path).value());
  EXPECT_EQ(std::filesystem::file_size(entry.engine_path), entry.size_bytes);
  ASSERT_EQ(entry.inputs.size(), 1U);
  EXPECT_EQ(entry.inputs[0].name, "x");
  EXPECT_EQ(entry.inputs[0].dtype, DType::kFloat32);
  EXPECT_EQ(entry.inputs[0].shape, (Shape{1, 64}));
}

TEST_P(ConformanceTest, InfoSaysWhatRuns) {
  const EngineHandle handle = load(GetParam().add_relu());
  const auto info = runtime_->info(handle);
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->runtime_label, GetParam().label);
  EXPECT_FALSE(info->device.empty());
  EXPECT_FALSE(info->arithmetic.empty());
  EXPECT_FALSE(info->sdk_version.empty());
  EXPECT_GT(info->resident_bytes, 0U);
}

TEST_P(ConformanceTest, ChangedBytesAreRefusedAtTheGate) {
  const EngineCacheEntry entry = compile(GetParam().add_relu());
  ASSERT_TRUE(runtime_->deserialize_engine(entry).ok());
  flip_byte(entry.engine_path, static_cast<std::streamoff>(entry.size_bytes / 2));
  const auto refused = runtime_->deserialize_engine(entry);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, Reason::kSidecarHashMismatch);
}

TEST_P(ConformanceTest, DamagedBytesBehindAMatchingHashAreATypedRefusalNotACrash) {
  const EngineCacheEntry entry = compile(GetParam().add_relu());
  // The sidecar is recomputed, the record is not: the later stage must hold.
  flip_byte(entry.engine_path, static_cast<std::streamoff>(entry.size_bytes / 2));
  std::ofstream(entry.engine_path.string() + ".sha256")
      << Sha256Sidecar::digest_file(entry.engine_path).value().hex();
  const auto refused = runtime_->deserialize_engine(entry);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, Reason::kManifestHashMismatch);
}

TEST_P(ConformanceTest, BudgetIsCheckedBeforeLoading) {
  const EngineCacheEntry entry = compile(GetParam().add_relu());
  RuntimeEnvironment small = environment();
  small.config.gpu_memory_budget_bytes = entry.size_bytes;
  const auto runtime = build_inference_runtime(small).value();
  const auto refused = runtime->deserialize_engine(entry);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kOutOfMemory);
  EXPECT_EQ(refused.error().reason, Reason::kMemoryBudgetExceeded);
}

TEST_P(ConformanceTest, AirborneRuntimeNeverCompiles) {
  const auto airborne = build_inference_runtime(environment(Role::kAirborne)).value();
  const auto refused = airborne->compile_engine(root_.path() / "any.onnx", BuildConfig{});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, Reason::kAirborneCannotBuild);
}

TEST_P(ConformanceTest, EngineOfAnotherRuntimeIsRefused) {
  EngineCacheEntry entry = compile(GetParam().add_relu());
  const std::filesystem::path record_path = entry.engine_path.string() + ".json";
  std::stringstream text;
  text << std::ifstream(record_path).rdbuf();
  std::string record = text.str();
  const std::string label = "\"runtime_label\": \"" + GetParam().label + "\"";
  ASSERT_NE(record.find(label), std::string::npos);
  record.replace(record.find(label), label.size(), "\"runtime_label\": \"somebody_else\"");
  std::ofstream(record_path) << record;
  const auto refused = runtime_->deserialize_engine(entry);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, Reason::kRuntimeMismatch) << refused.error().describe();
}

/// This network is no int8, and these are no samples to make it int8 with.
TEST_P(ConformanceTest, UnsupportedPrecisionIsRefusedNotSubstituted) {
  Scenario scenario = GetParam().add_relu();
  scenario.build.precision = Precision::kInt8;
  scenario.build.calibration_dataset = root_.path() / "data";
  root_.write("data/a.npz", "no sample");
  root_.write("data/b.npz", "no sample either");
  const auto path = root_.path() / ("int8." + GetParam().extension);
  std::ofstream(path, std::ios::binary) << scenario.source;
  const auto refused = runtime_->compile_engine(path, scenario.build);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kEngineBuild);
  // By design, for want of a quantised model, for want of samples.
  EXPECT_THAT(refused.error().reason,
              testing::AnyOf(Reason::kPrecisionNotSupported, Reason::kCalibrationMismatch,
                             Reason::kDataSetMalformed));
}

}  // namespace
}  // namespace skua::test
