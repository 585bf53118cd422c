#include "fault_filesystem.h"
#include "provision_fixture.h"

namespace skua::test {
namespace {

using ::testing::HasSubstr;

TEST_F(Provisioning, PublishesAVerifiedSetAndPointsCurrentAtIt) {
  const auto report = run();
  ASSERT_TRUE(report.ok()) << report.error().describe();
  EXPECT_TRUE(report->is_published);
  EXPECT_EQ(report->manifest.release_sequence, 1U);
  EXPECT_THAT(report->manifest.set_id, ::testing::MatchesRegex("set-1-[0-9a-f]{12}"));
  EXPECT_EQ(current(), sets() / report->manifest.set_id);
  EXPECT_EQ(report->manifest.artifacts[0].name, "b");  // criticality 0 comes first
  EXPECT_EQ(report->manifest.runtime_options.at("execution_provider"), "cpu");
  GatePolicy policy;
  policy.allow_unsigned = true;
  const auto verdict =
      verify_set(posix_file_system(), current(), policy, context_.compile.host, system_clock());
  ASSERT_TRUE(verdict.ok()) << verdict.error().describe();
  EXPECT_TRUE(verdict->overall().ok()) << verdict->overall().error().describe();
}

TEST_F(Provisioning, UnchangedContentPublishesNothingAndCompilesNothing) {
  ASSERT_TRUE(run().ok());
  const auto before = tree();
  const auto report = run();
  ASSERT_TRUE(report.ok()) << report.error().describe();
  EXPECT_FALSE(report->is_published);
  EXPECT_EQ(report->manifest.release_sequence, 1U);
  EXPECT_EQ(compiled_, 2);
  EXPECT_TRUE(report->engines[0].is_reused && report->engines[1].is_reused);
  EXPECT_EQ(tree(), before);
}

TEST_F(Provisioning, ChangedContentGetsTheNextSequenceAndKeepsTheOldSet) {
  const auto first = run();
  ASSERT_TRUE(first.ok());
  const auto before = tree();
  folder_.write("a.onnx", "another model");
  const auto second = run();
  ASSERT_TRUE(second.ok()) << second.error().describe();
  EXPECT_EQ(second->manifest.release_sequence, 2U);
  EXPECT_EQ(compiled_, 3);
  EXPECT_EQ(current(), sets() / second->manifest.set_id);
  auto after = tree();
  for (const auto& [name, bytes] : before) {
    EXPECT_TRUE(name == "sets/CURRENT" || after.at(name) == bytes) << name;
  }
}

TEST_F(Provisioning, CriticalityIsContent) {
  ASSERT_TRUE(run().ok());
  std::swap(spec_.networks[0].criticality, spec_.networks[1].criticality);
  const auto report = run();
  ASSERT_TRUE(report.ok()) << report.error().describe();
  EXPECT_TRUE(report->is_published);
  EXPECT_EQ(compiled_, 2);
}

/// Sets of a lower sequence than the last would be refused by every aircraft that flew that.
TEST_F(Provisioning, ADiskThatDoesNotAnswerNeverLowersTheSequence) {
  spec_.release_sequence = 7;
  ASSERT_TRUE(run().ok());
  spec_.release_sequence.reset();
  std::uint64_t last = 7;
  int failed = 0;
  for (std::uint64_t operation = 1; operation <= 60; ++operation) {
    folder_.write("a.onnx", "model " + std::to_string(operation));
    FaultFileSystem disk;
    disk.arm({.fail_at = operation});
    const auto report = run_on(disk);
    if (!report.ok()) ++failed;
    if (!report.ok() || !report->is_published) continue;
    EXPECT_GT(report->manifest.release_sequence, last) << "operation " << operation;
    last = report->manifest.release_sequence;
  }
  EXPECT_GT(failed, 5);
}

/// Set 8 is there and does not fly: only its manifest says that the number is taken.
TEST_F(Provisioning, NoSingleFaultGivesANumberTwice) {
  spec_.release_sequence = 7;
  ASSERT_TRUE(run().ok());
  spec_.release_sequence.reset();
  const std::string flying = folder_.read("sets/CURRENT");
  folder_.write("a.onnx", "the eighth");
  ASSERT_EQ(run()->manifest.release_sequence, 8U);
  folder_.write("a.onnx", "the ninth");
  int refused = 0;
  for (std::uint64_t n = 1;; ++n) {
    folder_.write("sets/CURRENT", flying);
    FaultFileSystem disk;
    disk.arm({.fail_at = n});
    const auto report = run_on(disk);
    if (!report.ok()) ++refused;
    if (report.ok() && report->is_published) {
      EXPECT_EQ(report->manifest.release_sequence, 9U) << disk.journal()[n - 1];
      std::filesystem::remove_all(sets() / report->manifest.set_id);
    }
    for (const auto& entry : std::filesystem::directory_iterator(sets())) {
      const std::string name = entry.path().filename();
      if (name.starts_with("set-9-")) std::filesystem::remove_all(entry.path());
    }
    if (!disk.has_fired()) break;
    ASSERT_LT(n, 2000U) << "the sweep does not end";
  }
  EXPECT_GT(refused, 20);
}

TEST_F(Provisioning, ADamagedManifestsNumberIsTakenFromTheSetsName) {
  spec_.release_sequence = 7;
  ASSERT_TRUE(run().ok());
  spec_.release_sequence.reset();
  folder_.write("sets/" + current().filename().string() + "/flight-manifest.json", "{");
  const auto report = run();
  ASSERT_TRUE(report.ok()) << report.error().describe();
  EXPECT_EQ(report->manifest.release_sequence, 8U);
}

TEST_F(Provisioning, GivenIdAndSequenceAreUsedAndNeverReused) {
  spec_.set_id = "alpha";
  spec_.release_sequence = 5;
  const auto first = run();
  ASSERT_TRUE(first.ok()) << first.error().describe();
  EXPECT_EQ(first->manifest.set_id, "alpha");
  EXPECT_EQ(first->manifest.release_sequence, 5U);
  EXPECT_FALSE(run()->is_published);
  folder_.write("a.onnx", "another model");
  const auto before = tree();
  const auto old_sequence = run();
  ASSERT_FALSE(old_sequence.ok());
  EXPECT_EQ(old_sequence.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(old_sequence.error().message, HasSubstr("release_sequence is 5"));
  spec_.release_sequence = 6;
  const auto same_id = run();
  ASSERT_FALSE(same_id.ok());
  EXPECT_EQ(same_id.error().reason, Reason::kExists);
  EXPECT_EQ(tree(), before);
}

TEST_F(Provisioning, FailedCompileLeavesEverythingAsItWas) {
  ASSERT_TRUE(run().ok());
  const auto before = tree();
  folder_.write("a.onnx", "another a");
  folder_.write("b.onnx", "another b");
  fail_ = "b";
  const auto report = run();
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code, ErrorCode::kEngineBuild);
  EXPECT_EQ(report.error().reason, Reason::kModelMalformed);
  EXPECT_EQ(tree(), before);
}

TEST_F(Provisioning, CancellationLeavesEverythingAsItWas) {
  ASSERT_TRUE(run().ok());
  const auto before = tree();
  folder_.write("a.onnx", "another a");
  cancel_while_compiling_ = true;
  const auto report = run();
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().reason, Reason::kCancelled);
  EXPECT_EQ(tree(), before);
}

TEST_F(Provisioning, SecondWriterIsRefusedAtOnce) {
  {
    const auto lock = WriterLock::take(posix_file_system(), sets());
    ASSERT_TRUE(lock.ok());
    const auto report = run();
    ASSERT_FALSE(report.ok());
    EXPECT_EQ(report.error().code, ErrorCode::kEngineBuild);
    EXPECT_EQ(report.error().reason, Reason::kFolderBusy);
    EXPECT_EQ(compiled_, 0);
  }
  EXPECT_TRUE(run().ok());
}

TEST_F(Provisioning, DamagedCurrentSetIsNotUnchanged) {
  const auto first = run();
  ASSERT_TRUE(first.ok());
  folder_.write("sets/" + first->manifest.set_id + "/a__sm0_jp0_trt0_fp32.onnx", "model X.onnx");
  const auto second = run();
  ASSERT_TRUE(second.ok()) << second.error().describe();
  EXPECT_TRUE(second->is_published);
  EXPECT_EQ(second->manifest.release_sequence, 2U);
}

TEST_F(Provisioning, SetThatOnlyLacksCurrentIsTakenUpAgain) {
  const auto first = run();
  ASSERT_TRUE(first.ok());
  fs::remove(sets() / "CURRENT");
  const auto second = run();
  ASSERT_TRUE(second.ok()) << second.error().describe();
  EXPECT_EQ(second->manifest.set_id, first->manifest.set_id);
  EXPECT_EQ(current(), sets() / first->manifest.set_id);
}

TEST_F(Provisioning, LeftoversInTheCacheGoEvenWhenNothingIsCompiled) {
  ASSERT_TRUE(run().ok());
  fs::create_directories(folder_.path() / "cache/.staging-0123456789abcdef/below");
  folder_.write("cache/.tmp-0123456789abcdef", "half");
  const auto second = run();
  ASSERT_TRUE(second.ok()) << second.error().describe();
  EXPECT_FALSE(second->is_published);
  EXPECT_FALSE(fs::exists(folder_.path() / "cache/.staging-0123456789abcdef"));
  EXPECT_FALSE(fs::exists(folder_.path() / "cache/.tmp-0123456789abcdef"));
}

TEST_F(Provisioning, SetThatLostItsManifestIsNotTakenForAFolderOfSets) {
  ASSERT_TRUE(run().ok());
  const fs::path set = current();
  EXPECT_EQ(find_set(posix_file_system(), sets()).value(), set);
  EXPECT_EQ(find_set(posix_file_system(), set).value(), set);
  fs::remove(set / "flight-manifest.json");
  EXPECT_EQ(find_set(posix_file_system(), set).value(), set);
  fs::remove(sets() / "CURRENT");
  EXPECT_EQ(find_set(posix_file_system(), sets()).error().reason, Reason::kCurrentMissing);
}

TEST_F(Provisioning, SetBeyondTheLimitIsRefused) {
  context_.compile.config.flight_set_limit_bytes = 100;
  const auto report = run();
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code, ErrorCode::kEngineBuild);
  EXPECT_EQ(report.error().reason, Reason::kSetTooLarge);
  EXPECT_TRUE(tree().empty());
}

TEST_F(Provisioning, NetworkWithoutTheRuntimesFileIsRefusedBeforeAnythingIsCompiled) {
  spec_.networks[1].sources = {{"pt", spec_.networks[1].sources.at("onnx")}};
  const auto report = run();
  ASSERT_FALSE(report.ok());
  EXPECT_EQ(report.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(compiled_, 0);
}

TEST(ProvisioningConfig, CommandLineOverSetYamlOverBase) {
  SetSpec spec;
  spec.runtime = "onnx_trt_ep";
  spec.options = {{"execution_provider", "cpu"}, {"intra_op_threads", "2"}};
  RuntimeConfig base;
  base.intra_op_threads = 3;
  base.trtexec_timeout_s = 7;
  const auto config = provisioning_config(spec, base, std::nullopt, {{"intra_op_threads", "4"}});
  if (!config.ok()) {
    EXPECT_EQ(config.error().reason, Reason::kRuntimeNotBuilt);  // a Skua without this runtime
    return;
  }
  EXPECT_EQ(config->execution_provider, "cpu");
  EXPECT_EQ(config->intra_op_threads, 4);
  EXPECT_EQ(config->trtexec_timeout_s, 7);
  EXPECT_EQ(provisioning_config(spec, base, "nonsense", {}).error().reason, Reason::kRuntimeUnknown);
  EXPECT_EQ(provisioning_config(spec, base, std::nullopt, {{"nonsense", "1"}}).error().code,
            ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace skua::test
