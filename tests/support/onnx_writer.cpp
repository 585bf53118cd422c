#include "onnx_writer.h"

namespace skua::test {
namespace {

WireMessage value_info(const std::string& name, int type, const OnnxDims& dims) {
  WireMessage shape;
  for (const OnnxDimension& dim : dims) {
    WireMessage each;
    if (!dim.is_named) each.integer(1, dim.value);
    if (dim.is_named && !dim.symbol.empty()) each.text(2, dim.symbol);
    shape.message(1, each);
  }
  const WireMessage tensor = WireMessage().integer(1, type).message(2, shape);
  return WireMessage().text(1, name).message(2, WireMessage().message(1, tensor));
}

// Values that are exact in half precision, so that half and float networks agree.
std::vector<float> small_weights(std::size_t count) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = (static_cast<float>(i % 7) - 3.0F) / 8.0F;
  return values;
}

std::vector<std::uint16_t> small_half_weights(std::size_t count) {
  // -3/8 .. 3/8 as half bits, the values of small_weights.
  constexpr std::uint16_t kBits[7] = {0xB600, 0xB400, 0xB000, 0x0000, 0x3000, 0x3400, 0x3600};
  std::vector<std::uint16_t> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = kBits[i % 7];
  return values;
}

}  // namespace

void WireMessage::varint(std::uint64_t value) {
  for (; value >= 0x80U; value >>= 7U) bytes_ += static_cast<char>(value | 0x80U);
  bytes_ += static_cast<char>(value);
}

WireMessage& WireMessage::integer(std::uint32_t field, std::int64_t value) {
  varint(field << 3U);
  varint(static_cast<std::uint64_t>(value));
  return *this;
}

WireMessage& WireMessage::text(std::uint32_t field, std::string_view value) {
  varint(field << 3U | 2U);
  varint(value.size());
  bytes_ += value;
  return *this;
}

WireMessage onnx_tensor(const std::string& name, int type, const std::vector<std::int64_t>& dims,
                        const std::string& bytes) {
  WireMessage tensor;
  for (const std::int64_t dim : dims) tensor.integer(1, dim);
  return tensor.integer(2, type).text(8, name).text(9, bytes);
}

WireMessage onnx_integer_attribute(const std::string& name, std::int64_t value) {
  return WireMessage().text(1, name).integer(3, value).integer(20, 2);
}

WireMessage onnx_tensor_attribute(const std::string& name, const WireMessage& tensor) {
  return WireMessage().text(1, name).message(5, tensor).integer(20, 4);
}

WireMessage onnx_graph_attribute(const std::string& name, const WireMessage& graph) {
  return WireMessage().text(1, name).message(6, graph).integer(20, 5);
}

OnnxWriter& OnnxWriter::input(const std::string& name, int type, const OnnxDims& dims) {
  graph_.message(11, value_info(name, type, dims));
  return *this;
}

OnnxWriter& OnnxWriter::output(const std::string& name, int type, const OnnxDims& dims) {
  graph_.message(12, value_info(name, type, dims));
  return *this;
}

OnnxWriter& OnnxWriter::sequence_output(const std::string& name, int type) {
  const WireMessage tensor = WireMessage().message(1, WireMessage().integer(1, type));
  const WireMessage sequence = WireMessage().message(1, tensor);
  graph_.message(12, WireMessage().text(1, name).message(2, WireMessage().message(4, sequence)));
  return *this;
}

OnnxWriter& OnnxWriter::weights(const std::string& name, int type, const std::vector<std::int64_t>& dims,
                                const std::string& bytes) {
  graph_.message(5, onnx_tensor(name, type, dims, bytes));
  return *this;
}

OnnxWriter& OnnxWriter::external_weights(const std::string& name, int type,
                                         const std::vector<std::int64_t>& dims, const std::string& location,
                                         std::int64_t offset, std::int64_t length) {
  WireMessage tensor;
  for (const std::int64_t dim : dims) tensor.integer(1, dim);
  tensor.integer(2, type).text(8, name);
  tensor.message(13, WireMessage().text(1, "location").text(2, location));
  tensor.message(13, WireMessage().text(1, "offset").text(2, std::to_string(offset)));
  tensor.message(13, WireMessage().text(1, "length").text(2, std::to_string(length)));
  graph_.message(5, tensor.integer(14, 1));
  return *this;
}

OnnxWriter& OnnxWriter::node(const std::string& op, const std::vector<std::string>& inputs,
                             const std::vector<std::string>& outputs,
                             const std::vector<WireMessage>& attributes, const std::string& name) {
  WireMessage node;
  for (const std::string& input : inputs) node.text(1, input);
  for (const std::string& output : outputs) node.text(2, output);
  node.text(3, name.empty() ? op + "_" + outputs.front() : name).text(4, op);
  for (const WireMessage& attribute : attributes) node.message(5, attribute);
  graph_.message(1, node);
  return *this;
}

OnnxWriter& OnnxWriter::metadata(const std::string& key, const std::string& value) {
  metadata_.message(14, WireMessage().text(1, key).text(2, value));
  return *this;
}

std::string OnnxWriter::model(std::int64_t opset) const {
  WireMessage graph;
  const std::string named = graph_.bytes() + graph.text(2, "test").bytes();
  return WireMessage()
             .integer(1, 8)
             .text(7, named)
             .message(8, WireMessage().text(1, "").integer(2, opset))
             .bytes() +
         metadata_.bytes();
}

std::string add_relu_model() {
  return OnnxWriter()
      .input("x", kFloat, {1, 64})
      .output("y", kFloat, {1, 64})
      .weights("bias", kFloat, {64}, raw(small_weights(64)))
      .node("Add", {"x", "bias"}, {"sum"})
      .node("Relu", {"sum"}, {"y"})
      .metadata("skua.model_id", "test-add-relu")
      .model();
}

std::string dynamic_relu_model() {
  return OnnxWriter()
      .input("x", kFloat, {"rows", 4})
      .output("y", kFloat, {"rows", 3})
      .weights("w", kFloat, {4, 3}, raw<float>({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}))
      .node("MatMul", {"x", "w"}, {"h"}, {}, "product")
      .node("Relu", {"h"}, {"y"}, {}, "relu")
      .model();
}

std::string mlp_model() {
  return OnnxWriter()
      .input("x", kFloat, {1, 8})
      .output("y", kFloat, {1, 4})
      .weights("w0", kFloat, {8, 16}, raw(small_weights(128)))
      .weights("w1", kFloat, {16, 4}, raw(small_weights(64)))
      .node("MatMul", {"x", "w0"}, {"h"})
      .node("Relu", {"h"}, {"r"})
      .node("MatMul", {"r", "w1"}, {"y"})
      .model();
}

std::string dynamic_rows_model() {
  return OnnxWriter()
      .input("x", kFloat, {"rows", 4})
      .output("y", kFloat, {"rows", 3})
      .weights("w", kFloat, {4, 3}, raw(small_weights(12)))
      .node("MatMul", {"x", "w"}, {"y"})
      .model();
}

std::string non_zero_model() {
  return OnnxWriter()
      .input("x", kFloat, {8})
      .output("y", kInt64, {1, "found"})
      .node("NonZero", {"x"}, {"y"})
      .model();
}

std::string mixed_types_model() {
  return OnnxWriter()
      .input("i", kInt64, {3})
      .input("b", kBoolean, {3})
      .input("h", kHalf, {2, 2})
      .input("u", kUint8, {2})
      .output("i2", kInt64, {3})
      .output("nb", kBoolean, {3})
      .output("h2", kHalf, {2, 2})
      .output("u2", kUint8, {2})
      .node("Add", {"i", "i"}, {"i2"})
      .node("Not", {"b"}, {"nb"})
      .node("Add", {"h", "h"}, {"h2"})
      .node("Identity", {"u"}, {"u2"})
      .model();
}

std::string zero_size_model() {
  return OnnxWriter()
      .input("x", kFloat, {4})
      .output("y", kFloat, {0})
      .output("z", kFloat, {4})
      .weights("zero", kInt64, {1}, raw<std::int64_t>({0}))
      .node("Slice", {"x", "zero", "zero"}, {"y"})
      .node("Relu", {"x"}, {"z"})
      .model();
}

std::string half_mlp_model() {
  return OnnxWriter()
      .input("x", kHalf, {1, 8})
      .output("y", kHalf, {1, 4})
      .weights("w0", kHalf, {8, 16}, raw(small_half_weights(128)))
      .weights("w1", kHalf, {16, 4}, raw(small_half_weights(64)))
      .node("MatMul", {"x", "w0"}, {"h"})
      .node("Relu", {"h"}, {"r"})
      .node("MatMul", {"r", "w1"}, {"y"})
      .model();
}

std::string quantised_product_model() {
  return OnnxWriter()
      .input("x", kFloat, {1, 4})
      .output("y", kFloat, {1, 3})
      .weights("x_scale", kFloat, {}, raw<float>({0.0625F}))
      .weights("w_scale", kFloat, {}, raw<float>({0.5F}))
      .weights("zero", kInt8, {}, std::string(1, '\0'))
      .weights("w", kInt8, {4, 3}, raw<std::int8_t>({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}))
      .node("QuantizeLinear", {"x", "x_scale", "zero"}, {"x_q"}, {}, "quantise_x")
      .node("DequantizeLinear", {"x_q", "x_scale", "zero"}, {"x_d"}, {}, "widen_x")
      .node("DequantizeLinear", {"w", "w_scale", "zero"}, {"w_d"}, {}, "widen_w")
      .node("MatMul", {"x_d", "w_d"}, {"h"}, {}, "product")
      .node("Relu", {"h"}, {"y"}, {}, "relu")
      .model();
}

}  // namespace skua::test
