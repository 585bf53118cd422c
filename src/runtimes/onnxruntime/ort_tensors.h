// Element types, and what a session says of its inputs and outputs.
#pragma once

#include <onnxruntime_c_api.h>

#include <optional>
#include <string>
#include <vector>

#include "runtimes/onnxruntime/ort_library.h"
#include "skua/tensor.h"

namespace skua::ort {

/// nullopt for an element type that Skua's tensors do not have (string, complex, bfloat16, float8, int4).
std::optional<DType> dtype_of(ONNXTensorElementDataType type) noexcept;
ONNXTensorElementDataType element_type_of(DType dtype) noexcept;

/// One input or output of a session: its description, and the names that its dynamic dimensions carry.
struct SessionTensor {
  TensorSpec spec;                   ///< max_shape is left empty
  std::vector<std::string> symbols;  ///< one per dimension; empty for a static or an unnamed one
};

struct SessionTensors {
  std::vector<SessionTensor> inputs, outputs;
};

/// Reads names, dtypes and shapes back from a session. A type that Skua has no tensor for is
/// model_unsupported, as `refusal_code`.
Result<SessionTensors> tensors_of(const OrtLibrary& library, const OrtSession* session,
                                  ErrorCode refusal_code);

}  // namespace skua::ort
