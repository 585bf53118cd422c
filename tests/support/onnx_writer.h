// Writes small ONNX models as protobuf wire bytes, without a protobuf library: what tests of the ONNX
// strategies feed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace skua::test {

/// One protobuf message being written.
class WireMessage {
 public:
  WireMessage& integer(std::uint32_t field, std::int64_t value);
  WireMessage& text(std::uint32_t field, std::string_view value);
  WireMessage& message(std::uint32_t field, const WireMessage& inner) { return text(field, inner.bytes_); }
  const std::string& bytes() const { return bytes_; }

 private:
  void varint(std::uint64_t value);
  std::string bytes_;
};

/// A fixed size, or the name of a dynamic one ("" for none).
struct OnnxDimension {
  OnnxDimension(int fixed) : value(fixed) {}                         // NOLINT(google-explicit-constructor)
  OnnxDimension(const char* name) : symbol(name), is_named(true) {}  // NOLINT(google-explicit-constructor)
  std::int64_t value = 0;
  std::string symbol;
  bool is_named = false;
};
using OnnxDims = std::vector<OnnxDimension>;

enum OnnxElement : int {
  kFloat = 1,
  kUint8 = 2,
  kInt8 = 3,
  kInt64 = 7,
  kText = 8,
  kBoolean = 9,
  kHalf = 10,
  kDouble = 11
};

/// Raw little-endian bytes of a list of numbers, as initializers hold them.
template <typename T>
std::string raw(const std::vector<T>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

WireMessage onnx_tensor(const std::string& name, int type, const std::vector<std::int64_t>& dims,
                        const std::string& bytes);
WireMessage onnx_integer_attribute(const std::string& name, std::int64_t value);
WireMessage onnx_tensor_attribute(const std::string& name, const WireMessage& tensor);
WireMessage onnx_graph_attribute(const std::string& name, const WireMessage& graph);

/// A graph and the model around it, part by part.
class OnnxWriter {
 public:
  OnnxWriter& input(const std::string& name, int type, const OnnxDims& dims);
  OnnxWriter& output(const std::string& name, int type, const OnnxDims& dims);
  /// An output that is no tensor.
  OnnxWriter& sequence_output(const std::string& name, int type);
  OnnxWriter& weights(const std::string& name, int type, const std::vector<std::int64_t>& dims,
                      const std::string& bytes);
  OnnxWriter& external_weights(const std::string& name, int type, const std::vector<std::int64_t>& dims,
                               const std::string& location, std::int64_t offset, std::int64_t length);
  OnnxWriter& node(const std::string& op, const std::vector<std::string>& inputs,
                   const std::vector<std::string>& outputs, const std::vector<WireMessage>& attributes = {},
                   const std::string& name = "");
  OnnxWriter& metadata(const std::string& key, const std::string& value);
  /// The graph alone, for a subgraph attribute.
  const WireMessage& graph() const { return graph_; }
  /// The whole file.
  std::string model(std::int64_t opset = 17) const;

 private:
  WireMessage graph_, metadata_;
};

// The models that several tests share.
std::string add_relu_model();      ///< float x[1,64] -> y = Relu(x + bias)
std::string mlp_model();           ///< float x[1,8] -> two MatMul -> y[1,4]
std::string dynamic_rows_model();  ///< float x["rows",4] -> y["rows",3] = x W
std::string dynamic_relu_model();  ///< float x["rows",4] -> "product" -> h -> "relu" -> y["rows",3]
std::string non_zero_model();      ///< float x[8] -> int64 y[1,?] = NonZero(x)
std::string mixed_types_model();   ///< int64, bool, half and uint8 inputs and outputs
std::string zero_size_model();     ///< float x[4] -> y[0], z[4]
std::string half_mlp_model();      ///< half x[1,8] -> y[1,4], half weights
/// float x[1,4] -> "product" (int8 on both sides, by Q/DQ nodes) -> "relu" -> y[1,3]
std::string quantised_product_model();

}  // namespace skua::test
