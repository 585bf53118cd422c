// Whether a graph is int8 in the explicit form (QuantizeLinear and DequantizeLinear around products) that
// TensorRT's parser takes and ONNX Runtime computes.
#pragma once

#include <cstddef>

#include "onnx/onnx_model.h"

namespace skua::compile {

/// Convolutions and matrix products: nearly all of a network's arithmetic.
struct ProductCount {
  std::size_t quantised = 0;  ///< both factors come out of a DequantizeLinear
  std::size_t all = 0;
};
ProductCount count_products(const OnnxModel& model);

/// At least one product is quantised; every zero point and quantised weight is int8; no operator computes
/// with quantised values under its own name (QLinearConv, MatMulInteger, ...). EngineBuildError,
/// precision_not_supported, naming the first offenders and the remedy. That zero points are zero and scales
/// positive is checked where the graph is made (python/skua_precision/int8_form.py).
Status check_int8_graph(const OnnxModel& model);

}  // namespace skua::compile
