// A plan that somebody else has built is held to what was asked for, one fact after the other.
#include "tool_fixture.h"

namespace skua::test {
namespace {

std::string affine_model(int type, const OnnxDims& out, const std::string& op,
                         const std::vector<WireMessage>& attributes = {}) {
  return OnnxWriter()
      .input("x", kFloat, {1, 4})
      .output("y", type, out)
      .node(op, {"x"}, {"y"}, attributes)
      .model();
}

Result<EngineRecord> with_plan_of(const std::string& other, const std::string& model, const Tell& tell) {
  sil::reset();
  ToolCase asked(BuildRoute::kPolygraphy, model);
  asked.deliver(plan_by_hand(other, tell));
  return asked.compile();
}

testing::AssertionResult differs(
    const std::string& other, const std::string& model, const std::string& part,
    const Tell& tell = [](auto&, auto&) {}) {
  return is_build_error(with_plan_of(other, model, tell), Reason::kContractMismatch, part);
}

const std::string kRelu = affine_model(kFloat, {1, 4}, "Relu");

TEST(PlanReadBackOf, TheSameModelPasses) {
  EXPECT_TRUE(is_ok(with_plan_of(kRelu, kRelu, [](auto&, auto&) {})));
}

TEST(PlanReadBackOf, AuxiliaryStreams) {
  EXPECT_TRUE(differs(kRelu, kRelu, "auxiliary streams: expected at most 0, found 2",
                      [](auto&, auto& config) { config.setMaxAuxStreams(2); }));
}

TEST(PlanReadBackOf, OutputType) {
  EXPECT_TRUE(differs(affine_model(kInt64, {1, 4}, "Cast", {onnx_integer_attribute("to", kInt64)}), kRelu,
                      "output 'y': expected float32, found int64"));
}

TEST(PlanReadBackOf, OutputRank) {
  const std::string flat = OnnxWriter()
                               .input("x", kFloat, {1, 4})
                               .output("y", kFloat, {4})
                               .weights("axes", kInt64, {1}, raw<std::int64_t>({0}))
                               .node("Squeeze", {"x", "axes"}, {"y"})
                               .model();
  EXPECT_TRUE(differs(flat, kRelu, "output 'y' rank: expected 2, found 1"));
}

TEST(PlanReadBackOf, FixedOutputShape) {
  const std::string wider = OnnxWriter()
                                .input("x", kFloat, {1, 4})
                                .output("y", kFloat, {1, 5})
                                .weights("w", kFloat, {4, 5}, raw(std::vector<float>(20, 1.0F)))
                                .node("MatMul", {"x", "w"}, {"y"})
                                .model();
  EXPECT_TRUE(differs(wider, kRelu, "output 'y' shape: expected 1x4, found 1x5"));
}

TEST(PlanReadBackOf, MemoryOfAnInput) {
  const auto model = [](const std::string& op, const std::vector<std::string>& inputs) {
    return OnnxWriter()
        .input("x", kInt64, {1})
        .output("y", kInt64, {"n"})
        .weights("one", kInt64, {1}, raw<std::int64_t>({1}))
        .node(op, inputs, {"y"})
        .model();
  };
  EXPECT_TRUE(differs(model("Expand", {"one", "x"}), model("Add", {"one", "x"}),
                      "input 'x' memory: expected the device's, found the host's",
                      [](nvinfer1::IBuilder& builder, nvinfer1::IBuilderConfig& config) {
                        auto* const profile = builder.createOptimizationProfile();
                        const std::int32_t value = 3;
                        using nvinfer1::OptProfileSelector;
                        for (const auto select :
                             {OptProfileSelector::kMIN, OptProfileSelector::kOPT, OptProfileSelector::kMAX})
                          profile->setShapeValues("x", select, &value, 1);
                        EXPECT_EQ(config.addOptimizationProfile(profile), 0);
                      }));
}

// The builder numbers networks when a name does not reach it.
TEST(PlanReadBackOf, NameOfTheNetwork) {
  TensorrtCompileCase mlp(mlp_model());
  sil::fail_call("INetworkDefinition::setName", 1, 3);
  EXPECT_TRUE(
      is_build_error(mlp.compile(), Reason::kContractMismatch, "network name: expected net, found Unnamed"));
}

}  // namespace
}  // namespace skua::test
