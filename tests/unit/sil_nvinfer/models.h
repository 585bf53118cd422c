// Models that the real parser or builder was measured with, as small as they can be.
#pragma once

#include <string>

#include "onnx_writer.h"

namespace skua::sil_test {

using test::OnnxWriter;
using test::raw;
using test::WireMessage;

inline WireMessage integers_attribute(const std::string& name, const std::vector<std::int64_t>& values) {
  WireMessage attribute;
  attribute.text(1, name);
  for (const std::int64_t value : values) attribute.integer(8, value);
  return attribute.integer(20, 7);
}

/// One node between a float x[1,4] and y.
inline OnnxWriter one_node(const std::string& op, const std::string& name = "") {
  return OnnxWriter()
      .input("x", test::kFloat, {1, 4})
      .output("y", test::kFloat, {1, 4})
      .node(op, {"x"}, {"y"}, {}, name);
}

inline std::string convolution(std::int64_t padding, int weights_type = test::kFloat) {
  const std::size_t bytes = weights_type == test::kHalf ? 2 : 4;
  return OnnxWriter()
      .input("x", test::kFloat, {1, 1, 4, 4})
      .output("y", test::kFloat, {1, 1, 4, 4})
      .weights("w", weights_type, {1, 1, 3, 3}, std::string(9 * bytes, '\0'))
      .node("Conv", {"x", "w"}, {"y"}, {integers_attribute("pads", std::vector<std::int64_t>(4, padding))},
            "c")
      .model();
}

/// y = Reshape(x[4,6], shape[2]): the values of an INT64 input decide the output's shape.
inline std::string reshape_model() {
  return OnnxWriter()
      .input("x", test::kFloat, {4, 6})
      .input("shape", test::kInt64, {2})
      .output("y", test::kFloat, {"a", "b"})
      .node("Reshape", {"x", "shape"}, {"y"})
      .model();
}

/// Values and indices of the k largest of x[1,5000]; k is a constant.
inline std::string top_k_model(std::int64_t k) {
  return OnnxWriter()
      .input("x", test::kFloat, {1, 5000})
      .output("values", test::kFloat, {1, "k"})
      .output("indices", test::kInt64, {1, "k"})
      .weights("k", test::kInt64, {1}, raw<std::int64_t>({k}))
      .node("TopK", {"x", "k"}, {"values", "indices"})
      .model();
}

/// QuantizeLinear and DequantizeLinear around x, with this zero point.
inline std::string quantised_model(int zero_type, char zero) {
  return OnnxWriter()
      .input("x", test::kFloat, {1, 4})
      .output("y", test::kFloat, {1, 4})
      .weights("scale", test::kFloat, {}, raw<float>({0.5F}))
      .weights("zero", zero_type, {}, std::string(1, zero))
      .node("QuantizeLinear", {"x", "scale", "zero"}, {"q"})
      .node("DequantizeLinear", {"q", "scale", "zero"}, {"y"})
      .model();
}

inline std::string quantised_bias_model() {
  return OnnxWriter()
      .input("x", test::kFloat, {1, 4})
      .output("y", test::kFloat, {1, 4})
      .weights("scale", test::kFloat, {}, raw<float>({0.5F}))
      .weights("bias", 6, {4}, std::string(16, '\1'))
      .node("DequantizeLinear", {"bias", "scale"}, {"b"}, {}, "0.bias_DequantizeLinear")
      .node("Add", {"x", "b"}, {"y"})
      .model();
}

/// A dynamic convolution input [n,3,h,w] that is passed through.
inline std::string images_model() {
  return OnnxWriter()
      .input("x", test::kFloat, {"n", 3, "h", "w"})
      .output("y", test::kFloat, {"n", 3, "h", "w"})
      .node("Relu", {"x"}, {"y"})
      .model();
}

inline std::string input_of(int type, const test::OnnxDims& dims) {
  return OnnxWriter().input("x", type, dims).output("y", type, dims).node("Identity", {"x"}, {"y"}).model();
}

inline std::string declared_wrongly() {
  return OnnxWriter().input("x", test::kFloat, {4}).output("y", 6, {7}).node("Relu", {"x"}, {"y"}).model();
}

}  // namespace skua::sil_test
