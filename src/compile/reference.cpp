#include "compile/reference.h"

#include "compile/graph_precision.h"

namespace skua::compile {

Precision precision_of_source(const OnnxModel& source) {
  return is_half(source) ? Precision::kFp16 : Precision::kFp32;
}

CompileRequest reference_request(const Compilation& compilation, const std::filesystem::path& model,
                                 Precision precision, const std::filesystem::path& folder) {
  const CompileRequest& own = compilation.request;
  CompileRequest request;
  request.runtime_label = kReferenceRuntime;
  request.model_path = model;
  request.staging_dir = folder;
  request.artifact_name = kReferenceArtifact;
  request.model_name = own.model_name;
  request.build.precision = precision;
  if (precision == Precision::kFp16) request.build.keep_fp32 = own.build.keep_fp32;
  request.build.optimization_profiles = own.build.optimization_profiles;
  request.build.max_output_shapes = own.build.max_output_shapes;
  request.config = own.config;
  request.config.runtime = kReferenceRuntime;
  request.config.execution_provider = "cpu";
  request.host = own.host;
  if (!is_judged(own.build.precision) || !own.build.calibration_dataset) return request;
  request.build.calibration_dataset = own.build.calibration_dataset;
  request.build.accuracy_dataset = own.build.accuracy_dataset;
  request.values_for = own.build.precision;
  return request;
}

Error of_reference(Error error) {
  error.message = "the float32 source: " + error.message;
  return error;
}

}  // namespace skua::compile
