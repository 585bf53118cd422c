// The part of compiling that needs no session: node placement.
#include "ort_fixture.h"
#include "runtimes/onnxruntime/provider_proof.h"

namespace skua::test {
namespace {

constexpr char kProfile[] = R"([
  {"cat":"Session","name":"model_loading","args":{}},
  {"cat":"Node","name":"conv_kernel_time","args":{"provider":"CPUExecutionProvider","op_name":"Conv"}},
  {"cat":"Node","name":"conv_kernel_time","args":{"provider":"CPUExecutionProvider","op_name":"Conv"}},
  {"cat":"Node","name":"relu_kernel_time","args":{"provider":"CUDAExecutionProvider","op_name":"Relu"}}])";

TEST(ProviderProof, EachNodeCountsOnce) {
  const auto placement = ort::placement_of(kProfile);
  ASSERT_TRUE(is_ok(placement));
  EXPECT_THAT(placement->at("CPUExecutionProvider"), testing::ElementsAre("conv"));
  EXPECT_THAT(placement->at("CUDAExecutionProvider"), testing::ElementsAre("relu"));
}

TEST(ProviderProof, NodesElsewhereAreNamed) {
  const auto placement = ort::placement_of(kProfile).value();
  const Status checked = ort::check_placement(placement, "CUDAExecutionProvider");
  EXPECT_TRUE(is_build_error(checked, Reason::kNodesOnOtherProvider, "'conv' on CPUExecutionProvider"));
  EXPECT_TRUE(is_ok(ort::check_placement({{"CUDAExecutionProvider", {"relu"}}}, "CUDAExecutionProvider")));
}

TEST(ProviderProof, WithoutEvidenceNothingIsProven) {
  EXPECT_TRUE(is_build_error(ort::placement_of("[]"), Reason::kNodesOnOtherProvider));
  EXPECT_TRUE(is_build_error(ort::placement_of("{"), Reason::kNodesOnOtherProvider));
  EXPECT_TRUE(is_build_error(ort::placement_of(R"([{"cat":"Node","name":3,"args":[]}, 7])"),
                             Reason::kNodesOnOtherProvider));
}

}  // namespace
}  // namespace skua::test
