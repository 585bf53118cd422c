#include "onnx_graph.h"

#include <algorithm>
#include <array>

#include "wire.h"

namespace sil::infer {
namespace {

constexpr int kMaxDepth = 32;

// Each reader below goes through one message. A known field of another wire type counts as unknown, as in
// protobuf; false means that the bytes end or make no sense.
std::string pair_key(std::string_view bytes, std::string& value) {
  WireReader reader(bytes);
  std::string key;
  while (const auto field = reader.next()) {
    if (field->number == 1 && field->is_bytes()) key = field->bytes;
    if (field->number == 2 && field->is_bytes()) value = field->bytes;
  }
  return key;
}

bool read_integers(const WireField& field, std::vector<std::int64_t>& into) {
  if (field.is_varint()) into.push_back(static_cast<std::int64_t>(field.scalar));
  if (!field.is_bytes()) return true;
  WireReader packed(field.bytes);
  while (const auto value = packed.varint()) into.push_back(static_cast<std::int64_t>(*value));
  return !packed.is_malformed();
}

bool read_tensor(std::string_view bytes, OnnxTensor& tensor) {
  tensor.message = bytes;
  WireReader reader(bytes);
  while (const auto field = reader.next()) {
    if (field->number == 1 && !read_integers(*field, tensor.dims)) return false;
    if (field->number == 2 && field->is_varint()) tensor.type = static_cast<int>(field->scalar);
    if (field->number == 8 && field->is_bytes()) tensor.name = field->bytes;
    if (field->number == 9 && field->is_bytes()) {
      tensor.raw = field->bytes;
      tensor.has_raw = true;
    }
    if (field->number == 13 && field->is_bytes()) {
      std::string value;
      const std::string key = pair_key(field->bytes, value);
      tensor.external[key] = value;
    }
    if (field->number == 14 && field->is_varint()) tensor.is_external = field->scalar == 1;
  }
  return !reader.is_malformed();
}

bool read_dim(std::string_view bytes, OnnxValue& value) {
  WireReader reader(bytes);
  std::int64_t size = -1;
  std::string symbol;
  while (const auto field = reader.next()) {
    if (field->number == 1 && field->is_varint()) size = static_cast<std::int64_t>(field->scalar);
    if (field->number == 2 && field->is_bytes()) symbol = field->bytes;
  }
  value.dims.push_back(size);
  value.symbols.push_back(symbol);
  return !reader.is_malformed();
}

bool read_tensor_type(std::string_view bytes, OnnxValue& value) {
  WireReader reader(bytes);
  while (const auto field = reader.next()) {
    if (field->number == 1 && field->is_varint()) value.type = static_cast<int>(field->scalar);
    if (field->number != 2 || !field->is_bytes()) continue;
    value.has_shape = true;
    WireReader shape(field->bytes);
    while (const auto dim = shape.next()) {
      if (dim->number == 1 && dim->is_bytes() && !read_dim(dim->bytes, value)) return false;
    }
    if (shape.is_malformed()) return false;
  }
  return !reader.is_malformed();
}

bool read_value(std::string_view bytes, OnnxValue& value) {
  WireReader reader(bytes);
  while (const auto field = reader.next()) {
    if (field->number == 1 && field->is_bytes()) value.name = field->bytes;
    if (field->number != 2 || !field->is_bytes()) continue;
    WireReader type(field->bytes);
    while (const auto kind = type.next()) {
      if (kind->number == 1 && kind->is_bytes() && !read_tensor_type(kind->bytes, value)) return false;
    }
    if (type.is_malformed()) return false;
  }
  return !reader.is_malformed();
}

bool read_graph(std::string_view bytes, OnnxGraph& graph, int depth);

bool read_attribute(std::string_view bytes, OnnxAttribute& attribute, int depth) {
  WireReader reader(bytes);
  while (const auto field = reader.next()) {
    if (field->number == 1 && field->is_bytes()) attribute.name = field->bytes;
    if (field->number == 3 && field->is_varint())
      attribute.integer = static_cast<std::int64_t>(field->scalar);
    if (field->number == 8 && !read_integers(*field, attribute.integers)) return false;
    if (field->number == 5 && field->is_bytes() &&
        !read_tensor(field->bytes, attribute.tensors.emplace_back()))
      return false;
    if (field->number == 6 && field->is_bytes() &&
        !read_graph(field->bytes, *attribute.graphs.emplace_back(std::make_shared<OnnxGraph>()), depth + 1))
      return false;
  }
  return !reader.is_malformed();
}

bool read_node(std::string_view bytes, OnnxNode& node, int depth) {
  WireReader reader(bytes);
  while (const auto field = reader.next()) {
    if (!field->is_bytes()) continue;
    if (field->number == 1) node.inputs.emplace_back(field->bytes);
    if (field->number == 2) node.outputs.emplace_back(field->bytes);
    if (field->number == 3) node.name = field->bytes;
    if (field->number == 4) node.op = field->bytes;
    if (field->number == 7) node.domain = field->bytes;
    if (field->number == 5 && !read_attribute(field->bytes, node.attributes.emplace_back(), depth))
      return false;
  }
  return !reader.is_malformed();
}

bool read_graph_field(const WireField& field, OnnxGraph& graph, int depth) {
  if (!field.is_bytes()) return true;
  switch (field.number) {
    case 1:
      return read_node(field.bytes, graph.nodes.emplace_back(), depth);
    case 5:
      return read_tensor(field.bytes, graph.initializers.emplace_back());
    case 11:
      return read_value(field.bytes, graph.inputs.emplace_back());
    case 12:
      return read_value(field.bytes, graph.outputs.emplace_back());
    default:
      return true;
  }
}

bool read_graph(std::string_view bytes, OnnxGraph& graph, int depth) {
  if (depth > kMaxDepth) return false;
  WireReader reader(bytes);
  while (const auto field = reader.next()) {
    if (!read_graph_field(*field, graph, depth)) return false;
  }
  const auto is_constant = [&graph](const OnnxValue& v) { return graph.initializer(v.name) != nullptr; };
  graph.inputs.erase(std::remove_if(graph.inputs.begin(), graph.inputs.end(), is_constant),
                     graph.inputs.end());
  return !reader.is_malformed();
}

void read_opset(std::string_view bytes, OnnxModel& model) {
  WireReader reader(bytes);
  std::string domain;
  std::int64_t version = 0;
  while (const auto field = reader.next()) {
    if (field->number == 1 && field->is_bytes()) domain = field->bytes;
    if (field->number == 2 && field->is_varint()) version = static_cast<std::int64_t>(field->scalar);
  }
  if (domain.empty() || domain == "ai.onnx") model.opset = version;
}

}  // namespace

std::int64_t OnnxTensor::elements() const {
  std::int64_t count = 1;
  for (const std::int64_t dim : dims) count *= dim;
  return count;
}

const OnnxAttribute* OnnxNode::find(std::string_view attribute) const {
  for (const OnnxAttribute& each : attributes) {
    if (each.name == attribute) return &each;
  }
  return nullptr;
}

const OnnxTensor* OnnxGraph::initializer(std::string_view name) const {
  for (const OnnxTensor& each : initializers) {
    if (each.name == name) return &each;
  }
  return nullptr;
}

const OnnxTensor* OnnxGraph::constant(std::string_view name) const {
  if (const OnnxTensor* const weights = initializer(name)) return weights;
  for (const OnnxNode& node : nodes) {
    if (node.op != "Constant" || node.outputs.empty() || node.outputs[0] != name) continue;
    const OnnxAttribute* const value = node.find("value");
    return value == nullptr || value->tensors.empty() ? nullptr : &value->tensors[0];
  }
  return nullptr;
}

bool read_onnx(std::string_view bytes, OnnxModel& model) {
  model.message = bytes;
  WireReader reader(bytes, true);
  while (const auto field = reader.next()) {
    if (field->number == 1 && field->is_varint()) model.ir_version = static_cast<std::int64_t>(field->scalar);
    if (field->number == 8 && field->is_bytes()) read_opset(field->bytes, model);
    if (field->number != 7 || !field->is_bytes()) continue;
    model.graph_message = field->bytes;
    if (!read_graph(field->bytes, model.graph, 0)) return false;
  }
  return !reader.is_malformed();
}

std::size_t onnx_type_bytes(int type) {
  constexpr std::array<std::size_t, 17> kBytes = {0, 4, 1, 1, 2, 2, 4, 8, 0, 1, 2, 8, 4, 8, 8, 16, 2};
  return type >= 0 && static_cast<std::size_t>(type) < kBytes.size() ? kBytes[static_cast<std::size_t>(type)]
                                                                     : 0;
}

std::string onnx_type_text(int type) {
  constexpr std::array<const char*, 17> kNames = {
      "UNDEFINED", "FLOAT",   "UINT8",  "INT8",   "UINT16", "INT16",     "INT32",      "INT64",   "STRING",
      "BOOL",      "FLOAT16", "DOUBLE", "UINT32", "UINT64", "COMPLEX64", "COMPLEX128", "BFLOAT16"};
  const bool is_known = type >= 0 && static_cast<std::size_t>(type) < kNames.size();
  return std::string(is_known ? kNames[static_cast<std::size_t>(type)] : "UNKNOWN") + " (" +
         std::to_string(type) + ")";
}

}  // namespace sil::infer
