#include "compile/graph_int8.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <vector>

#include "compile/compilation.h"
#include "compile/graph_precision.h"
#include "core/text.h"

namespace skua::compile {
namespace {

constexpr std::int32_t kOnnxInt8 = 3;
constexpr std::size_t kMostNamed = 5;

bool is_product(const OnnxNode& node) {
  constexpr std::array<std::string_view, 4> kProducts = {"Conv", "ConvTranspose", "Gemm", "MatMul"};
  return std::find(kProducts.begin(), kProducts.end(), node.op_type) != kProducts.end();
}

bool is_pair(const OnnxNode& node) {
  return node.op_type == "QuantizeLinear" || node.op_type == "DequantizeLinear";
}

class Int8Graph {
 public:
  explicit Int8Graph(const OnnxModel& model) : nodes_(all_nodes(model)) {
    for (const OnnxTensor* tensor : all_tensors(model)) weights_[tensor->name] = tensor;
    for (const OnnxNode* node : nodes_) {
      for (const std::string& output : node->outputs) makers_[output] = node;
      for (const OnnxAttribute& attribute : node->attributes) {
        if (node->op_type == "Constant" && !attribute.tensors.empty() && !node->outputs.empty())
          weights_[node->outputs.front()] = &attribute.tensors.front();
      }
    }
  }

  ProductCount products() const {
    ProductCount count;
    for (const OnnxNode* node : nodes_) {
      if (!is_product(*node) || node->inputs.size() < 2) continue;
      ++count.all;
      if (is_dequantised(node->inputs[0]) && is_dequantised(node->inputs[1])) ++count.quantised;
    }
    return count;
  }

  std::vector<std::string> offenders() const {
    std::vector<std::string> found;
    for (const OnnxNode* node : nodes_) {
      const std::string name = node->op_type + " " + quote(node->label());
      if (is_quantised(*node) && !is_pair(*node)) found.push_back("operator " + name);
      if (!is_pair(*node)) continue;
      if (node->op_type == "DequantizeLinear" && !node->inputs.empty())
        add_type(node->inputs[0], name, found);
      const bool has_zero_point = node->inputs.size() > 2 && !node->inputs[2].empty();
      if (has_zero_point) add_type(node->inputs[2], name, found);
      // Without one its numbers are uint8 (ONNX, QuantizeLinear).
      if (!has_zero_point && node->op_type == "QuantizeLinear") found.push_back("no zero point of " + name);
    }
    return found;
  }

 private:
  bool is_dequantised(const std::string& value) const {
    const auto maker = makers_.find(value);
    return maker != makers_.end() && maker->second->op_type == "DequantizeLinear";
  }
  /// A weight or zero point that is no int8.
  void add_type(const std::string& value, const std::string& node, std::vector<std::string>& found) const {
    const auto weight = weights_.find(value);
    if (weight == weights_.end() || weight->second->type == kOnnxInt8) return;
    found.push_back(onnx_type_name(weight->second->type) + " " + quote(value) + " of " + node);
  }

  std::vector<const OnnxNode*> nodes_;
  std::map<std::string, const OnnxTensor*> weights_;
  std::map<std::string, const OnnxNode*> makers_;
};

}  // namespace

ProductCount count_products(const OnnxModel& model) { return Int8Graph(model).products(); }

Status check_int8_graph(const OnnxModel& model) {
  const Int8Graph graph(model);
  std::vector<std::string> offenders = graph.offenders();
  if (graph.products().quantised == 0)
    offenders.emplace_back("no convolution or matrix product between int8 values");
  if (offenders.empty()) return {};
  const std::size_t more = offenders.size() - std::min(offenders.size(), kMostNamed);
  offenders.resize(offenders.size() - more);
  return build_error(
      Reason::kPrecisionNotSupported,
      "precision int8: expected QuantizeLinear and DequantizeLinear in int8 around products, found " +
          join(offenders) + (more > 0 ? " and " + std::to_string(more) + " more" : "") +
          "; convert the float32 network with skua quantize --precision int8");
}

}  // namespace skua::compile
