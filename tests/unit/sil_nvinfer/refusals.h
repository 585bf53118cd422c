// Models that the parser refuses, with its answer: for the tests of the stand-in, and for those of what Skua
// makes of it.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "models.h"

namespace skua::sil_test {

struct Refusal {
  const char* name;
  std::string model;
  int code;
  int node;
  const char* text;
};

inline std::string unknown_operator() { return one_node("NoSuchOperator", "odd").model(); }

inline std::string operator_of_another_domain() {
  const WireMessage node =
      WireMessage().text(1, "x").text(2, "y").text(3, "odd").text(4, "Relu").text(7, "com.example");
  WireMessage graph = OnnxWriter().input("x", test::kFloat, {4}).output("y", test::kFloat, {4}).graph();
  graph.message(1, node);
  return WireMessage()
      .integer(1, 8)
      .message(8, WireMessage().integer(2, 17))
      .message(8, WireMessage().text(1, "com.example").integer(2, 1))
      .message(7, graph)
      .bytes();
}

/// Two nodes whose values are wrong: the parser stops at the first.
inline std::string two_mismatched_products() {
  return OnnxWriter()
      .input("x", test::kFloat, {1, 4})
      .output("y", test::kFloat, {1, 4})
      .output("z", test::kFloat, {1, 4})
      .weights("w", test::kFloat, {5, 4}, std::string(80, '\0'))
      .node("MatMul", {"x", "w"}, {"y"}, {}, "first")
      .node("MatMul", {"x", "w"}, {"z"}, {}, "second")
      .model();
}

inline std::string mismatched_product() {
  return OnnxWriter()
      .input("x", test::kFloat, {1, 4})
      .output("y", test::kFloat, {1, 4})
      .weights("w", test::kFloat, {5, 4}, std::string(80, '\0'))
      .node("Relu", {"x"}, {"r"})
      .node("MatMul", {"r", "w"}, {"y"}, {}, "product")
      .model();
}

inline std::string mixed_sum() {
  return OnnxWriter()
      .input("a", test::kFloat, {4})
      .input("b", test::kHalf, {4})
      .output("y", test::kFloat, {4})
      .node("Add", {"a", "b"}, {"y"}, {}, "sum")
      .model();
}

inline std::string cycle() {
  return OnnxWriter()
      .input("x", test::kFloat, {4})
      .output("y", test::kFloat, {4})
      .node("Add", {"x", "b"}, {"a"})
      .node("Relu", {"a"}, {"b"})
      .node("Relu", {"a"}, {"y"})
      .model();
}

inline std::string name_given_twice() { return one_node("Relu").node("Abs", {"x"}, {"y"}).model(); }

inline std::string unregistered_input() {
  return OnnxWriter()
      .input("x", test::kFloat, {4})
      .output("y", test::kFloat, {4})
      .node("Add", {"x", "ghost"}, {"y"})
      .model();
}

inline std::string output_of_nobody() {
  return OnnxWriter()
      .input("x", test::kFloat, {4})
      .output("y", test::kFloat, {4})
      .output("ghost", test::kFloat, {4})
      .node("Relu", {"x"}, {"y"})
      .model();
}

inline std::string short_weights() {
  return OnnxWriter()
      .input("x", test::kFloat, {4})
      .output("y", test::kFloat, {4})
      .weights("w", test::kFloat, {2}, std::string(16, '\0'))
      .node("Relu", {"x"}, {"y"})
      .model();
}

inline std::vector<Refusal> refusals() {
  const std::string whole = test::mlp_model();
  std::minstd_rand random(7);
  std::string noise(4096, '\0');
  for (char& byte : noise) byte = static_cast<char>(random());
  noise[0] = 0x0F;  // no wire type
  const std::string half_of_it = whole.substr(0, whole.size() / 2);
  return {
      {"noise", noise, 3, -1, "Failed to parse the ONNX model."},
      {"one_byte", whole.substr(0, 1), 3, -1, "Failed to parse the ONNX model."},
      {"half_of_a_file", half_of_it, 3, -1, "Failed to parse the ONNX model."},
      {"all_but_one_byte", whole.substr(0, whole.size() - 1), 3, -1, "Failed to parse the ONNX model."},
      {"unknown_operator", unknown_operator(), 6, 0, "creator && \"Plugin not found, are the plugin name"},
      {"unknown_domain", operator_of_another_domain(), 6, 0,
       "creator && \"Plugin not found, are the plugin name"},
      {"quantised_convolution", one_node("QLinearConv").model(), 8, 0, "false"},
      {"product_of_wrong_sizes", mismatched_product(), 6, 1, "Invalid Node - product\n"},
      {"sum_of_two_types", mixed_sum(), 6, 0, "Invalid Node - sum\n"},
      {"weights_of_another_type", convolution(1, test::kHalf), 6, 0, "Invalid Node - c\n"},
      {"negative_padding", convolution(-1), 6, 0, "IConvolutionLayer::setPrePadding: Error Code 3"},
      {"cycle", cycle(), 5, -1, "Failed to sort the model topologically."},
      {"name_given_twice", name_given_twice(), 5, -1, "Failed to sort the model topologically."},
      {"unregistered_input", unregistered_input(), 5, 0, "Node input was not registered."},
      {"output_of_nobody", output_of_nobody(), 1, -1, "Trying to access weights or a null tensor!"},
      {"input_uint16", input_of(4, {4}), 8, -1, "Failed to convert ONNX date type to TensorRT data type."},
      {"input_string", input_of(8, {4}), 8, -1, "Failed to convert ONNX date type to TensorRT data type."},
      {"input_of_rank_9", input_of(test::kFloat, {1, 1, 1, 1, 1, 1, 1, 1, 1}), 7, -1,
       "Failed to convert ONNX dimensions"},
      {"short_weights", short_weights(), 5, -1, "Failed to import initializer: w"},
      {"quantised_bias", quantised_bias_model(), 6, 0, "input has type Int32 but must have type FP8"},
      {"non_zero_zero_point", quantised_model(3, 1), 6, 0, "Non-zero zero point is not supported."},
      {"unsigned_with_a_zero_point", quantised_model(2, 1), 6, 0, "Non-zero zero point is not supported."},
  };
}

}  // namespace skua::sil_test
