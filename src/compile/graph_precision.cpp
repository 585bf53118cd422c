#include "compile/graph_precision.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "compile/graph_int8.h"
#include "core/text.h"

namespace skua::compile {
namespace {

constexpr std::size_t kMaxOffenders = 5;

struct Use {
  const OnnxNode* node;
  std::size_t input;
};

// Who reads each value. Names of subgraphs are thrown together with the outer ones: a value that an inner
// graph reads counts as read, which can only make the check stricter.
class Graph {
 public:
  explicit Graph(const OnnxModel& model) : nodes_(all_nodes(model)) {
    for (const OnnxNode* node : nodes_) {
      for (std::size_t i = 0; i < node->inputs.size(); ++i) uses_[node->inputs[i]].push_back({node, i});
    }
    for (const OnnxValue& output : model.graph.outputs) outputs_.insert(output.name);
  }
  const std::vector<const OnnxNode*>& nodes() const { return nodes_; }
  const std::vector<Use>& uses(const std::string& value) const {
    static const std::vector<Use> kNone;
    const auto found = uses_.find(value);
    return found == uses_.end() ? kNone : found->second;
  }
  bool is_output(const std::string& value) const { return outputs_.count(value) != 0; }

 private:
  std::vector<const OnnxNode*> nodes_;
  std::map<std::string, std::vector<Use>> uses_;
  std::set<std::string> outputs_;
};

class Offenders {
 public:
  void add(std::string text) {
    ++count_;
    if (texts_.size() < kMaxOffenders) texts_.push_back(std::move(text));
  }
  Status finish(std::string_view precision, std::string_view remedy) const {
    if (count_ == 0) return {};
    std::string text = "precision " + std::string(precision) + ": found " + join(texts_);
    if (count_ > texts_.size()) text += " and " + std::to_string(count_ - texts_.size()) + " more";
    return make_error(ErrorCode::kEngineBuild, Reason::kPrecisionNotSupported,
                      text + "; " + std::string(remedy));
  }

 private:
  std::size_t count_ = 0;
  std::vector<std::string> texts_;
};

bool is_float_type(std::int64_t type) {
  constexpr std::array<std::int64_t, 9> kTypes = {kOnnxFloat, kOnnxHalf, kOnnxDouble, kOnnxBfloat16, 17, 18,
                                                  19,         20,        23};
  return std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end();
}

std::string describe(const OnnxNode& node) { return node.op_type + " " + quote(node.label()); }

std::int64_t cast_target(const OnnxNode& node) {
  const OnnxAttribute* to = node.op_type == "Cast" ? node.find("to") : nullptr;
  return to == nullptr ? 0 : to->integer;
}

// The element type of what a node creates from nothing; 0 when it creates nothing.
std::int64_t created_type(const OnnxNode& node) {
  if (node.op_type != "Constant" && node.op_type != "ConstantOfShape") return 0;
  for (const OnnxAttribute& attribute : node.attributes) {
    if (!attribute.tensors.empty()) return attribute.tensors.front().type;
    if (attribute.has_floats) return kOnnxFloat;
  }
  return node.op_type == "ConstantOfShape" ? kOnnxFloat : 0;
}

bool is_created_scalar(const OnnxNode& node) {
  if (node.op_type != "Constant") return false;
  return std::all_of(node.attributes.begin(), node.attributes.end(), [](const OnnxAttribute& attribute) {
    return attribute.float_list_size == 0 &&
           (attribute.tensors.empty() || attribute.tensors.front().dims.empty());
  });
}

void check_quantised(const Graph& graph, Offenders& offenders) {
  for (const OnnxNode* node : graph.nodes()) {
    if (is_quantised(*node)) offenders.add("quantised node " + describe(*node));
  }
}

bool all_uses_are_casts(const Graph& graph, const std::string& value) {
  const auto& uses = graph.uses(value);
  return !graph.is_output(value) &&
         std::all_of(uses.begin(), uses.end(), [](const Use& use) { return use.node->op_type == "Cast"; });
}

void check_fp32(const OnnxModel& model, const Graph& graph, Offenders& offenders) {
  const auto is_other_float = [](std::int64_t type) { return is_float_type(type) && type != kOnnxFloat; };
  for (const OnnxTensor* tensor : all_tensors(model)) {
    if (is_other_float(tensor->type))
      offenders.add(onnx_type_name(tensor->type) + " weights " + quote(tensor->name));
  }
  for (const OnnxNode* node : graph.nodes()) {
    if (!is_other_float(cast_target(*node))) continue;
    const bool is_edge = graph.is_output(node->outputs.front()) && graph.uses(node->outputs.front()).empty();
    if (!is_edge)
      offenders.add(describe(*node) + " to " + onnx_type_name(static_cast<int>(cast_target(*node))));
  }
  for (const OnnxValue& input : model.graph.inputs) {
    if (is_other_float(input.type) && !all_uses_are_casts(graph, input.name)) {
      offenders.add(onnx_type_name(input.type) + " input " + quote(input.name));
    }
  }
}

// Operators with inputs that exist in float32 only.
bool demands_float32(const OnnxNode& node, std::size_t input) {
  if (node.op_type == "Resize") return input == 1 || input == 2;
  if (node.op_type == "Upsample") return input == 1;
  if (node.op_type == "NonMaxSuppression") return input != 2;
  return node.op_type == "Celu" || node.op_type == "Range";
}

class HalfCheck {
 public:
  HalfCheck(const OnnxModel& model, const Graph& graph, const std::vector<std::string>& keep_fp32)
      : model_(model), graph_(graph), keep_fp32_(keep_fp32) {}

  void run(Offenders& offenders) {
    check_weights(offenders);
    for (const OnnxNode* node : graph_.nodes()) check_node(*node, offenders);
    for (const OnnxValue& input : model_.graph.inputs) {
      has_half_ = has_half_ || input.type == kOnnxHalf;
      if (is_wide(input.type) && !is_allowed(input.name, true)) {
        offenders.add(onnx_type_name(input.type) + " input " + quote(input.name) +
                      " that feeds more than Casts");
      }
    }
    if (!has_half_) offenders.add("no float16 tensor at all");
  }

  /// Mixed is what it says: every pattern names nodes, and one of these computes in float32.
  void find_float32(Offenders& offenders) const {
    for (const std::string& pattern : keep_fp32_) {
      const auto is_named = [&pattern](const OnnxNode* node) { return matches_pattern(pattern, node->name); };
      if (std::none_of(graph_.nodes().begin(), graph_.nodes().end(), is_named))
        offenders.add("no node for the pattern " + quote(pattern) + " of keep_fp32");
    }
    const auto is_float32 = [this](const OnnxNode* node) { return is_kept(*node) && reads_float32(*node); };
    if (std::none_of(graph_.nodes().begin(), graph_.nodes().end(), is_float32))
      offenders.add("no node of keep_fp32 that computes in float32");
  }

 private:
  static bool is_wide(std::int64_t type) { return is_float_type(type) && type != kOnnxHalf; }
  bool is_kept(const OnnxNode& node) const {
    return std::any_of(keep_fp32_.begin(), keep_fp32_.end(),
                       [&node](const std::string& pattern) { return matches_pattern(pattern, node.name); });
  }
  bool reads_float32(const OnnxNode& node) const {
    const auto& inputs = node.inputs;
    const auto reads = [&inputs](const std::string& value) {
      return std::find(inputs.begin(), inputs.end(), value) != inputs.end();
    };
    const auto& weights = model_.graph.initializers;
    const auto& values = model_.graph.inputs;
    return std::any_of(weights.begin(), weights.end(),
                       [&](const OnnxTensor& each) { return each.type == kOnnxFloat && reads(each.name); }) ||
           std::any_of(values.begin(), values.end(),
                       [&](const OnnxValue& each) { return each.type == kOnnxFloat && reads(each.name); }) ||
           std::any_of(graph_.nodes().begin(), graph_.nodes().end(), [&](const OnnxNode* each) {
             return cast_target(*each) == kOnnxFloat && reads(each->outputs.front());
           });
  }
  // Whether a float32 value is used only where that is allowed.
  bool is_allowed(const std::string& value, bool allow_casts) const {
    const auto& uses = graph_.uses(value);
    return std::all_of(uses.begin(), uses.end(), [this, allow_casts](const Use& use) {
      return is_kept(*use.node) || demands_float32(*use.node, use.input) ||
             (allow_casts && use.node->op_type == "Cast");
    });
  }
  void check_weights(Offenders& offenders) {
    for (const OnnxTensor& tensor : model_.graph.initializers) {
      has_half_ = has_half_ || tensor.type == kOnnxHalf;
      if (!is_wide(tensor.type) || (tensor.dims.empty() && tensor.type == kOnnxFloat)) continue;
      if (!is_allowed(tensor.name, false))
        offenders.add(onnx_type_name(tensor.type) + " weights " + quote(tensor.name));
    }
  }
  void check_node(const OnnxNode& node, Offenders& offenders) {
    if (is_kept(node) || node.outputs.empty()) return;
    const std::string& output = node.outputs.front();
    const std::int64_t created = created_type(node);
    has_half_ = has_half_ || created == kOnnxHalf || cast_target(node) == kOnnxHalf;
    if (is_wide(created) && !is_created_scalar(node) && !is_allowed(output, false)) {
      offenders.add(onnx_type_name(static_cast<int>(created)) + " values of " + describe(node));
    }
    if (is_wide(cast_target(node)) && !is_allowed(output, true)) {
      offenders.add(describe(node) + " to " + onnx_type_name(static_cast<int>(cast_target(node))));
    }
    for (const OnnxAttribute& attribute : node.attributes) {
      for (const OnnxGraph& inner : attribute.graphs) check_inner_weights(inner, offenders);
    }
  }
  void check_inner_weights(const OnnxGraph& inner, Offenders& offenders) {
    for (const OnnxTensor& tensor : inner.initializers) {
      if (is_wide(tensor.type) && !tensor.dims.empty() && !is_allowed(tensor.name, false)) {
        offenders.add(onnx_type_name(tensor.type) + " weights " + quote(tensor.name));
      }
    }
  }

  const OnnxModel& model_;
  const Graph& graph_;
  const std::vector<std::string>& keep_fp32_;
  bool has_half_ = false;
};

std::uint64_t element_count(const OnnxTensor& tensor) {
  std::uint64_t count = 1;
  for (const std::int64_t dim : tensor.dims) count *= dim > 0 ? static_cast<std::uint64_t>(dim) : 0U;
  return count;
}

// Constants that folding makes (Resize scales and the like) are small; a widened weight is not.
bool is_large_float32(const OnnxTensor& tensor) {
  constexpr std::uint64_t kSmall = 64;
  return tensor.type == kOnnxFloat && element_count(tensor) > kSmall;
}

std::uint64_t large_float32_elements(const OnnxModel& model) {
  std::uint64_t count = 0;
  for (const OnnxTensor* tensor : all_tensors(model))
    count += is_large_float32(*tensor) ? element_count(*tensor) : 0;
  return count;
}

}  // namespace

bool is_quantised(const OnnxNode& node) {
  constexpr std::array<std::string_view, 6> kParts = {"QuantizeLinear", "QLinear",     "MatMulInteger",
                                                      "ConvInteger",    "MatMulNBits", "QAttention"};
  return std::any_of(kParts.begin(), kParts.end(),
                     [&node](std::string_view part) { return node.op_type.find(part) != std::string::npos; });
}

bool is_quantised(const OnnxModel& model) {
  const auto nodes = all_nodes(model);
  return std::any_of(nodes.begin(), nodes.end(), [](const OnnxNode* node) { return is_quantised(*node); });
}

bool is_half(const OnnxModel& model) {
  const auto tensors = all_tensors(model);
  return std::any_of(tensors.begin(), tensors.end(),
                     [](const OnnxTensor* tensor) { return tensor->type == kOnnxHalf; });
}

bool matches_pattern(std::string_view pattern, std::string_view text) noexcept {
  std::size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

Status check_graph_precision(const OnnxModel& model, Precision precision,
                             const std::vector<std::string>& keep_fp32) {
  if (precision == Precision::kInt8) return check_int8_graph(model);
  const Graph graph(model);
  Offenders offenders;
  check_quantised(graph, offenders);
  if (precision == Precision::kFp32) {
    check_fp32(model, graph, offenders);
    return offenders.finish("fp32", "export the network in float32, or compile it as what it is");
  }
  HalfCheck check(model, graph, keep_fp32);
  check.run(offenders);
  if (precision == Precision::kMixed) check.find_float32(offenders);
  return offenders.finish(to_string(precision),
                          "export the network in half precision, convert it with skua quantize, or name "
                          "in keep_fp32 what stays float32");
}

std::map<std::string, std::uint64_t> weight_bytes_by_type(const OnnxModel& model) {
  std::map<std::string, std::uint64_t> bytes;
  for (const OnnxTensor* tensor : all_tensors(model))
    bytes[onnx_type_name(tensor->type)] += tensor->payload_bytes;
  return bytes;
}

Status check_weights_still_half(const OnnxModel& source, const OnnxModel& artifact) {
  // Weights that are float32 in the source (keep_fp32) may be fused and renamed, but they do not become more.
  if (large_float32_elements(artifact) <= large_float32_elements(source)) return {};
  std::set<std::string> wide_in_source;
  for (const OnnxTensor* tensor : all_tensors(source)) {
    if (tensor->type == kOnnxFloat) wide_in_source.insert(tensor->name);
  }
  Offenders offenders;
  for (const OnnxTensor* tensor : all_tensors(artifact)) {
    if (is_large_float32(*tensor) && wide_in_source.count(tensor->name) == 0) {
      offenders.add("weights " + quote(tensor->name) + " widened to float32 by the optimiser");
    }
  }
  return offenders.finish("fp16",
                          "this release of ONNX Runtime cannot keep them half: compile the network as fp32");
}

}  // namespace skua::compile
