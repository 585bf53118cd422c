// What runs: results, roundings, shapes, and what a run costs beside libtorch's own.
#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <thread>
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

struct CallCounts {
  HotPathCounts ours, interpreter, forward;
};

CallCounts count_calls(CompileCase& network) {
  Loaded skua = load(network);
  const auto raw = raw_session(network, skua.record);
  const auto counted = [](const std::function<bool()>& call) {
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(call());
    bool is_good = false;
    const HotPathCounts counts = count_hot_path([&] { is_good = call(); });
    EXPECT_TRUE(is_good);
    return counts;
  };
  return {counted([&] { return skua.execution->run(std::nullopt).ok(); }),
          counted([&] { return raw->run(0).ok(); }), counted([&] { return raw->run(1).ok(); })};
}

// libtorch allocates in every call. Given the same tensors, its interpreter alone allocates and locks as
// often as a run of Skua's; Module::forward does more.
TEST(TorchExecution, RunAddsNoAllocationAndNoLockToLibtorchsOwn) {
  CompileCase one("add_relu"), tuple("several"), dict("as_dict");
  tuple.request.build.optimization_profiles = {{"x", {2}, {2}, {2}}};
  dict.request.build.optimization_profiles = {{"x", {3}, {3}, {3}}};
  for (CompileCase* network : {&one, &tuple, &dict}) {
    const CallCounts counts = count_calls(*network);
    EXPECT_GT(counts.interpreter.allocations, 0U) << "the counter sees nothing";
    EXPECT_EQ(counts.ours.allocations, counts.interpreter.allocations);
    EXPECT_EQ(counts.ours.locks, counts.interpreter.locks);
    EXPECT_LT(counts.ours.allocations, counts.forward.allocations);
  }
}

TEST(TorchExecution, WarmUpLeavesEveryInputAtItsOptShape) {
  CompileCase rows("dynamic_rows");
  rows.request.build.optimization_profiles = {{"x", {1, 4}, {2, 4}, {3, 4}}};
  Loaded skua = load(rows);
  for (const Shape& shape : {Shape{3, 4}, Shape{1, 4}, Shape{2, 4}}) {
    ASSERT_TRUE(is_ok(skua.execution->set_input_shape(0, shape)));
    ASSERT_TRUE(is_ok(skua.execution->warm_up(skua.record)));
    EXPECT_EQ(skua.execution->input(0).shape, (Shape{2, 4}));
    EXPECT_TRUE(is_ok(skua.execution->run(std::nullopt)));
    EXPECT_EQ(skua.execution->output(0).shape[0], 2);
  }
}

// Two lanes share one network. Its own copy of a state would show in the other's result.
TEST(TorchExecution, LanesOfOneNetworkDoNotMeet) {
  CompileCase convolutions("convolutions");
  Loaded skua = load(convolutions);
  const auto second = skua.engine->create_execution().value();
  const auto expected_of = [](Execution& execution, float first) {
    fill(execution.input(0), first, 1e-5F);
    EXPECT_TRUE(is_ok(execution.run(std::nullopt)));
    return read<float>(execution.output(0));
  };
  const auto a = expected_of(*skua.execution, -1.0F), b = expected_of(*second, 0.5F);
  const auto wrong_runs = [](Execution& execution, const std::vector<float>& expected) {
    int wrong = 0;
    for (int i = 0; i < 20; ++i) {
      wrong += execution.run(std::nullopt).ok() && read<float>(execution.output(0)) == expected ? 0 : 1;
    }
    return wrong;
  };
  int wrong_a = 0, wrong_b = 0;
  std::thread other([&] { wrong_b = wrong_runs(*second, b); });
  wrong_a = wrong_runs(*skua.execution, a);
  other.join();
  EXPECT_EQ(wrong_a + wrong_b, 0);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SKUA_SKIP_WITH_FOREIGN_ALLOCATOR GTEST_SKIP() << "a sanitizer's allocator is not glibc's"
#else
#define SKUA_SKIP_WITH_FOREIGN_ALLOCATOR static_cast<void>(0)
#endif

// The fewest of some rounds: memory that is given back and fetched again faults in each of them, while a page
// of code that a run sees for the first time, or one that the kernel had taken, faults in one.
long faults_of_runs(Execution& execution) {
  constexpr int kRounds = 5, kRuns = 50;
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(is_ok(execution.run(std::nullopt)));
  long fewest = std::numeric_limits<long>::max();
  for (int round = 0; round < kRounds; ++round) {
    const long before = page_faults();
    for (int i = 0; i < kRuns; ++i) EXPECT_TRUE(is_ok(execution.run(std::nullopt)));
    fewest = std::min(fewest, page_faults() - before);
  }
  return fewest;
}

TEST(TorchExecution, NoPageFaultsOnceMemoryIsKept) {
  SKUA_SKIP_WITH_FOREIGN_ALLOCATOR;
  keep_freed_memory();
  CompileCase convolutions("convolutions");
  Loaded skua = load(convolutions);
  EXPECT_EQ(faults_of_runs(*skua.execution), 0);
}

// The control: with what glibc starts with (it raises its threshold as it goes, which hides the cost of small
// networks), large tensors go back to the kernel when they are freed. A suite of its own, for a process of
// its own: memory that a test before it has freed and kept serves any size, whatever the thresholds are by
// then.
TEST(TorchMemoryGivenBack, ShowsAsPageFaults) {
  SKUA_SKIP_WITH_FOREIGN_ALLOCATOR;
  constexpr int kGlibcsFirstThreshold = 128 * 1024, kGlibcsMostMappings = 65536;
  ASSERT_EQ(::mallopt(M_MMAP_MAX, kGlibcsMostMappings), 1);
  ASSERT_EQ(::mallopt(M_TOP_PAD, 0), 1);
  ASSERT_EQ(::mallopt(M_TRIM_THRESHOLD, kGlibcsFirstThreshold), 1);
  ASSERT_EQ(::mallopt(M_MMAP_THRESHOLD, kGlibcsFirstThreshold), 1);
  CompileCase convolutions("convolutions");
  Loaded skua = load(convolutions);
  EXPECT_GT(faults_of_runs(*skua.execution), 50);
}

}  // namespace
}  // namespace skua::test
