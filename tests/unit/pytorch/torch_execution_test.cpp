// What runs: results, roundings, shapes, and what a run costs beside libtorch's own.
#include <malloc.h>
#include <sys/resource.h>

#include <bit>
#include <cmath>
#include <utility>

#include "core/half_rounding.h"
#include "core/process_memory.h"
#include "hot_path_counters.h"
#include "inference/module_loader.h"
#include "torch_fixture.h"

namespace skua::test {
namespace {

using ::testing::ElementsAre;

float rounded(float value) {
  round_through_half(std::span(&value, 1));
  return value;
}

long page_faults() {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_minflt;
}

TEST(TorchExecution, InputsAreRoundedThroughHalf) {
  CompileCase add_relu("add_relu");
  Loaded skua = load(add_relu);
  fill(skua.execution->input(0), 1.0F / 3.0F, 0.1F);
  const auto given = read<float>(skua.execution->input(0));
  ASSERT_TRUE(is_ok(skua.execution->run(std::nullopt)));
  const auto found = read<float>(skua.execution->output(0));
  for (std::size_t i = 0; i < given.size(); ++i) {
    EXPECT_NE(given[i], rounded(given[i]));  // the control
    EXPECT_EQ(found[i], rounded(rounded(given[i]) + 0.5F)) << i;
  }
}

TEST(TorchExecution, ASingleArtifactRoundsNothing) {
  CompileCase add_relu("add_relu", "", Precision::kFp32);
  Loaded skua = load(add_relu);
  EXPECT_EQ(skua.engine->report().arithmetic, "fp32");
  fill(skua.execution->input(0), 1.0F / 3.0F, 0.1F);
  const auto given = read<float>(skua.execution->input(0));
  ASSERT_TRUE(is_ok(skua.execution->run(std::nullopt)));
  const auto found = read<float>(skua.execution->output(0));
  for (std::size_t i = 0; i < given.size(); ++i) EXPECT_EQ(found[i], given[i] + 0.5F);
}

// What the network computes as single precision itself stays so; what half arithmetic would give is rounded.
TEST(TorchExecution, OutputsAreRoundedWhereHalfArithmeticGivesHalves) {
  for (const char* arithmetic : {"widened", "native"}) {
    CompileCase several("several", arithmetic);
    several.request.build.optimization_profiles = {{"x", {2}, {2}, {2}}};
    Loaded skua = load(several);
    ASSERT_EQ(skua.record.outputs.size(), 2U);
    EXPECT_EQ(skua.record.outputs[0].name, "total");
    EXPECT_EQ(skua.record.options.at("computed.total"), "float32");
    EXPECT_EQ(skua.record.options.at("computed.half"), "float16");
    fill(skua.execution->input(0), 1.0F, 1.0F);
    ASSERT_TRUE(is_ok(skua.execution->run(std::nullopt)));
    const float third = rounded(1.0F / 3.0F);
    const auto half = read<float>(skua.execution->output(1));
    EXPECT_THAT(half, ElementsAre(rounded(third), rounded(2.0F * third)));
    // A thousand and a third has no half near it; the indices swap the two.
    EXPECT_THAT(read<float>(skua.execution->output(0)), ElementsAre(1000.0F + 2.0F * third, 1000.0F + third))
        << arithmetic;
  }
}

TEST(TorchExecution, ADictsOutputsGoByName) {
  CompileCase as_dict("as_dict");
  as_dict.request.build.optimization_profiles = {{"x", {3}, {3}, {3}}};
  as_dict.request.build.output_names = {"same", "twice"};
  Loaded skua = load(as_dict);
  fill(skua.execution->input(0), 1.0F, 1.0F);
  ASSERT_TRUE(is_ok(skua.execution->run(std::nullopt)));
  EXPECT_THAT(read<float>(skua.execution->output(0)), ElementsAre(1.0F, 2.0F, 3.0F));
  EXPECT_THAT(read<float>(skua.execution->output(1)), ElementsAre(2.0F, 4.0F, 6.0F));
}

TEST(TorchExecution, AFailedRunLeavesNoResultAndHarmsNoOther) {
  CompileCase fails("fails");
  Loaded skua = load(fails);
  fill(skua.execution->input(0), 1.0F, 1.0F);
  ASSERT_TRUE(is_ok(skua.execution->run(std::nullopt)));
  skua.execution->input(0).as<float>()[5] = -1.0F;
  const Status failed = skua.execution->run(std::nullopt);
  EXPECT_TRUE(is_error(failed, ErrorCode::kInference, Reason::kExecutionFailed));
  EXPECT_EQ(skua.execution->output(0).data, nullptr);
  skua.execution->input(0).as<float>()[5] = 1.0F;
  EXPECT_TRUE(is_ok(skua.execution->run(std::nullopt)));
  EXPECT_NE(skua.execution->output(0).data, nullptr);
}

TEST(TorchExecution, EveryRunIsTheSameToTheBit) {
  keep_freed_memory();
  CompileCase convolutions("convolutions");
  Loaded skua = load(convolutions);
  fill(skua.execution->input(0), -1.0F, 1e-5F);
  ASSERT_TRUE(is_ok(skua.execution->run(std::nullopt)));
  const auto first = read<std::uint32_t>(skua.execution->output(0));
  for (int run = 0; run < 100; ++run) {
    ASSERT_TRUE(is_ok(skua.execution->run(std::nullopt)));
    ASSERT_EQ(read<std::uint32_t>(skua.execution->output(0)), first) << run;
  }
}

std::unique_ptr<RawSession> raw_session(CompileCase& compile_case, const EngineRecord& record) {
  const RawModule* module = open_raw_module("pytorch_fp16").value();
  const std::string artifact = compile_case.artifact();
  auto raw =
      module->open(compile_case.request.config, record, bytes_of(artifact), RawOrigin::kEngine).value();
  raw->place({}).value();
  return raw;
}

TEST(TorchExecution, EveryRawVariantGivesWhatSkuaGives) {
  for (const char* arithmetic : {"widened", "native"}) {
    CompileCase add_relu("add_relu", arithmetic);
    Loaded skua = load(add_relu);
    const auto raw = raw_session(add_relu, skua.record);
    for (std::size_t variant = 0; variant < raw->variants().size(); ++variant) {
      fill(skua.execution->input(0), -3.0F, 0.1F * static_cast<float>(variant + 1));
      fill(raw->input(0), -3.0F, 0.1F * static_cast<float>(variant + 1));
      ASSERT_TRUE(is_ok(skua.execution->run(std::nullopt)));
      ASSERT_TRUE(is_ok(raw->run(variant)));
      EXPECT_EQ(read<float>(raw->output(0).value()), read<float>(skua.execution->output(0)));
    }
  }
}

// libtorch allocates in every call. Skua hands the graph to its interpreter over tensors made once, which is
// less than Module::forward does.
TEST(TorchExecution, RunAddsNoAllocationAndNoLockToLibtorchsOwn) {
  CompileCase add_relu("add_relu");
  Loaded skua = load(add_relu);
  const auto raw = raw_session(add_relu, skua.record);
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(is_ok(skua.execution->run(std::nullopt)));
    ASSERT_TRUE(is_ok(raw->run(0)));
  }
  bool is_good = false;
  const HotPathCounts ours = count_hot_path([&] { is_good = skua.execution->run(std::nullopt).ok(); });
  ASSERT_TRUE(is_good);
  const HotPathCounts theirs = count_hot_path([&] { is_good = raw->run(0).ok(); });
  ASSERT_TRUE(is_good);
  EXPECT_GT(theirs.allocations, 0U) << "the counter sees nothing";
  EXPECT_LE(ours.allocations, theirs.allocations);
  EXPECT_LE(ours.locks, theirs.locks);
  RecordProperty("allocations", static_cast<int>(ours.allocations));
  RecordProperty("allocations_of_forward", static_cast<int>(theirs.allocations));
}

long faults_of_runs(Execution& execution) {
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(is_ok(execution.run(std::nullopt)));
  const long before = page_faults();
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(is_ok(execution.run(std::nullopt)));
  return page_faults() - before;
}

TEST(TorchExecution, NoPageFaultsOnceMemoryIsKept) {
  keep_freed_memory();
  CompileCase convolutions("convolutions");
  Loaded skua = load(convolutions);
  EXPECT_EQ(faults_of_runs(*skua.execution), 0);
}

// The control: with the threshold that glibc starts with (it raises it as it goes, which hides the cost of
// small networks), large tensors go back to the kernel when they are freed.
TEST(TorchExecution, PageFaultsAreSeenWhereMemoryIsGivenBack) {
  constexpr int kGlibcsFirstThreshold = 128 * 1024;
  ASSERT_EQ(::mallopt(M_MMAP_THRESHOLD, kGlibcsFirstThreshold), 1);
  CompileCase convolutions("convolutions");
  Loaded skua = load(convolutions);
  EXPECT_GT(faults_of_runs(*skua.execution), 50);
}

}  // namespace
}  // namespace skua::test
