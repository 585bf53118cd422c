#include "onnx/model_tensors.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/text.h"

namespace skua {
namespace {

constexpr std::array<std::pair<std::int32_t, DType>, 12> kTypes = {{
    {kOnnxFloat, DType::kFloat32},
    {2, DType::kUInt8},
    {3, DType::kInt8},
    {4, DType::kUInt16},
    {5, DType::kInt16},
    {6, DType::kInt32},
    {7, DType::kInt64},
    {9, DType::kBool},
    {kOnnxHalf, DType::kFloat16},
    {kOnnxDouble, DType::kFloat64},
    {12, DType::kUInt32},
    {13, DType::kUInt64},
}};

Error unsupported_input(const std::string& name, const std::string& found) {
  return make_error(
      ErrorCode::kEngineBuild, Reason::kModelUnsupported,
      "input " + quote(name) +
          ": expected a dense tensor of a numeric or bool type with at most 8 dimensions, found " + found +
          "; change the model");
}

}  // namespace

std::optional<DType> dtype_of_onnx(std::int32_t type) noexcept {
  const auto found =
      std::find_if(kTypes.begin(), kTypes.end(), [type](const auto& pair) { return pair.first == type; });
  if (found == kTypes.end()) return std::nullopt;
  return found->second;
}

Result<ModelTensor> input_of(const OnnxValue& value) {
  ModelTensor tensor;
  tensor.spec.name = value.name;
  const auto dtype = dtype_of_onnx(value.type);
  if (!dtype) return unsupported_input(value.name, "ONNX element type " + std::to_string(value.type));
  tensor.spec.dtype = *dtype;
  if (!value.has_shape) return unsupported_input(value.name, "a tensor of unknown rank");
  std::vector<std::int64_t> dims;
  for (const OnnxDim& dim : value.dims) {
    dims.push_back(std::max<std::int64_t>(dim.value, -1));
    tensor.symbols.push_back(dim.value < 0 ? dim.symbol : "");
  }
  auto shape = Shape::from(dims);
  if (!shape.ok()) return unsupported_input(value.name, std::to_string(dims.size()) + " dimensions");
  tensor.spec.shape = *shape;
  return tensor;
}

}  // namespace skua
