// Element types and sizes.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "NvInferRuntime.h"

namespace sil::infer {

/// DOUBLE becomes kFLOAT, as the parser does it; nothing for a type without a counterpart.
std::optional<nvinfer1::DataType> data_type_of(int onnx_type);
std::int64_t bytes_of(nvinfer1::DataType type);
/// "FP32", "FP16", ... as the inspector names them.
const char* inspector_name(nvinfer1::DataType type);

nvinfer1::Dims dims_of(const std::vector<std::int64_t>& dims);
std::vector<std::int64_t> vector_of(const nvinfer1::Dims& dims);
bool is_same(const nvinfer1::Dims& a, const nvinfer1::Dims& b);
/// False when a size is not known.
bool is_static(const nvinfer1::Dims& dims);
/// Of known sizes; saturates.
std::int64_t volume_of(const nvinfer1::Dims& dims);

}  // namespace sil::infer
