// A confined process cannot do what a hostile network might want; unconfined, the same act succeeds. Nothing
// here acts on anything but the test's own folders and processes.
#include "builder/confinement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include <fstream>

#include "builder/landlock.h"
#include "confinement_fixture.h"
#include "verdicts.h"

namespace skua::test {
namespace {

using builder::Confinement;
using builder::landlock_abi;
using builder::Means;
using builder::means_of_this_system;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string name_of(const ::testing::TestParamInfo<Act>& info) { return info.param.name; }

/// Why the system under this test has not all means; empty when it has.
std::string why_not_whole() {
  const Means means = means_of_this_system();
  if (means.landlock_abi < 6) return "this kernel's Landlock is " + std::to_string(means.landlock_abi);
  return means.has_call_filters ? "" : "this kernel has no system call filters";
}

Act hostile_act(const std::string& name) {
  for (const Act& each : hostile_acts()) {
    if (each.name == name) return each;
  }
  throw std::runtime_error("no act " + name);
}

class HostileAct : public ::testing::TestWithParam<Act> {};

TEST_P(HostileAct, IsRefusedToAConfinedBuild) {
  if (const std::string why = why_not_whole(); !why.empty()) GTEST_SKIP() << why;
  const std::string control = ConfinementPlace().outcome(GetParam());
  // Root, or a kernel's setting: what cannot be done here at all shows nothing.
  if (control != "done") GTEST_SKIP() << "cannot be done here unconfined either: " << control;
  const ConfinementPlace place;
  const std::string outcome = place.outcome(GetParam(), place.confined());
  EXPECT_THAT(outcome, AnyOf("Operation not permitted", "Permission denied", "Function not implemented",
                             "Invalid cross-device link"));
  EXPECT_EQ(place.root().read("cache/engine"), "engine");
}

TEST_P(HostileAct, IsRefusedToOneThatStartsPrograms) {
  if (const std::string why = why_not_whole(); !why.empty()) GTEST_SKIP() << why;
  if (ConfinementPlace().outcome(GetParam()) != "done")
    GTEST_SKIP() << "cannot be done here unconfined either";
  const ConfinementPlace place;
  Confinement confinement = place.confinement();
  confinement.may_start_programs = true;
  const std::string outcome = place.outcome(GetParam(), place.confined(confinement, means_of_this_system()));
  const std::string expected = GetParam().is_processes ? "done" : "";
  EXPECT_EQ(outcome == "done", expected == "done") << outcome;
}

INSTANTIATE_TEST_SUITE_P(All, HostileAct, ::testing::ValuesIn(hostile_acts()), name_of);

class HarmlessAct : public ::testing::TestWithParam<Act> {};

TEST_P(HarmlessAct, GoesOnWorking) {
  const ConfinementPlace place;
  EXPECT_EQ(place.outcome(GetParam(), place.confined()), "done");
}

INSTANTIATE_TEST_SUITE_P(All, HarmlessAct, ::testing::ValuesIn(harmless_acts()), name_of);

TEST(Confinement, AGpuBuildKeepsLocalSocketsAndMemoryFilesAndNoOther) {
  if (const std::string why = why_not_whole(); !why.empty()) GTEST_SKIP() << why;
  const ConfinementPlace place;
  Confinement confinement = place.confinement();
  confinement.may_use_device = true;
  const auto confined = place.confined(confinement, means_of_this_system());
  EXPECT_EQ(place.outcome(hostile_act("OpenALocalSocket"), confined), "done");
  EXPECT_EQ(place.outcome(hostile_act("HoldMemoryThatNobodyCounts"), confined), "done");
  EXPECT_EQ(place.outcome(hostile_act("ConnectByTcp"), confined), "Operation not permitted");
}

/// CapEff of this process.
std::string effective_capabilities() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word == "CapEff:" && status >> word) return word;
  }
  return "unknown";
}

// Other layers refuse the same acts; this one also takes what no act of ours tries.
TEST(Confinement, OfRootsRightsThatOfReadingIsLeft) {
  const std::string before = effective_capabilities();
  if (before == "0000000000000000") GTEST_SKIP() << "this user has no capability to lose";
  const ConfinementPlace place;
  const std::string after = in_child([&]() -> std::string {
    const std::string why = place.confined()();
    return why.empty() ? effective_capabilities() : why;
  });
  EXPECT_EQ(after, "0000000000000004");  // CAP_DAC_READ_SEARCH
  EXPECT_NE(before, after);
}

// ---- limits ----------------------------------------------------------------------------------------------

const Act kTakeMemory{"TakeMemory", [](const Targets&) {
                        void* const memory = ::mmap(nullptr, 4 * kRoom, PROT_READ | PROT_WRITE,
                                                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                        return memory == MAP_FAILED ? errno : 0;
                      }};
const Act kReserveMemory{"ReserveMemory", [](const Targets&) {
                           void* const memory = ::mmap(nullptr, 4 * kRoom, PROT_NONE,
                                                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
                           return memory == MAP_FAILED ? errno : 0;
                         }};
const Act kLargeFile{"LargeFile", [](const Targets& to) {
                       const int fd = ::open((to.staging / "own").c_str(), O_WRONLY);
                       return ::pwrite(fd, "x", 1, static_cast<off_t>(kRoom)) == 1 ? 0 : errno;
                     }};
/// Two seconds of a processor: all of them, or "" when a signal ends it.
const Act kSpin{"Spin", [](const Targets&) {
                  constexpr int kSeconds = 2;
                  timespec used{};
                  while (used.tv_sec < kSeconds) ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
                  return 0;
                }};

TEST(Confinement, MemoryIsBoundedAndReservedSpaceIsNot) {
  const ConfinementPlace place;
  EXPECT_EQ(place.outcome(kTakeMemory), "done");  // control
  EXPECT_EQ(place.outcome(kTakeMemory, place.confined()), "Cannot allocate memory");
  EXPECT_EQ(place.outcome(kReserveMemory, place.confined()), "done");  // as CUDA and libtorch do, by the GiB
}

TEST(Confinement, MemoryThatWasMappedBeforeIsNotHeldAgainstTheBuild) {
  const ConfinementPlace place;
  const Act half{"Half", [](const Targets&) {
                   void* const memory =
                       ::mmap(nullptr, kRoom / 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                   return memory == MAP_FAILED ? errno : 0;
                 }};
  const auto after_taking = [&]() -> std::string {
    if (kTakeMemory.run({}) != 0) return "no memory";
    return place.confined()();
  };
  EXPECT_EQ(place.outcome(half, after_taking), "done");
}

TEST(Confinement, FilesAreBoundedAndTheRefusalIsAnError) {
  EXPECT_EQ(ConfinementPlace().outcome(kLargeFile), "done");  // control
  const ConfinementPlace place;
  EXPECT_EQ(place.outcome(kLargeFile, place.confined()), "File too large");
}

TEST(Confinement, ProcessorTimeIsBounded) {
  const ConfinementPlace place;
  EXPECT_EQ(place.outcome(kSpin), "done");  // control
  Confinement confinement = place.confinement();
  confinement.cpu_seconds = 1;
  EXPECT_THAT(place.outcome(kSpin, place.confined(confinement, means_of_this_system())),
              AnyOf("", HasSubstr("ended by signal " + std::to_string(SIGXCPU))));
}

// ---- means -----------------------------------------------------------------------------------------------

std::string had_with(const Means& means) {
  const ConfinementPlace place;
  return in_child([&] {
    const auto had = builder::confine(place.confinement(), means);
    return had.ok() ? *had : had.error().describe();
  });
}

TEST(Confinement, SaysWhatItHad) {
  const Means here = means_of_this_system();
  std::string expected = here.landlock_abi > 0 ? "landlock " + std::to_string(here.landlock_abi) + ", " : "";
  expected += here.has_call_filters ? "seccomp, limits" : "limits";
  EXPECT_EQ(had_with(here), expected);
  EXPECT_EQ(had_with({}), "limits");
}

TEST(Confinement, WithoutLandlockTheRestHolds) {
  if (const std::string why = why_not_whole(); !why.empty()) GTEST_SKIP() << why;
  EXPECT_EQ(had_with({0, true}), "seccomp, limits");
  const ConfinementPlace place;
  const auto without = place.confined(place.confinement(), {0, true});
  EXPECT_EQ(place.outcome(hostile_act("KillAProcess"), without), "Operation not permitted");
  EXPECT_EQ(place.outcome(hostile_act("TypeIntoTheTerminal"), without), "Operation not permitted");
  EXPECT_EQ(place.outcome(hostile_act("ConnectByTcp"), without), "Operation not permitted");
  EXPECT_EQ(place.outcome(hostile_act("WriteBeside"), without), "done");  // as docs/design/builder.md says
}

TEST(Confinement, OlderInterfacesOfLandlockAreSpokenToo) {
  for (int abi = 1; abi <= landlock_abi(); ++abi) {
    const ConfinementPlace place;
    const auto confined = place.confined(place.confinement(), {abi, true});
    EXPECT_EQ(place.outcome(hostile_acts().front(), confined), "Permission denied") << abi;
    EXPECT_EQ(place.outcome(harmless_acts().front(), confined), "done") << abi;
  }
}

// The kernel stacks sixteen sets of rules at most.
TEST(Confinement, ASystemThatRefusesIsAnErrorAndNeverAnUnconfinedBuild) {
  if (landlock_abi() == 0) GTEST_SKIP() << "this kernel has no Landlock";
  const ConfinementPlace place;
  const std::string last = in_child([&]() -> std::string {
    for (int layer = 0; layer < 32; ++layer) {
      const auto had = builder::confine(place.confinement(), {landlock_abi(), false});
      if (!had.ok()) return had.error().describe();
    }
    return "never refused";
  });
  EXPECT_THAT(last, StartsWith("EngineBuildError: Landlock: "));
  EXPECT_THAT(last, HasSubstr("[builder_confinement]"));
}

TEST(Confinement, ABuildWithinABuildIsConfinedMore) {
  if (const std::string why = why_not_whole(); !why.empty()) GTEST_SKIP() << why;
  const ConfinementPlace place;
  place.root().write("staging/reference/own", "mine");
  Confinement outer = place.confinement(), inner = place.confinement();
  outer.may_start_programs = true;
  inner.staging = place.staging() / "reference";
  const auto both = [&]() -> std::string {
    const std::string why = place.confined(outer, means_of_this_system())();
    return why.empty() ? place.confined(inner, means_of_this_system())() : why;
  };
  EXPECT_NE(place.outcome(harmless_acts().front(), both), "done");  // writes in the outer one's folder
  const Act within{
      "Within", [](const Targets& to) {
        return ::open((to.staging / "reference/new").c_str(), O_WRONLY | O_CREAT, 0600) < 0 ? errno : 0;
      }};
  EXPECT_EQ(place.outcome(within, both), "done");
}

// ---- what a build gets
// ---------------------------------------------------------------------------------------

CompileRequest request_of(const std::string& runtime) {
  CompileRequest request;
  request.runtime_label = runtime;
  request.staging_dir = "/staging";
  request.config.execution_provider = "cpu";
  request.config.device = "cpu";
  request.config.build_memory_mb = 300;
  return request;
}

TEST(ConfinementFor, EachBuildGetsWhatItNeeds) {
  const Confinement onnx = builder::confinement_for(request_of("onnx_trt_ep"));
  EXPECT_EQ(onnx.staging, "/staging");
  EXPECT_EQ(onnx.memory_bytes, 300U << 20U);
  EXPECT_GE(onnx.cpu_seconds, RuntimeConfig().trtexec_timeout_s);
  EXPECT_FALSE(onnx.may_start_programs || onnx.may_use_device);
  const Confinement torch = builder::confinement_for(request_of("pytorch_fp16"));
  EXPECT_FALSE(torch.may_start_programs || torch.may_use_device);
  CompileRequest another = request_of("another");  // no line of confinement.cpp names it
  another.config.device = another.config.execution_provider = "cuda";
  EXPECT_FALSE(builder::confinement_for(another).may_use_device);
  EXPECT_FALSE(builder::confinement_for(another).may_start_programs);
  const Confinement tensorrt = builder::confinement_for(request_of("tensorrt"));
  EXPECT_TRUE(tensorrt.may_start_programs && tensorrt.may_use_device);
  CompileRequest on_gpu = request_of("pytorch_fp16");
  on_gpu.config.device = "cuda";
  EXPECT_TRUE(builder::confinement_for(on_gpu).may_use_device);
  EXPECT_FALSE(builder::confinement_for(on_gpu).may_start_programs);
}

}  // namespace
}  // namespace skua::test
