// Steps 7 and 8: golden vectors. Expected values come from the user's file, or from the source model on the
// CPU with the optimiser off; never from the artifact that they are to judge.
#include "compile/golden_steps.h"
#include "compile/trial_inputs.h"
#include "runtimes/onnxruntime/compile_sessions.h"
#include "runtimes/onnxruntime/compile_steps.h"

namespace skua::ort {
namespace {

Error no_reference(const Error& error) {
  if (error.reason == Reason::kOutputOverflow) {
    return build_error(error.reason,
                       "golden vectors: on made-up inputs an output is larger than its capacity; raise "
                       "max_output_shapes, or give golden vectors of your own (build.golden)");
  }
  if (error.code == ErrorCode::kOutOfMemory) {
    return make_error(error.code, error.reason,
                      "golden vectors: the source model needs more memory than there is for it",
                      error.native_code);
  }
  return make_error(ErrorCode::kEngineBuild, Reason::kReferenceUnavailable,
                    "golden vectors: the source model does not run on made-up inputs: " + error.describe() +
                        "; give golden vectors of your own (build.golden)",
                    error.native_code);
}

// With its optimiser off this release cannot load some half graphs (it makes an ill-typed Cast of its own);
// the lowest level then has to do, and the origin says so.
Result<std::shared_ptr<const Session>> reference_session(CompileState& state) {
  const std::string library = "onnxruntime " + state.library->version() + " cpu, ";
  auto session = create_source_session(state, reference_plan("disabled"));
  state.record.golden.origin = library + "optimiser off";
  if (session.ok()) return session;
  session = create_source_session(state, reference_plan("basic"));
  state.record.golden.origin = library + "basic optimisation";
  if (!session.ok()) return no_reference(session.error());
  return session;
}

Status feed_made_up(CompileState& state, Execution& execution) {
  for (std::size_t i = 0; i < state.record.inputs.size(); ++i) {
    const std::string& name = state.record.inputs[i].name;
    compile::fill_trial_input(execution.input(i), state.record.model_sha256, name);
    SKUA_RETURN_IF_ERROR(compile::keep_copy(state.golden.inputs, name, execution.input(i)));
  }
  return {};
}

// Calibrated ranges mean something for inputs like those that they were made from, and for no others.
Status feed_sample(CompileState& state, Execution& execution) {
  const compile::Samples& samples = state.samples->judging;
  SKUA_ASSIGN_OR_RETURN(const auto reader, compile::reader_of(samples, state.record));
  SKUA_ASSIGN_OR_RETURN(state.golden.inputs,
                        compile::read_sample(state.record, reader, samples.files.front()));
  return compile::feed(state.record, state.golden.inputs, execution);
}

Status compute_golden(CompileState& state) {
  SKUA_ASSIGN_OR_RETURN(const auto session, reference_session(state));
  SKUA_ASSIGN_OR_RETURN(const auto execution, create_execution(session, state.record));
  SKUA_RETURN_IF_ERROR(state.samples ? feed_sample(state, *execution) : feed_made_up(state, *execution));
  if (Status ran = execution->run(std::nullopt); !ran.ok()) return no_reference(ran.error());
  for (std::size_t i = 0; i < state.record.outputs.size(); ++i) {
    SKUA_RETURN_IF_ERROR(
        compile::keep_copy(state.golden.outputs, state.record.outputs[i].name, execution->output(i)));
  }
  return {};
}

}  // namespace

Status make_golden(CompileState& state) {
  SKUA_RETURN_IF_ERROR(compile::settle_tolerances(state));
  SKUA_RETURN_IF_ERROR(state.request.build.golden ? compile::read_golden(state) : compute_golden(state));
  return compile::write_golden(state);
}

Status compare_with_golden(CompileState& state) {
  SKUA_ASSIGN_OR_RETURN(const auto engine,
                        load_engine(state.library, state.request.config, state.artifact, state.record));
  SKUA_ASSIGN_OR_RETURN(const auto execution, engine->create_execution());
  return compile::compare_with_golden(state, *execution);
}

}  // namespace skua::ort
