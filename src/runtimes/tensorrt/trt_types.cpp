#include "runtimes/tensorrt/trt_types.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

namespace skua::tensorrt {
namespace {

using nvinfer1::DataType;

struct TypeRow {
  DataType type;
  std::string_view name;
  std::optional<DType> dtype;
};

constexpr std::array kTypes = {
    TypeRow{DataType::kFLOAT, "kFLOAT", DType::kFloat32}, TypeRow{DataType::kHALF, "kHALF", DType::kFloat16},
    TypeRow{DataType::kINT8, "kINT8", DType::kInt8},      TypeRow{DataType::kINT32, "kINT32", DType::kInt32},
    TypeRow{DataType::kBOOL, "kBOOL", DType::kBool},      TypeRow{DataType::kUINT8, "kUINT8", DType::kUInt8},
    TypeRow{DataType::kINT64, "kINT64", DType::kInt64},   TypeRow{DataType::kFP8, "kFP8", std::nullopt},
    TypeRow{DataType::kBF16, "kBF16", std::nullopt},      TypeRow{DataType::kINT4, "kINT4", std::nullopt},
};

const TypeRow* row_of(DataType type) noexcept {
  const auto* const found =
      std::find_if(kTypes.begin(), kTypes.end(), [type](const TypeRow& row) { return row.type == type; });
  return found == kTypes.end() ? nullptr : found;
}

}  // namespace

std::string name_of(DataType type) {
  const TypeRow* const row = row_of(type);
  return row != nullptr ? std::string(row->name)
                        : "a type of number " + std::to_string(static_cast<std::int32_t>(type));
}

Result<DType> dtype_of(DataType type) {
  const TypeRow* const row = row_of(type);
  if (row != nullptr && row->dtype) return *row->dtype;
  return make_error(ErrorCode::kInvalidArgument, Reason::kDtypeMismatch,
                    "expected an element type that a tensor can have, found TensorRT's " + name_of(type));
}

std::optional<DataType> data_type_of(DType dtype) noexcept {
  for (const TypeRow& row : kTypes) {
    if (row.dtype == dtype) return row.type;
  }
  return std::nullopt;
}

nvinfer1::Dims dims_of(const Shape& shape) noexcept {
  static_assert(Shape::kMaxRank <= nvinfer1::Dims::MAX_DIMS);
  nvinfer1::Dims dims{};
  dims.nbDims = static_cast<std::int32_t>(shape.rank());
  for (std::size_t axis = 0; axis < shape.rank(); ++axis) dims.d[axis] = shape[axis];
  return dims;
}

bool read_shape(const nvinfer1::Dims& dims, Shape& shape) noexcept {
  if (dims.nbDims < 0 || dims.nbDims > static_cast<std::int32_t>(Shape::kMaxRank)) return false;
  // Every prefix of a shape is one; `Shape` has no constructor for a rank that is known at run time alone.
  auto read = Shape::from(std::span(dims.d, static_cast<std::size_t>(dims.nbDims)));
  if (!read.ok()) return false;
  shape = *read;
  return true;
}

Result<Shape> shape_of(const nvinfer1::Dims& dims) {
  Shape shape;
  if (read_shape(dims, shape)) return shape;
  return make_error(ErrorCode::kInvalidArgument, Reason::kShapeMismatch,
                    "expected a shape of at most " + std::to_string(Shape::kMaxRank) +
                        " dimensions from TensorRT, found a rank of " + std::to_string(dims.nbDims));
}

}  // namespace skua::tensorrt
