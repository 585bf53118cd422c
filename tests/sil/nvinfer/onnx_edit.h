// Copies of a model with another interface: what ONNX Runtime is given instead of the file itself.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "onnx_graph.h"

namespace sil::infer {

struct ModelEdit {
  /// Sizes that inputs get; those of an unknown rank become scalars unless they are named here.
  std::map<std::string, std::vector<std::int64_t>> input_dims;
  /// Inputs (INT32 or INT64) that become constants with these values.
  std::map<std::string, std::vector<std::int64_t>> input_values;
  /// The outputs, by name. Their types are left to ONNX Runtime: declared ones do not count.
  std::vector<std::string> outputs;
  /// Large weights become inputs, of the same type and shape: enough to infer shapes, and small.
  bool drops_weights = false;
  /// Each node is called numbered_node_name() of its index, so that ONNX Runtime's errors name it.
  bool numbers_nodes = false;
  /// LessOrEqual and GreaterOrEqual become two nodes each, of which ONNX Runtime infers the shapes.
  bool splits_comparisons = false;
  /// Contents of external weights; asked only for tensors that say they are external.
  std::function<std::string(const OnnxTensor&)> external_data;
};

/// The edited model. Its operator set and format version are ones that ONNX Runtime takes.
std::string edited_model(const OnnxModel& model, const ModelEdit& edit);

std::string numbered_node_name(std::size_t index);

/// The names of all that the graph's nodes give, in their order.
std::vector<std::string> node_outputs(const OnnxGraph& graph);

}  // namespace sil::infer
