// Whatever the parser or the builder refuses becomes one typed error that holds its words, and no plan.
#include <filesystem>

#include "../sil_nvinfer/refusals.h"
#include "compile_fixture.h"

namespace skua::test {
namespace {

using testing::HasSubstr;

class ParserRefusal : public testing::TestWithParam<sil_test::Refusal> {
 protected:
  void SetUp() override { sil::reset(); }
};

TEST_P(ParserRefusal, IsABuildErrorWithNodeAndText) {
  const sil_test::Refusal& row = GetParam();
  constexpr int kDamaged[] = {3, 5};  // MODEL_DESERIALIZE_FAILED, INVALID_GRAPH
  const bool is_damaged = std::find(std::begin(kDamaged), std::end(kDamaged), row.code) != std::end(kDamaged);
  tensorrt::ErrorRecorder recorder;
  const auto parsed = tensorrt::parse_network(bytes_of(row.model), "net", recorder);
  std::string text = std::string(row.text).substr(0, std::string(row.text).find('\n'));
  if (text.ends_with('.')) text.pop_back();
  ASSERT_TRUE(is_build_error(parsed, is_damaged ? Reason::kModelMalformed : Reason::kModelUnsupported, text));
  EXPECT_EQ(parsed.error().native_code, row.code);
  const std::string node = ": node " + (row.node < 0 ? "" : std::to_string(row.node) + " '");
  EXPECT_EQ(parsed.error().message.find(node) != std::string::npos, row.node >= 0) << parsed.error().message;
}

TEST_P(ParserRefusal, LeavesNoPlan) {
  TensorrtCompileCase model(GetParam().model);
  const auto record = model.compile();
  ASSERT_FALSE(record.ok());
  EXPECT_EQ(record.error().code, ErrorCode::kEngineBuild) << record.error().describe();
  EXPECT_EQ(sil::calls("IBuilder::buildSerializedNetwork"), 0);
  EXPECT_FALSE(std::filesystem::exists(model.request.staging_dir / model.request.artifact_name));
}

INSTANTIATE_TEST_SUITE_P(Rows, ParserRefusal, testing::ValuesIn(sil_test::refusals()),
                         [](const auto& row) { return row.param.name; });

// A cycle ends the parse before any node is looked at; what else does not fit is told all the same.
TEST(ParserReport, WhatTheParserDidNotComeToIsAskedFor) {
  tensorrt::ErrorRecorder recorder;
  const auto parsed = tensorrt::parse_network(bytes_of(OnnxWriter()
                                                           .input("x", kFloat, {4})
                                                           .output("y", kFloat, {4})
                                                           .node("Add", {"x", "b"}, {"a"})
                                                           .node("Relu", {"a"}, {"b"})
                                                           .node("Fancy", {"a"}, {"y"}, {}, "odd")
                                                           .model()),
                                              "net", recorder);
  ASSERT_TRUE(is_build_error(parsed, Reason::kModelMalformed, "errors: 2"));
  EXPECT_THAT(parsed.error().message, HasSubstr("node 2 'odd' (Fancy)"));
}

// --- what the parser takes and the builder refuses ---

TEST(BuilderRefusal, OfALargeTopKHasItsWords) {
  TensorrtCompileCase top_k(sil_test::top_k_model(5000));
  const auto record = top_k.compile();
  EXPECT_TRUE(
      is_build_error(record, Reason::kModelUnsupported, "K exceeds the maximum value allowed (3840)"));
  EXPECT_FALSE(std::filesystem::exists(top_k.request.staging_dir / top_k.request.artifact_name));
}

TEST(BuilderRefusal, OfNoWorkspaceHasItsWords) {
  TensorrtCompileCase mlp(mlp_model());
  mlp.request.build.workspace_mb = 0;
  EXPECT_TRUE(is_build_error(mlp.compile(), Reason::kModelUnsupported, "workspace memory greater than 0"));
}

// The recorder is told in the logger's place: without it nothing would say why.
TEST(BuilderRefusal, WithoutADriverTheFirstOfTwoErrorsIsTheCause) {
  TensorrtCompileCase top_k(sil_test::top_k_model(5000));
  top_k.request.unproven = true;
  sil::remove_driver();
  const auto record = top_k.compile();
  ASSERT_TRUE(is_build_error(record, Reason::kModelUnsupported, "K exceeds"));
  EXPECT_LT(record.error().message.find("K exceeds"), record.error().message.find("cudaError 35"));
  EXPECT_EQ(record.error().native_code, tensorrt::kTensorrtCodes + 4);
}

}  // namespace
}  // namespace skua::test
