#include "shapes.h"

#include <algorithm>

#include "onnx_edit.h"
#include "ort_model.h"

namespace sil::infer {
namespace {

constexpr std::int64_t kWidestElement = 8;
constexpr std::int64_t kAlignment = 512;

std::int64_t elements_of(const std::vector<std::int64_t>& dims) {
  std::int64_t count = 1;
  for (const std::int64_t dim : dims) {
    if (__builtin_mul_overflow(count, std::max<std::int64_t>(dim, 1), &count))
      return INT64_MAX / kWidestElement;
  }
  return count;
}

std::int64_t elements_of(const std::string& name, const OnnxModel& model, const ShapeTable& shapes,
                         const InputFacts& inputs) {
  if (const auto found = shapes.find(name); found != shapes.end()) return elements_of(found->second);
  if (const auto found = inputs.dims.find(name); found != inputs.dims.end())
    return elements_of(found->second);
  const OnnxTensor* const weights = model.graph.initializer(name);
  return weights == nullptr ? 1 : weights->elements();
}

bool gives_data_dependent_shapes(const std::string& op) {
  return op == "NonZero" || op == "NonMaxSuppression" || op == "Compress" || op == "Unique";
}

}  // namespace

bool infer_shapes(const OnnxModel& model, const InputFacts& inputs, const std::vector<std::string>& outputs,
                  ShapeTable& shapes, std::string& error) {
  ModelEdit edit;
  edit.input_dims = inputs.dims;
  edit.input_values = inputs.values;
  edit.outputs = outputs;
  edit.drops_weights = true;
  edit.splits_comparisons = true;
  // Folding of constants makes sizes out of Shape and its like.
  const auto session = OrtModel::open(edited_model(model, edit), OrtLevel::kBasic, error);
  if (session == nullptr) return false;
  for (const OrtTensorType& output : session->outputs()) shapes[output.name] = output.dims;
  return true;
}

std::int64_t activation_bytes(const OnnxModel& model, const ShapeTable& shapes, const InputFacts& inputs) {
  std::int64_t most = 0;
  for (const OnnxNode& node : model.graph.nodes) {
    std::int64_t bytes = 0;
    for (const auto* names : {&node.inputs, &node.outputs}) {
      for (const std::string& name : *names) {
        if (name.empty() || model.graph.initializer(name) != nullptr) continue;
        bytes += elements_of(name, model, shapes, inputs) * 4;
      }
    }
    most = std::max(most, bytes);
  }
  return (most + kAlignment) / kAlignment * kAlignment;
}

std::int64_t data_dependent_bound(const OnnxModel& model, const ShapeTable& shapes,
                                  const InputFacts& inputs) {
  std::int64_t bound = 1;
  for (const OnnxNode& node : model.graph.nodes) {
    if (!gives_data_dependent_shapes(node.op) || node.inputs.empty()) continue;
    // Non-maximum suppression selects from its scores, the others from their first operand.
    const std::size_t operand = node.op == "NonMaxSuppression" && node.inputs.size() > 1 ? 1 : 0;
    bound = std::max(bound, elements_of(node.inputs[operand], model, shapes, inputs));
  }
  return bound;
}

}  // namespace sil::infer
