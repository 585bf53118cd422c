// The inputs and outputs of a network, with the names that their dynamic dimensions bear.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "onnx/onnx_model.h"
#include "skua/tensor.h"

namespace skua {

/// One input or output: its description, and the names that its dynamic dimensions carry.
struct ModelTensor {
  TensorSpec spec;                   ///< max_shape is left empty
  std::vector<std::string> symbols;  ///< one per dimension; empty for a static or an unnamed one
};

struct ModelTensors {
  std::vector<ModelTensor> inputs, outputs;
};

/// nullopt for an ONNX element type that Skua's tensors do not have (string, complex, bfloat16, float8,
/// int4).
std::optional<DType> dtype_of_onnx(std::int32_t type) noexcept;

/// What an ONNX file says of one of its inputs. EngineBuildError, model_unsupported: an element type without
/// a DType, unknown rank, more than eight dimensions.
Result<ModelTensor> input_of(const OnnxValue& value);

}  // namespace skua
