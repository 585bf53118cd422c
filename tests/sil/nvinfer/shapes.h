// Shapes of outputs from shapes and values of inputs.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "messages.h"
#include "onnx_graph.h"

namespace sil::infer {

/// What is known of a network's inputs, by their names in the model.
struct InputFacts {
  std::map<std::string, std::vector<std::int64_t>> dims;
  std::map<std::string, std::vector<std::int64_t>> values;

  bool operator<(const InputFacts& other) const {
    return dims != other.dims ? dims < other.dims : values < other.values;
  }
};

using ShapeTable = std::map<std::string, std::vector<std::int64_t>>;

/// The shapes of `outputs` of `model`; -1 where only a run can tell. False with the reason in `error`.
bool infer_shapes(const OnnxModel& model, const InputFacts& inputs, const std::vector<std::string>& outputs,
                  ShapeTable& shapes, std::string& error);

/// The most memory that the tensors around one layer take.
std::int64_t activation_bytes(const OnnxModel& model, const ShapeTable& shapes, const InputFacts& inputs);

/// A bound for every dimension that only a run decides.
std::int64_t data_dependent_bound(const OnnxModel& model, const ShapeTable& shapes, const InputFacts& inputs);

}  // namespace sil::infer
