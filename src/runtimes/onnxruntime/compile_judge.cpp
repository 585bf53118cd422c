// The steps of int8 and mixed: the samples, where the model comes from, and the comparison with its float32
// source, which is compiled and run beside it, by the same library with nothing quantised.
#include "compile/precision_stamp.h"
#include "compile/reference.h"
#include "runtimes/onnxruntime/compile_steps.h"

namespace skua::ort {
namespace {

/// The samples of a build of int8 or mixed; or of their reference.
std::optional<Precision> judged_precision(const CompileRequest& request) {
  if (request.values_for) return request.values_for;
  if (compile::is_judged(request.build.precision)) return request.build.precision;
  return std::nullopt;
}

/// The ranges are inside the model: its digest stands where a cache's would.
void record_origin(CompileState& state, const compile::PrecisionStamp& stamp) {
  CalibrationProvenance& origin = state.record.calibration.emplace();
  origin.dataset_sha256 = state.samples->calibrating.set.digest;
  origin.sample_count = stamp.sample_count;
  origin.cache_sha256 = state.record.model_sha256;
  origin.algorithm = stamp.algorithm;
  origin.producer = stamp.producer;
}

/// Nobody has said which float32 network this one was made from but its stamp.
Status check_source(const CompileState& state, const Sha256& found) {
  SKUA_ASSIGN_OR_RETURN(const auto stamp, compile::stamp_of(state.source));
  if (stamp->source_sha256 == found) return {};
  return build_error(Reason::kCalibrationMismatch,
                     "fp32_source " + state.request.build.fp32_source->string() +
                         ": expected the network that the model was made from, " +
                         stamp->source_sha256.hex() + ", found " + found.hex() + "; give that one");
}

Status judge_beside_reference(CompileState& state) {
  // Beside the artifact, under names of its own: a build without a device may make no folder.
  const std::filesystem::path& folder = state.request.staging_dir;
  const auto reference = compile_onnx(
      compile::reference_request(state, compile::float32_source(state.request), Precision::kFp32, folder),
      state.progress);
  if (!reference.ok()) {
    return build_error(reference.error().reason, "the float32 source: " + reference.error().message);
  }
  SKUA_RETURN_IF_ERROR(check_source(state, reference->model_sha256));
  SKUA_ASSIGN_OR_RETURN(const auto engine,
                        load_engine(state.library, state.request.config, state.artifact, state.record));
  SKUA_ASSIGN_OR_RETURN(const auto execution, engine->create_execution());
  return compile::judge_accuracy(state, state.samples->judging, folder, *execution, state.progress);
}

Status leave_values(CompileState& state) {
  SKUA_ASSIGN_OR_RETURN(const auto engine,
                        load_engine(state.library, state.request.config, state.artifact, state.record));
  SKUA_ASSIGN_OR_RETURN(const auto execution, engine->create_execution());
  return compile::write_values(state, state.samples->judging, *execution, state.progress);
}

}  // namespace

Status read_samples(CompileState& state) {
  const CompileRequest& request = state.request;
  const auto precision = judged_precision(request);
  if (!precision) return {};
  SKUA_ASSIGN_OR_RETURN(state.samples, compile::open_samples(request, *precision, state.progress));
  if (request.values_for) return {};
  if (!request.build.fp32_source) {
    return build_error(Reason::kReferenceUnavailable,
                       "precision " + std::string(to_string(*precision)) +
                           ": expected fp32_source, the float32 network that the model was made from, found "
                           "none; the artifact is compared with it");
  }
  SKUA_ASSIGN_OR_RETURN(const auto stamp, compile::stamp_of(state.source));
  SKUA_RETURN_IF_ERROR(compile::check_stamp(stamp, *precision, state.samples->calibrating.set.digest));
  record_origin(state, *stamp);
  return {};
}

Status judge_by_samples(CompileState& state) {
  if (!state.samples) return {};
  return state.request.values_for ? leave_values(state) : judge_beside_reference(state);
}

}  // namespace skua::ort
