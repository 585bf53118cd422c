#include "cache/engine_gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <set>

#include "cache_fixture.h"
#include "gate_case.h"

namespace skua::test {
namespace {

using testing::HasSubstr;

TEST(EngineGate, AdmitsAnUntouchedEngineAndHandsItsBytesOver) {
  const GateCase c;
  const auto admitted = c.admit();
  ASSERT_TRUE(accepted(admitted));
  const std::string plan = plan_bytes();
  EXPECT_TRUE(std::ranges::equal(admitted->bytes(), bytes_of(plan)));
  EXPECT_EQ(admitted->record(), plan_record());
}

TEST(EngineGate, EveryFaultIsRefusedWithItsCode) {
  for (const GateFault& fault : gate_faults()) {
    GateCase c;
    ASSERT_TRUE(accepted(c.admit())) << "the control of " << fault.name;
    fault.spoil(c);
    EXPECT_TRUE(refused(c.admit(), fault.code, fault.reason)) << fault.name;
  }
}

TEST(EngineGate, OfTwoFaultsTheEarlierDecides) {
  const std::vector<GateFault> faults = gate_faults();
  int pairs = 0;
  std::set<std::pair<int, int>> stages;
  for (const GateFault& earlier : faults) {
    for (const GateFault& later : faults) {
      if (earlier.stage >= later.stage) continue;
      GateCase c;
      later.spoil(c);
      earlier.spoil(c);
      EXPECT_TRUE(refused(c.admit(), earlier.code, earlier.reason))
          << earlier.name << " before " << later.name;
      ++pairs;
      stages.emplace(earlier.stage, later.stage);
    }
  }
  EXPECT_GT(pairs, 150);
  EXPECT_EQ(stages.size(), 55U) << "every pair of the eleven stages";
}

TEST(EngineGate, HasAFaultForEachStageItNames) {
  EXPECT_THAT(engine_gate_stages(), testing::ElementsAre("name", "tuple", "sidecar", "file", "sidecar_hash",
                                                         "record_hash", "facts", "plan_header"));
}

TEST(EngineGate, NamesExpectedAndFoundTuple) {
  GateCase c;
  c.expected.host.sm = 72;
  c.expected.host.jetpack = "5.1";
  c.expected.precision = Precision::kInt8;
  const auto refusal = c.admit();
  ASSERT_FALSE(refusal.ok());
  EXPECT_THAT(refusal.error().message, HasSubstr("expected (SM 72, JP 5.1, TRT 10.3, precision int8)"));
  EXPECT_THAT(refusal.error().message, HasSubstr("found (SM 87, JP 6.2, TRT 10.3, precision fp16)"));
}

TEST(EngineGate, NamesTheStageOfAHashMismatch) {
  GateCase c;
  c.put_sidecar(digest_of("other").hex());
  EXPECT_THAT(c.admit().error().message, HasSubstr("stage sidecar"));
  GateCase d;
  d.expected.record->engine_sha256 = digest_of("other");
  EXPECT_THAT(d.admit().error().message, HasSubstr("stage manifest"));
  EXPECT_THAT(d.admit().error().message, HasSubstr(digest_of("other").hex()));
  EXPECT_THAT(d.admit().error().message, HasSubstr(digest_of(plan_bytes()).hex()));
}

TEST(EngineGate, RefusesAFifoWithoutWaitingForAWriter) {
  GateCase c;
  fs::remove(c.engine());
  ASSERT_EQ(::mkfifo(c.engine().c_str(), 0644), 0);
  EXPECT_TRUE(refused(c.admit(), ErrorCode::kEngineDeserialize, Reason::kNotRegularFile));
}

TEST(EngineGate, RefusesUnsafeSidecars) {
  GateCase c;
  const fs::path sidecar = sidecar_name(c.engine().string());
  fs::permissions(sidecar, fs::perms::others_write, fs::perm_options::add);
  EXPECT_TRUE(refused(c.admit(), ErrorCode::kEngineDeserialize, Reason::kFileMode));
  fs::permissions(sidecar, fs::perms::others_write, fs::perm_options::remove);
  EXPECT_TRUE(accepted(c.admit()));
  fs::rename(sidecar, c.temp.path() / "moved");
  fs::create_symlink("moved", sidecar);
  EXPECT_TRUE(refused(c.admit(), ErrorCode::kEngineDeserialize, Reason::kNotRegularFile));
}

TEST(EngineGate, RefusesAnEmptyEngineWhateverItsDigests) {
  GateCase c;
  c.put_engine("");
  EXPECT_TRUE(refused(c.admit(), ErrorCode::kEngineDeserialize, Reason::kFileSizeMismatch));
}

TEST(EngineGate, ComparesGpuFactsForGpuEnginesAndCpuFactsForTheOthers) {
  GateCase gpu;
  gpu.expected.host.cpu_features = "sve";
  EXPECT_TRUE(accepted(gpu.admit()));
  GateCase cpu;
  cpu.expected.uses_gpu = false;
  EXPECT_TRUE(accepted(cpu.admit()));
  cpu.expected.host.cpu_features = "sve";
  EXPECT_TRUE(refused(cpu.admit(), ErrorCode::kEngineDeserialize, Reason::kHostFactMismatch));
}

TEST(EngineGate, LooksForAPlanHeaderInTensorRtFilesOnly) {
  GateCase c;
  EngineRecord record = plan_record();
  record.file = "net__sm87_jp6.2_trt10.3_fp16.onnx";
  record.engine_sha256 = digest_of("onnx bytes");
  record.size_bytes = 10;
  c.temp.write(record.file, "onnx bytes");
  c.temp.write(sidecar_name(record.file), digest_of("onnx bytes").hex());
  c.expected.file = record.file;
  c.expected.record = record;
  EXPECT_TRUE(accepted(c.admit()));
}

TEST(EngineGate, AVerifiedEngineGivesItsMemoryBackForReuse) {
  const GateCase c;
  BufferPool pool(1);
  auto folder = c.folder();
  {
    const auto first = EngineGate::admit(*folder, c.expected, pool);
    ASSERT_TRUE(accepted(first));
    EXPECT_EQ(pool.kept(), 0U) << "while somebody holds it";
  }
  EXPECT_EQ(pool.kept(), 1U);
  auto second = EngineGate::admit(*folder, c.expected, pool);
  ASSERT_TRUE(accepted(second));
  EXPECT_EQ(pool.kept(), 0U);
  const VerifiedEngine moved = *std::move(second);
  EXPECT_EQ(pool.kept(), 0U) << "moving lets go of nothing";
  EXPECT_EQ(Sha256Sidecar::digest(moved.bytes()), c.expected.record->engine_sha256);
}

TEST(EngineGate, JudgingWithoutMemoryGivesTheSameVerdictForEveryFault) {
  const auto judged = [](const GateCase& c) {
    std::vector<std::byte> piece(16);  // smaller than a plan's header
    return EngineGate::judge(*c.folder(), c.expected, piece);
  };
  ASSERT_TRUE(accepted(judged(GateCase()))) << "the control";
  for (const GateFault& fault : gate_faults()) {
    GateCase c;
    fault.spoil(c);
    const auto admitted = c.admit();
    ASSERT_FALSE(admitted.ok()) << fault.name;
    const Status verdict = judged(c);
    ASSERT_FALSE(verdict.ok()) << fault.name;
    EXPECT_EQ(verdict.error().code, admitted.error().code) << fault.name;
    EXPECT_EQ(verdict.error().reason, admitted.error().reason) << fault.name;
    EXPECT_EQ(verdict.error().message, admitted.error().message) << fault.name;
  }
}

}  // namespace
}  // namespace skua::test
