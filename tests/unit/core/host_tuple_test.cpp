#include "skua/host_tuple.h"

#include <gtest/gtest.h>

#include "check.h"

namespace skua {
namespace {

using test::is_invalid;

HostTuple orin() {
  HostTuple host;
  host.sm = 87;
  host.jetpack = "6.2";
  host.tensorrt = "10.3";
  host.l4t = "36.4.3";
  host.module_name = "NVIDIA Jetson Orin Nano";
  host.sm_count = 8;
  host.tensorrt_build = "10.3.0.30";
  host.cuda_driver = "12.6";
  host.cuda_runtime = "12.6.68";
  host.cpu_arch = "aarch64";
  host.cpu_features = "asimd asimddp";
  return host;
}

TEST(Precision, NamesReadBack) {
  for (const auto precision : {Precision::kFp16, Precision::kInt8, Precision::kMixed, Precision::kFp32}) {
    EXPECT_EQ(precision_from_string(to_string(precision)).value(), precision);
  }
  EXPECT_EQ(to_string(Precision::kMixed), "mixed");
  EXPECT_TRUE(is_invalid(precision_from_string("FP16"), "'FP16'"));
  EXPECT_TRUE(is_invalid(precision_from_string(""), "fp16, int8"));
}

TEST(HostTuple, TextIsThePartOfTheFileName) {
  EXPECT_EQ(tuple_text(orin()), "sm87_jp6.2_trt10.3");
  EXPECT_EQ(tuple_text(HostTuple()), "sm0_jp0_trt0");
}

using Change = void (*)(HostTuple&);
struct Fact {
  const char* field;
  Change change;
  bool binds_gpu, binds_cpu;
};
const Fact kFacts[] = {
    {"module_name", [](HostTuple& h) { h.module_name = "other"; }, true, false},
    {"sm_count", [](HostTuple& h) { h.sm_count = 16; }, true, false},
    {"l4t", [](HostTuple& h) { h.l4t = "36.4.4"; }, true, false},
    {"tensorrt_build", [](HostTuple& h) { h.tensorrt_build = "10.3.0.26"; }, true, false},
    {"cuda_driver", [](HostTuple& h) { h.cuda_driver = "12.8"; }, true, false},
    {"cuda_runtime", [](HostTuple& h) { h.cuda_runtime = "12.6.77"; }, true, false},
    {"cpu_arch", [](HostTuple& h) { h.cpu_arch = "x86_64"; }, true, true},
    {"cpu_features", [](HostTuple& h) { h.cpu_features = "asimd"; }, false, true},
};

TEST(HostTuple, OneHostHasNoDifferences) {
  EXPECT_TRUE(finer_differences(orin(), orin(), true).empty());
  EXPECT_TRUE(finer_differences(orin(), orin(), false).empty());
}

TEST(HostTuple, EachFinerFactCountsWhereItBinds) {
  for (const Fact& fact : kFacts) {
    HostTuple here = orin();
    fact.change(here);
    for (const bool uses_gpu : {true, false}) {
      const auto differences = finer_differences(orin(), here, uses_gpu);
      const bool binds = uses_gpu ? fact.binds_gpu : fact.binds_cpu;
      ASSERT_EQ(differences.size(), binds ? 1U : 0U) << fact.field << " gpu " << uses_gpu;
      if (binds) {
        EXPECT_EQ(differences[0].field, fact.field);
      }
    }
  }
}

TEST(HostTuple, DifferencesSayExpectedAndFound) {
  HostTuple here = orin();
  here.sm_count = 16;
  here.l4t = "";
  const auto differences = finer_differences(orin(), here, true);
  ASSERT_EQ(differences.size(), 2U);
  EXPECT_EQ(differences[0].expected, "8");
  EXPECT_EQ(differences[0].found, "16");
  EXPECT_EQ(differences[1].expected, "36.4.3");
  EXPECT_EQ(differences[1].found, "");
}

}  // namespace
}  // namespace skua
