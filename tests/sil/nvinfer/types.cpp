#include "types.h"

#include <algorithm>
#include <limits>

#include "onnx_graph.h"

namespace sil::infer {

using nvinfer1::DataType;
using nvinfer1::Dims;

std::optional<DataType> data_type_of(int onnx_type) {
  switch (onnx_type) {
    case kOnnxFloat:
    case kOnnxDouble:
      return DataType::kFLOAT;
    case kOnnxHalf:
      return DataType::kHALF;
    case kOnnxBfloat16:
      return DataType::kBF16;
    case kOnnxInt8:
      return DataType::kINT8;
    case kOnnxUint8:
      return DataType::kUINT8;
    case kOnnxInt32:
      return DataType::kINT32;
    case kOnnxInt64:
      return DataType::kINT64;
    case kOnnxBool:
      return DataType::kBOOL;
    default:
      return std::nullopt;
  }
}

std::int64_t bytes_of(DataType type) {
  if (type == DataType::kINT64) return 8;
  if (type == DataType::kFLOAT || type == DataType::kINT32) return 4;
  return type == DataType::kHALF || type == DataType::kBF16 ? 2 : 1;
}

const char* inspector_name(DataType type) {
  constexpr const char* kNames[] = {"FP32",  "FP16", "Int8", "Int32", "Bool",
                                    "UInt8", "FP8",  "BF16", "Int64", "Int4"};
  return kNames[static_cast<int>(type)];
}

Dims dims_of(const std::vector<std::int64_t>& dims) {
  Dims result{};
  result.nbDims = static_cast<std::int32_t>(std::min<std::size_t>(dims.size(), Dims::MAX_DIMS));
  for (std::int32_t axis = 0; axis < result.nbDims; ++axis)
    result.d[axis] = dims[static_cast<std::size_t>(axis)];
  return result;
}

std::vector<std::int64_t> vector_of(const Dims& dims) {
  return {dims.d, dims.d + std::clamp(dims.nbDims, 0, Dims::MAX_DIMS)};
}

bool is_same(const Dims& a, const Dims& b) { return vector_of(a) == vector_of(b) && a.nbDims == b.nbDims; }

bool is_static(const Dims& dims) {
  return dims.nbDims >= 0 && std::all_of(dims.d, dims.d + dims.nbDims, [](std::int64_t d) { return d >= 0; });
}

std::int64_t volume_of(const Dims& dims) {
  std::int64_t volume = 1;
  for (std::int32_t axis = 0; axis < dims.nbDims; ++axis) {
    if (__builtin_mul_overflow(volume, dims.d[axis], &volume))
      return std::numeric_limits<std::int64_t>::max();
  }
  return volume;
}

}  // namespace sil::infer
