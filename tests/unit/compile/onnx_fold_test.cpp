// External weights put inside the model.
#include "compile/onnx_fold.h"

#include "compile_fixture.h"
#include "onnx_writer.h"

namespace skua::test {
namespace {

using compile::ExternalFile;
using compile::fold_external;

ExternalFile file_of(const std::string& location, const std::string& text) {
  const auto bytes = bytes_of(text);
  return {location, {bytes.begin(), bytes.end()}};
}

std::string text_of(const std::vector<std::byte>& bytes) {
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

OnnxWriter graph_around() {
  return OnnxWriter().input("x", kFloat, {4}).output("y", kFloat, {4}).node("Add", {"x", "w"}, {"y"});
}

TEST(OnnxFold, WithoutExternalWeightsNothingChanges) {
  const std::string model = add_relu_model();
  EXPECT_EQ(text_of(fold_external(bytes_of(model), {}).value()), model);
  EXPECT_EQ(text_of(fold_external(bytes_of(model), {file_of("unused", "x")}).value()), model);
}

TEST(OnnxFold, WeightsComeFromTheirPlaceInTheFile) {
  const std::string values = raw<float>({1, 2, 3, 4});
  const std::string model = graph_around().external_weights("w", kFloat, {4}, "w.bin", 8, 16).model();
  const auto folded = fold_external(bytes_of(model), {file_of("w.bin", "8 bytes." + values + "rest")});
  ASSERT_TRUE(is_ok(folded));
  const OnnxModel read = parse_onnx(*folded).value();
  ASSERT_EQ(read.graph.initializers.size(), 1U);
  EXPECT_FALSE(read.graph.initializers[0].is_external);
  EXPECT_TRUE(read.graph.initializers[0].external.empty());
  EXPECT_EQ(read.graph.initializers[0].payload_bytes, values.size());
  EXPECT_EQ(read.graph.initializers[0].dims, (std::vector<std::int64_t>{4}));
  EXPECT_NE(text_of(*folded).find(values), std::string::npos);
  EXPECT_EQ(text_of(*folded).find("w.bin"), std::string::npos);
}

TEST(OnnxFold, AlsoInsideOfSubgraphs) {
  const std::string values = raw<float>({5, 6, 7, 8});
  OnnxWriter branch;
  branch.output("b", kFloat, {4})
      .external_weights("w", kFloat, {4}, "w.bin", 0, 16)
      .node("Identity", {"w"}, {"b"});
  const std::string model = OnnxWriter()
                                .input("c", kBoolean, {1})
                                .output("y", kFloat, {4})
                                .node("If", {"c"}, {"y"},
                                      {onnx_graph_attribute("then_branch", branch.graph()),
                                       onnx_graph_attribute("else_branch", branch.graph())})
                                .model();
  const auto folded = fold_external(bytes_of(model), {file_of("w.bin", values)});
  ASSERT_TRUE(is_ok(folded));
  const OnnxModel read = parse_onnx(*folded).value();
  const auto tensors = all_tensors(read);
  ASSERT_EQ(tensors.size(), 2U);
  for (const OnnxTensor* tensor : tensors) EXPECT_FALSE(tensor->is_external);
}

TEST(OnnxFold, PlaceThatIsNotThereIsRefused) {
  const auto fold = [](const std::string& location, std::int64_t offset, std::int64_t length) {
    const std::string model =
        graph_around().external_weights("w", kFloat, {4}, location, offset, length).model();
    return fold_external(bytes_of(model), {file_of("w.bin", std::string(16, '\0'))});
  };
  EXPECT_TRUE(is_ok(fold("w.bin", 0, 16)));
  EXPECT_TRUE(is_build_error(fold("other.bin", 0, 16), Reason::kModelMalformed));
  EXPECT_TRUE(is_build_error(fold("w.bin", 1, 16), Reason::kModelMalformed));
  EXPECT_TRUE(is_build_error(fold("w.bin", 17, 0), Reason::kModelMalformed));
  EXPECT_TRUE(is_build_error(fold("w.bin", -1, 16), Reason::kModelMalformed));
}

}  // namespace
}  // namespace skua::test
