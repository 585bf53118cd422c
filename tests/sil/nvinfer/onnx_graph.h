// An ONNX file as far as the parser looks into it. Views point into the bytes it was read from.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sil::infer {

/// TensorProto.DataType.
enum OnnxType : int {
  kOnnxFloat = 1,
  kOnnxUint8 = 2,
  kOnnxInt8 = 3,
  kOnnxInt32 = 6,
  kOnnxInt64 = 7,
  kOnnxBool = 9,
  kOnnxHalf = 10,
  kOnnxDouble = 11,
  kOnnxBfloat16 = 16,
};

struct OnnxTensor {
  std::string_view message;  ///< as it stands in the file
  std::string name;
  int type = 0;
  std::vector<std::int64_t> dims;
  std::string_view raw;
  bool has_raw = false;
  bool is_external = false;
  std::map<std::string, std::string> external;  ///< location, offset, length

  std::int64_t elements() const;
};

struct OnnxValue {
  std::string name;
  int type = 0;  ///< 0: no dense tensor
  bool has_shape = false;
  std::vector<std::int64_t> dims;  ///< -1: not fixed
  std::vector<std::string> symbols;
};

struct OnnxGraph;

struct OnnxAttribute {
  std::string name;
  std::int64_t integer = 0;
  std::vector<std::int64_t> integers;
  std::vector<OnnxTensor> tensors;
  std::vector<std::shared_ptr<OnnxGraph>> graphs;
};

struct OnnxNode {
  std::string name, op, domain;
  std::vector<std::string> inputs, outputs;
  std::vector<OnnxAttribute> attributes;

  const OnnxAttribute* find(std::string_view attribute) const;
};

struct OnnxGraph {
  std::vector<OnnxNode> nodes;
  std::vector<OnnxTensor> initializers;
  std::vector<OnnxValue> inputs;  ///< without those that are initializers too: these are constants
  std::vector<OnnxValue> outputs;

  const OnnxTensor* initializer(std::string_view name) const;
  /// An initializer, or what a Constant node of this graph gives.
  const OnnxTensor* constant(std::string_view name) const;
};

struct OnnxModel {
  std::string_view message;
  std::string_view graph_message;
  std::int64_t ir_version = 0;
  std::int64_t opset = 0;  ///< of the standard domain; 0: not given
  OnnxGraph graph;
};

/// False for what protobuf cannot parse. Bytes that are no model may well be read: as one without nodes.
bool read_onnx(std::string_view bytes, OnnxModel& model);

/// Bytes of one element in raw form; 0: not a type with a fixed size.
std::size_t onnx_type_bytes(int type);
/// "UINT16 (4)", as the parser says it.
std::string onnx_type_text(int type);

}  // namespace sil::infer
