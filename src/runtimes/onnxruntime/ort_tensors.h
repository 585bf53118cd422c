// Element types, and what a session says of its inputs and outputs.
#pragma once

#include <onnxruntime_c_api.h>

#include <optional>

#include "onnx/model_tensors.h"
#include "runtimes/onnxruntime/ort_library.h"
#include "skua/tensor.h"

namespace skua::ort {

/// nullopt for an element type that Skua's tensors do not have (string, complex, bfloat16, float8, int4).
std::optional<DType> dtype_of(ONNXTensorElementDataType type) noexcept;
ONNXTensorElementDataType element_type_of(DType dtype) noexcept;

using SessionTensor = ModelTensor;
using SessionTensors = ModelTensors;

/// Reads names, dtypes and shapes back from a session. A type that Skua has no tensor for is
/// model_unsupported, as `refusal_code`.
Result<SessionTensors> tensors_of(const OrtLibrary& library, const OrtSession* session,
                                  ErrorCode refusal_code);

}  // namespace skua::ort
