#include "import.h"

#include <algorithm>
#include <cstdio>
#include <set>

#include "types.h"

namespace sil::infer {

using nvonnxparser::ErrorCode;

bool Import::fails(ErrorCode code, const std::string& text, const OnnxNode* node, int index) {
  tell_error(logger_, errors_, code, text, node, index);
  return false;
}

bool Import::run() {
  if (model_.opset > 0 && model_.opset < 7) {
    warn("TensorRT supports ONNX graphs generated with at least opset 7");
  }
  const OnnxGraph& graph = model_.graph;
  if (graph.nodes.empty() && graph.inputs.empty() && graph.outputs.empty()) return true;
  warn_of_names();
  if (!sort_nodes() || !check_nodes() || !import_inputs() || !import_weights()) return false;
  if (!check_node_inputs() || !infer_types()) return false;
  import_layers(order_.size());
  mark_shape_inputs(graph, network_);
  return import_outputs();
}

void Import::warn_of_names() {
  std::set<std::string> names, used;
  for (const OnnxNode& node : model_.graph.nodes) {
    if (!node.name.empty() && !names.insert(node.name).second)
      warn("a duplicate of the name of a node: " + node.name);
    used.insert(node.inputs.begin(), node.inputs.end());
  }
  for (const OnnxValue& output : model_.graph.outputs) used.insert(output.name);
  for (const OnnxValue& input : model_.graph.inputs) {
    if (used.count(input.name) == 0) warn("Unused Input: " + input.name);
  }
}

// A cycle and a name given twice are told to nobody's logger, but on stderr.
bool Import::sort_nodes() {
  std::set<std::string> produced;
  for (const std::string& output : node_outputs(model_.graph)) {
    if (produced.insert(output).second) continue;
    std::fprintf(stderr, "ERROR: Output name is not unique: %s\n", output.c_str());
    return fails(ErrorCode::kINVALID_GRAPH, "Failed to sort the model topologically.");
  }
  std::vector<bool> is_placed(model_.graph.nodes.size(), false);
  while (order_.size() < is_placed.size()) {
    if (place_nodes(is_placed)) continue;
    std::fprintf(stderr, "ERROR: Graph contains a cycle\n");
    return fails(ErrorCode::kINVALID_GRAPH, "Failed to sort the model topologically.");
  }
  return true;
}

// Places every node whose inputs are given by nodes placed before it; false when that is none.
bool Import::place_nodes(std::vector<bool>& is_placed) {
  std::set<std::string> waiting;
  const std::vector<OnnxNode>& nodes = model_.graph.nodes;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (!is_placed[i]) waiting.insert(nodes[i].outputs.begin(), nodes[i].outputs.end());
  }
  const std::size_t before = order_.size();
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto waits = [&waiting](const std::string& name) {
      return !name.empty() && waiting.count(name) != 0;
    };
    if (is_placed[i] || std::any_of(nodes[i].inputs.begin(), nodes[i].inputs.end(), waits)) continue;
    is_placed[i] = true;
    order_.push_back(i);
    for (const std::string& output : nodes[i].outputs) waiting.erase(output);
  }
  return order_.size() > before;
}

// All nodes are looked at before any is imported, so that every unsupported one is told.
bool Import::check_nodes() {
  bool is_fine = true;
  for (const std::size_t index : order_) is_fine = check_node(model_, index, logger_, errors_) && is_fine;
  return is_fine;
}

bool Import::import_input(const OnnxValue& input) {
  const auto type = data_type_of(input.type);
  if (!type) {
    std::fprintf(stderr, "Unsupported ONNX data type: %s\n", onnx_type_text(input.type).c_str());
    return fails(ErrorCode::kUNSUPPORTED_NODE, "Failed to convert ONNX date type to TensorRT data type.");
  }
  if (input.dims.size() > static_cast<std::size_t>(nvinfer1::Dims::MAX_DIMS)) {
    return fails(ErrorCode::kUNSUPPORTED_GRAPH, "Failed to convert ONNX dimensions to TensorRT dimensions.");
  }
  if (input.type == kOnnxInt64) warn("Make sure input " + input.name + " has Int64 binding.");
  Tensor& tensor = network_.tensor(input.name);
  tensor.onnx_type = input.type;
  tensor.type = *type;
  tensor.dims = dims_of(input.dims);  // of unknown rank: a scalar, without a word
  tensor.symbols = input.symbols;
  tensor.is_input = true;
  const auto names_it = [&input](const OnnxValue& output) { return output.name == input.name; };
  const auto& outputs = model_.graph.outputs;
  if (std::any_of(outputs.begin(), outputs.end(), names_it)) tensor.name = "__" + input.name;
  network_.inputs.push_back(&tensor);
  return true;
}

bool Import::import_inputs() {
  for (const OnnxValue& input : model_.graph.inputs) {
    if (!import_input(input)) return false;
  }
  return true;
}

bool Import::import_weights() {
  for (const OnnxTensor& tensor : model_.graph.initializers) {
    bool is_fine = true;
    if (tensor.is_external) is_fine = read_external(tensor, folder_, logger_, external_[tensor.name]);
    const auto expected = static_cast<std::size_t>(tensor.elements()) * onnx_type_bytes(tensor.type);
    if (tensor.has_raw && tensor.raw.size() != expected) {
      logger_.log(Severity::kERROR, ("Size mismatch when importing initializer: " + tensor.name +
                                     ". Expected size: " + std::to_string(expected) +
                                     " , actual size: " + std::to_string(tensor.raw.size()))
                                        .c_str());
      is_fine = false;
    }
    if (!is_fine) return fails(ErrorCode::kINVALID_GRAPH, "Failed to import initializer: " + tensor.name);
    if (is_beyond_float(tensor))
      warn("Weights " + tensor.name + " are out of the range of FLOAT and were clamped to 3.40282e+38");
  }
  return true;
}

bool Import::is_produced(const std::string& name) const {
  const auto is_it = [&name](const OnnxValue& value) { return value.name == name; };
  const OnnxGraph& graph = model_.graph;
  if (std::any_of(graph.inputs.begin(), graph.inputs.end(), is_it)) return true;
  if (graph.initializer(name) != nullptr) return true;
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&name](const OnnxNode& node) {
    return std::find(node.outputs.begin(), node.outputs.end(), name) != node.outputs.end();
  });
}

bool Import::check_node_inputs() {
  std::set<std::string> known;
  for (const OnnxValue& input : model_.graph.inputs) known.insert(input.name);
  for (const OnnxTensor& tensor : model_.graph.initializers) known.insert(tensor.name);
  for (std::size_t place = 0; place < order_.size(); ++place) {
    const OnnxNode& node = model_.graph.nodes[order_[place]];
    for (const std::string& input : node.inputs) {
      if (input.empty() || known.count(input) != 0) continue;
      import_layers(place);
      return fails(ErrorCode::kINVALID_GRAPH, "Node input was not registered.", &node,
                   static_cast<int>(order_[place]));
    }
    known.insert(node.outputs.begin(), node.outputs.end());
  }
  return true;
}

// ONNX Runtime's shape inference is this parser's: every tensor of the graph is asked for.
bool Import::infer_types() {
  ModelEdit edit;
  edit.outputs = node_outputs(model_.graph);
  edit.numbers_nodes = true;
  edit.splits_comparisons = true;
  for (const OnnxValue& input : model_.graph.inputs) {
    if (!input.has_shape) edit.input_dims[input.name] = {};
  }
  edit.external_data = [this](const OnnxTensor& tensor) { return external_[tensor.name]; };
  if (edit.outputs.empty()) return true;
  std::string error;
  // Folding of constants makes sizes out of Shape and its like.
  const auto session = OrtModel::open(edited_model(model_, edit), OrtLevel::kBasic, error);
  if (session == nullptr) {
    refuse_node(error);
    return false;
  }
  for (const OrtTensorType& output : session->outputs()) {
    Tensor& tensor = network_.tensor(output.name);
    tensor.onnx_type = output.onnx_type;
    tensor.type = data_type_of(output.onnx_type).value_or(nvinfer1::DataType::kFLOAT);
    tensor.dims = dims_of(output.dims);
  }
  edit.numbers_nodes = false;
  edit.splits_comparisons = false;
  edit.outputs = output_names();
  network_.model = edited_model(model_, edit);
  return true;
}

std::vector<std::string> Import::output_names() const {
  std::vector<std::string> names;
  for (const OnnxValue& output : model_.graph.outputs) {
    if (is_produced(output.name)) names.push_back(output.name);
  }
  return names;
}

// The first node in the order that the message names; values are not checked beyond it.
void Import::refuse_node(const std::string& message) {
  std::size_t place = 0;
  std::string told = message;
  for (; place < order_.size(); ++place) {
    const std::string number = numbered_node_name(order_[place]);
    const auto at = message.find(number);
    if (at == std::string::npos) continue;
    told.replace(at, number.size(), model_.graph.nodes[order_[place]].name);
    break;
  }
  const bool is_known = place < order_.size();
  import_layers(is_known ? place : 0);
  const std::string reason = network_.sink.error(4, "ITensor::getDimensions", told);
  if (!is_known) {
    fails(ErrorCode::kINVALID_GRAPH, reason);
    return;
  }
  const OnnxNode& node = model_.graph.nodes[order_[place]];
  fails(ErrorCode::kINVALID_NODE, "Invalid Node - " + node.name + "\n" + reason, &node,
        static_cast<int>(order_[place]));
}

void Import::import_layers(std::size_t count) {
  for (std::size_t place = 0; place < count; ++place) {
    const OnnxNode& node = model_.graph.nodes[order_[place]];
    Layer& layer = network_.layers.emplace_back();
    layer.name =
        node.name.empty() ? "(Unnamed Layer* " + std::to_string(place) + ") [" + node.op + "]" : node.name;
    layer.op = node.op;
    const bool is_named = !node.name.empty() || node.outputs.empty();
    layer.setMetadata(
        ("[ONNX Layer: " + (is_named ? node.name : "node_of_" + node.outputs[0]) + "]").c_str());
    for (const std::string& input : node.inputs) {
      if (!input.empty() && model_.graph.initializer(input) == nullptr) {
        layer.inputs.push_back(&network_.tensor(input));
      }
    }
    for (const std::string& output : node.outputs) {
      if (!output.empty()) layer.outputs.push_back(&network_.tensor(output));
    }
  }
}

bool Import::import_outputs() {
  for (const OnnxValue& output : model_.graph.outputs) {
    if (!is_produced(output.name)) {
      for (Tensor* marked : network_.outputs) marked->is_output = false;
      network_.outputs.clear();
      return fails(ErrorCode::kINTERNAL_ERROR, "Trying to access weights or a null tensor!");
    }
    Tensor* tensor = &network_.tensor(output.name);
    if (const OnnxTensor* const constant = model_.graph.initializer(output.name)) {
      tensor->onnx_type = constant->type;
      tensor->type = data_type_of(constant->type).value_or(nvinfer1::DataType::kFLOAT);
      tensor->dims = dims_of(constant->dims);
    }
    if (tensor->is_input) {  // the input goes by another name, the output keeps its own
      Tensor& copy = network_.tensors.emplace_back();
      copy.name = output.name;
      copy.onnx_name = output.name;
      copy.onnx_type = tensor->onnx_type;
      copy.type = tensor->type;
      copy.dims = tensor->dims;
      tensor = &copy;
    }
    tensor->is_output = true;
    network_.outputs.push_back(tensor);
  }
  return true;
}

}  // namespace sil::infer
