#include "calibration/sample_check.h"

#include <algorithm>
#include <cmath>

#include "cache/half.h"
#include "calibration/data_set.h"
#include "core/text.h"

namespace skua::calibration {
namespace {

constexpr std::size_t kShownBytes = 400;  // of a name or a cause, which are foreign text

std::string asked_shape(const TensorSpec& input) {
  const bool has_max = input.max_shape.rank() == input.shape.rank() && !input.shape.is_static();
  return input.shape.to_string() + (has_max ? " and at most " + input.max_shape.to_string() : "");
}

bool takes(const TensorSpec& input, const Shape& shape) {
  if (shape.rank() != input.shape.rank()) return false;
  const bool has_max = input.max_shape.rank() == input.shape.rank();
  for (std::size_t axis = 0; axis < shape.rank(); ++axis) {
    const std::int64_t fixed = input.shape[axis];
    if (fixed >= 0 ? shape[axis] != fixed : has_max && shape[axis] > input.max_shape[axis]) return false;
  }
  return true;
}

template <typename T, typename Judge>
bool all_of(const TensorView& values, Judge judge) {
  const auto elements = values.as<T>();
  return std::all_of(elements.begin(), elements.end(), judge);
}

}  // namespace

Error malformed(const std::string& where, const std::string& expected, const std::string& found,
                std::string_view remedy) {
  if (remedy.empty() && where == kPreprocessName) remedy = "change it, or give the network that it is for";
  if (remedy.empty()) remedy = "a data set holds samples and nothing else: repair this or take it out";
  return make_error(
      ErrorCode::kEngineBuild, Reason::kDataSetMalformed,
      "data set, " + where + ": expected " + expected + ", found " + found + "; " + std::string(remedy));
}

Error malformed(const std::string& where, const Error& cause) {
  return make_error(ErrorCode::kEngineBuild, Reason::kDataSetMalformed,
                    "data set, " + where + ": " + cause.message, cause.native_code);
}

Status check_input(const TensorSpec& input, DType dtype, const Shape& shape, const std::string& where) {
  const std::string name = " for input " + quote(input.name, kShownBytes);
  if (dtype != input.dtype) {
    return malformed(where, std::string(to_string(input.dtype)) + name, std::string(to_string(dtype)));
  }
  const auto dims = shape.dims();
  if (std::find(dims.begin(), dims.end(), 0) != dims.end()) {
    return malformed(where, "values" + name, "an empty array");
  }
  if (takes(input, shape)) return {};
  return malformed(where, "shape " + asked_shape(input) + name, shape.to_string());
}

Status check_finite(const std::string& input, const TensorView& values, const std::string& where) {
  bool is_finite = true;
  if (values.dtype == DType::kFloat16) is_finite = all_of<std::uint16_t>(values, is_finite_half);
  if (values.dtype == DType::kFloat32)
    is_finite = all_of<float>(values, [](float value) { return std::isfinite(value); });
  if (values.dtype == DType::kFloat64)
    is_finite = all_of<double>(values, [](double value) { return std::isfinite(value); });
  if (is_finite) return {};
  return malformed(where, "finite values for input " + quote(input, kShownBytes), "NaN or infinity");
}

}  // namespace skua::calibration
