// Element types and shapes: TensorRT's to ours and back.
#pragma once

#include <NvInferRuntime.h>

#include <optional>

#include "skua/tensor.h"

namespace skua::tensorrt {

/// InvalidArgumentError (dtype_mismatch) for a type that no tensor of ours can have (bfloat16, float8, int4,
/// ...).
Result<DType> dtype_of(nvinfer1::DataType type);
/// Nothing for a type that TensorRT does not have as an input or output (float64, int16, ...).
std::optional<nvinfer1::DataType> data_type_of(DType dtype) noexcept;
/// TensorRT's own name of the type, e.g. "kBF16"; "a type of number 17" for one that this release does not
/// know.
std::string name_of(nvinfer1::DataType type);

/// A dimension that a profile or the data decide is -1 on both sides.
nvinfer1::Dims dims_of(const Shape& shape) noexcept;
/// InvalidArgumentError (shape_mismatch) for an unknown rank (-1), which is also TensorRT's answer to a wrong
/// name.
Result<Shape> shape_of(const nvinfer1::Dims& dims);
/// The same without a text, for the frame loop: false leaves `shape` as it was.
bool read_shape(const nvinfer1::Dims& dims, Shape& shape) noexcept;

}  // namespace skua::tensorrt
