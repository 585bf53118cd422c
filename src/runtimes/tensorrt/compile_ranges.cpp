#include "runtimes/tensorrt/compile_ranges.h"

#include <algorithm>

#include "compile/compilation.h"
#include "compile/graph_precision.h"

namespace skua::tensorrt {
namespace {

Error wrong_precision(Precision precision, const std::string& text) {
  return compile::build_error(Reason::kPrecisionNotSupported,
                              "precision " + std::string(to_string(precision)) + ": " + text);
}

Error convert_first(Precision precision, int major) {
  return wrong_precision(
      precision, "TensorRT " + std::to_string(major) +
                     " has no builder flag for it any more, precision stands in the graph alone, and this "
                     "graph is float32; convert it first with skua quantize --precision " +
                     std::string(to_string(precision)));
}

Result<RangeSource> ranges_of_tool(const BuildConfig& build, const CalibrationJob& calibration) {
  const std::string tool(to_string(build.build_route));
  if (!calibration.cache)
    return wrong_precision(
        build.precision,
        "build_route " + tool +
            ": expected a calibration cache or Q/DQ nodes, found none, so that the tool would "
            "make ranges up or calibrate on noise; calibrate with build_route builder first, "
            "or convert the model with skua quantize --precision int8");
  if (build.build_route == BuildRoute::kTrtexec && calibration.algorithm != calibration::Algorithm::kEntropy2)
    return wrong_precision(build.precision,
                           "build_route trtexec takes caches of EntropyCalibration2 alone, found one of " +
                               std::string(calibration::to_string(calibration.algorithm)) +
                               "; use build_route builder");
  return RangeSource::kCache;
}

}  // namespace

Result<RangeSource> range_source(const OnnxModel& source, const BuildConfig& build,
                                 const CalibrationJob& calibration) {
  const bool is_int8 = build.precision == Precision::kInt8;
  if (compile::is_quantised(source)) {
    if (is_int8) return RangeSource::kGraph;
    return wrong_precision(
        build.precision,
        "the model is quantised (Q/DQ nodes); compile it as int8, or give the network as it "
        "was before");
  }
  if (!is_int8) return RangeSource::kNone;
  if (build.build_route != BuildRoute::kBuilder) return ranges_of_tool(build, calibration);
  if (calibration.cache) return RangeSource::kCache;
  if (calibration.samples) return RangeSource::kSamples;
  return wrong_precision(
      build.precision,
      "expected the ranges of its values, found neither Q/DQ nodes in the graph nor samples "
      "or a cache to calibrate with; give a calibration data set, or convert the model with "
      "skua quantize --precision int8");
}

Status check_typed_graph(const OnnxModel& source, const BuildConfig& build, int major) {
  if (major < kFirstStronglyTypedMajor || build.precision == Precision::kFp32) return {};
  const bool is_int8 = build.precision == Precision::kInt8;
  if (is_int8 ? !compile::is_quantised(source) : !compile::is_half(source))
    return convert_first(build.precision, major);
  if (is_int8) return {};
  return compile::check_graph_precision(source, Precision::kFp16, build.keep_fp32);
}

std::map<std::string, std::string> operators_of(const OnnxModel& source) {
  std::map<std::string, std::string> operators;
  for (const OnnxNode* node : all_nodes(source)) {
    if (node->outputs.empty()) continue;
    operators[node->name.empty() ? "node_of_" + node->outputs.front() : node->name] = node->op_type;
  }
  return operators;
}

}  // namespace skua::tensorrt
