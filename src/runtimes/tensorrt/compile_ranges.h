// What a precision needs of the source graph: the ranges of int8, and from TensorRT 11 on the types
// themselves.
#pragma once

#include "onnx/onnx_model.h"
#include "runtimes/tensorrt/compile_calibrator.h"
#include "runtimes/tensorrt/compile_options.h"
#include "skua/build_config.h"

namespace skua::tensorrt {

/// Where int8's ranges come from; kNone for another precision. EngineBuildError, precision_not_supported, for
/// a quantised graph under another precision, for int8 that has no ranges at all, and for a tool without a
/// cache: trtexec invents ranges then, or calibrates on noise, and Polygraphy on random data.
Result<RangeSource> range_source(const OnnxModel& source, const BuildConfig& build,
                                 const CalibrationJob& calibration);

/// Releases that are strongly typed (`major`) build what stands in the graph: EngineBuildError,
/// precision_not_supported, with the way to convert a graph that is float32. True for older ones, which
/// choose layer by layer.
Status check_typed_graph(const OnnxModel& source, const BuildConfig& build, int major);

/// By the nodes' names; TensorRT's parser calls one without a name after its first output, "node_of_y".
std::map<std::string, std::string> operators_of(const OnnxModel& source);

}  // namespace skua::tensorrt
