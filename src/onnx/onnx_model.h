// What Skua must know of an ONNX file, read without a protobuf library: its graph, weights (where they are,
// not what), inputs and outputs, metadata. The result borrows nothing: it may outlive the bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "skua/result.h"

namespace skua {

/// ONNX's element-type numbers that are spoken of here (TensorProto.DataType).
enum OnnxType : std::int32_t {
  kOnnxFloat = 1,
  kOnnxHalf = 10,
  kOnnxDouble = 11,
  kOnnxBfloat16 = 16,
};
/// "float32", "float16", ...; "type23" for one without a name here.
std::string onnx_type_name(std::int32_t type);

struct OnnxTensor {
  std::string name;
  std::int32_t type = 0;
  std::vector<std::int64_t> dims;
  std::uint64_t payload_bytes = 0;  ///< inside the file
  bool is_external = false;
  std::map<std::string, std::string> external;  ///< location, offset, length
};

struct OnnxDim {
  std::int64_t value = -1;  ///< -1: not fixed
  std::string symbol;
};

struct OnnxValue {
  std::string name;
  std::int32_t type = 0;  ///< 0: no dense tensor
  std::vector<OnnxDim> dims;
  bool has_shape = false;  ///< false: not even the rank is known
};

struct OnnxGraph;
struct OnnxAttribute {
  std::string name;
  std::int32_t type = 0;  ///< AttributeProto.AttributeType; 0 when it is not told
  std::int64_t integer = 0;
  bool has_floats = false;  ///< a float or a list of floats
  std::size_t float_list_size = 0;
  std::vector<OnnxTensor> tensors;
  std::vector<OnnxGraph> graphs;
};

struct OnnxNode {
  std::string name, op_type, domain;
  std::vector<std::string> inputs, outputs;
  std::vector<OnnxAttribute> attributes;

  /// What to call it by: its name, else its first output's.
  const std::string& label() const noexcept {
    return name.empty() && !outputs.empty() ? outputs.front() : name;
  }
  /// nullptr when there is none.
  const OnnxAttribute* find(std::string_view attribute) const noexcept;
};

struct OnnxGraph {
  std::string name;
  std::vector<OnnxNode> nodes;
  std::vector<OnnxTensor> initializers;
  std::vector<OnnxValue> inputs;  ///< without those that are initializers too
  std::vector<OnnxValue> outputs;
};

struct OnnxModel {
  std::int64_t ir_version = 0;
  std::map<std::string, std::int64_t> opsets;  ///< "" is the standard domain
  std::map<std::string, std::string> metadata;
  OnnxGraph graph;
  std::vector<OnnxGraph> functions;  ///< bodies of model-local functions

  std::string metadata_or_empty(const std::string& key) const;
};

/// Reads a model. EngineBuildError: model_empty (no graph, or one without nodes), model_malformed (no ONNX
/// file, cut off, damaged, nested too deeply), with what it looks like instead where that is known.
Result<OnnxModel> parse_onnx(std::span<const std::byte> bytes);

/// Every weight and every node, subgraphs and functions included. The pointers live as long as the model.
std::vector<const OnnxTensor*> all_tensors(const OnnxModel& model);
std::vector<const OnnxNode*> all_nodes(const OnnxModel& model);

}  // namespace skua
