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
  if (is_judged(request.build.precision)) return request.build.precision;
  return std::nullopt;
}

Status judge_beside_reference(CompileState& state) {
  // Beside the artifact, under names of its own: a build without a device may make no folder.
  const std::filesystem::path& folder = state.request.staging_dir;
  auto reference = compile_onnx(
      compile::reference_request(state, *state.request.build.fp32_source, Precision::kFp32, folder),
      state.progress);
  if (!reference.ok()) return compile::of_reference(std::move(reference).error());
  SKUA_RETURN_IF_ERROR(compile::check_source(*state.stamp, *reference));
  SKUA_ASSIGN_OR_RETURN(const auto engine,
                        load_engine(state.library, state.request.config, state.artifact, state.record));
  SKUA_ASSIGN_OR_RETURN(const auto execution, engine->create_execution());
  return compile::judge_accuracy(state, state.samples->judging, *reference, folder, *execution,
                                 state.progress);
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
  SKUA_ASSIGN_OR_RETURN(state.stamp, compile::settle_stamp(state, state.source, *state.samples));
  return {};
}

Status judge_by_samples(CompileState& state) {
  if (!state.samples) return {};
  return state.request.values_for ? leave_values(state) : judge_beside_reference(state);
}

}  // namespace skua::ort
