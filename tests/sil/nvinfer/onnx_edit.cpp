#include "onnx_edit.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "wire.h"

namespace sil::infer {
namespace {

// The newest that the ONNX Runtime of these tests takes. Files that claim more are parsed all the same.
constexpr std::int64_t kNewestOpset = 23;
constexpr std::int64_t kOldestOpset = 7;
constexpr std::int64_t kNewestFormat = 11;
constexpr std::int64_t kLargeElements = 1024;

bool is_large_weight(const OnnxTensor& tensor) {
  const bool is_real = tensor.type == kOnnxFloat || tensor.type == kOnnxHalf || tensor.type == kOnnxDouble ||
                       tensor.type == kOnnxBfloat16;
  return is_real && tensor.elements() >= kLargeElements;
}

WireWriter value_info(const std::string& name, int type, const std::vector<std::int64_t>& dims,
                      const std::vector<std::string>& symbols) {
  WireWriter shape;
  for (std::size_t axis = 0; axis < dims.size(); ++axis) {
    WireWriter dim;
    if (dims[axis] >= 0) {
      dim.integer(1, dims[axis]);
    } else if (axis < symbols.size() && !symbols[axis].empty()) {
      dim.text(2, symbols[axis]);
    }
    shape.text(1, dim.bytes());
  }
  WireWriter tensor, kind, value;
  tensor.integer(1, type).text(2, shape.bytes());
  kind.text(1, tensor.bytes());
  value.text(1, name).text(2, kind.bytes());
  return value;
}

void write_input(const OnnxValue& input, const ModelEdit& edit, WireWriter& graph) {
  if (edit.input_values.count(input.name) != 0) return;
  const auto fixed = edit.input_dims.find(input.name);
  const bool is_fixed = fixed != edit.input_dims.end();
  graph.text(11, value_info(input.name, input.type, is_fixed ? fixed->second : input.dims,
                            is_fixed ? std::vector<std::string>{} : input.symbols)
                     .bytes());
}

std::string raw_integers(const std::vector<std::int64_t>& values, int type) {
  std::string raw;
  for (const std::int64_t value : values) {
    const auto narrow = static_cast<std::int32_t>(value);
    if (type == kOnnxInt32) raw.append(reinterpret_cast<const char*>(&narrow), sizeof narrow);
    if (type != kOnnxInt32) raw.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  return raw;
}

void write_constant_input(const OnnxValue& input, const std::vector<std::int64_t>& values,
                          WireWriter& graph) {
  WireWriter tensor;
  if (!input.dims.empty()) tensor.integer(1, static_cast<std::int64_t>(values.size()));
  tensor.integer(2, input.type).text(8, input.name).text(9, raw_integers(values, input.type));
  graph.text(5, tensor.bytes());
}

void write_initializer(const OnnxTensor& tensor, const ModelEdit& edit, WireWriter& graph) {
  if (edit.drops_weights && is_large_weight(tensor)) {
    graph.text(11, value_info(tensor.name, tensor.type, tensor.dims, {}).bytes());
    return;
  }
  if (!tensor.is_external || !edit.external_data) {
    graph.text(5, tensor.message);
    return;
  }
  WireWriter inside;
  for (const std::int64_t dim : tensor.dims) inside.integer(1, dim);
  inside.integer(2, tensor.type).text(8, tensor.name).text(9, edit.external_data(tensor));
  graph.text(5, inside.bytes());
}

// The opposite comparison; nullptr for another operator.
const char* opposite_of(const std::string& op) {
  if (op == "LessOrEqual") return "Greater";
  return op == "GreaterOrEqual" ? "Less" : nullptr;
}

void write_split_node(const OnnxNode& node, const char* opposite, const std::string& name,
                      WireWriter& graph) {
  const std::string between = node.outputs[0] + "#not";
  WireWriter comparison, negation;
  for (const std::string& input : node.inputs) comparison.text(1, input);
  comparison.text(2, between).text(3, name.empty() ? "" : name + "#not").text(4, opposite);
  negation.text(1, between).text(2, node.outputs[0]).text(3, name).text(4, "Not");
  graph.text(1, comparison.bytes()).text(1, negation.bytes());
}

/// The graph being written, and the names of its nodes so far: ONNX Runtime wants them unique.
struct NodeWriter {
  const OnnxModel& model;
  const ModelEdit& edit;
  WireWriter& graph;
  std::set<std::string> names;
  std::size_t index = 0;

  void write(std::string_view bytes);
};

void NodeWriter::write(std::string_view bytes) {
  const OnnxNode& node = model.graph.nodes[index];
  std::string name = edit.numbers_nodes ? numbered_node_name(index) : node.name;
  if (!name.empty() && !names.insert(name).second) name += "#" + std::to_string(index);
  ++index;
  const char* const opposite = edit.splits_comparisons ? opposite_of(node.op) : nullptr;
  if (opposite != nullptr && node.outputs.size() == 1) {
    write_split_node(node, opposite, name, graph);
    return;
  }
  WireWriter renamed;
  WireReader reader(bytes);
  while (const auto field = reader.next()) {
    if (field->number != 3) renamed.copy(*field);
  }
  graph.text(1, renamed.text(3, name).bytes());
}

std::string edited_graph(const OnnxModel& model, const ModelEdit& edit) {
  WireWriter graph;
  NodeWriter nodes{model, edit, graph, {}};
  WireReader reader(model.graph_message);
  while (const auto field = reader.next()) {
    if (field->number == 1 && field->is_bytes()) {
      nodes.write(field->bytes);
      continue;
    }
    // Weights, inputs and outputs follow; stored guesses at types (13) do not count.
    const bool is_replaced = field->number == 5 || (field->number >= 11 && field->number <= 13);
    if (!is_replaced) graph.copy(*field);
  }
  for (const OnnxTensor& tensor : model.graph.initializers) write_initializer(tensor, edit, graph);
  for (const auto& [name, values] : edit.input_values) {
    for (const OnnxValue& input : model.graph.inputs) {
      if (input.name == name) write_constant_input(input, values, graph);
    }
  }
  for (const OnnxValue& input : model.graph.inputs) write_input(input, edit, graph);
  for (const std::string& output : edit.outputs) graph.text(12, WireWriter().text(1, output).bytes());
  return graph.bytes();
}

}  // namespace

std::string edited_model(const OnnxModel& model, const ModelEdit& edit) {
  WireWriter writer;
  writer.integer(1, model.ir_version == 0 ? 8 : std::min(model.ir_version, kNewestFormat));
  WireReader reader(model.message, true);
  while (const auto field = reader.next()) {
    if (field->number == 1 || field->number == 7) continue;
    if (field->number != 8) {
      writer.copy(*field);
      continue;
    }
    WireReader opset(field->bytes);
    std::string domain;
    while (const auto part = opset.next()) {
      if (part->number == 1 && part->is_bytes()) domain = part->bytes;
    }
    if (!domain.empty() && domain != "ai.onnx") writer.copy(*field);
  }
  const std::int64_t opset = model.opset == 0 ? 17 : std::clamp(model.opset, kOldestOpset, kNewestOpset);
  writer.text(8, WireWriter().text(1, "").integer(2, opset).bytes());
  writer.text(7, edited_graph(model, edit));
  return writer.bytes();
}

std::string numbered_node_name(std::size_t index) { return "sil#" + std::to_string(index) + "#"; }

std::vector<std::string> node_outputs(const OnnxGraph& graph) {
  std::vector<std::string> names;
  for (const OnnxNode& node : graph.nodes) {
    for (const std::string& output : node.outputs) {
      if (!output.empty()) names.push_back(output);
    }
  }
  return names;
}

}  // namespace sil::infer
