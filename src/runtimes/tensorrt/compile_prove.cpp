// The plan runs as it will in flight: at the ends of its profiles, and on the golden inputs.
#include "compile/golden_steps.h"
#include "compile/trial_runs.h"
#include "runtimes/tensorrt/compile_steps.h"
#include "runtimes/tensorrt/trt_execution.h"

namespace skua::tensorrt {
namespace {

Result<std::unique_ptr<TrtExecution>> place_lane(CompileState& state) {
  const RuntimeConfig& config = state.request.config;
  LaneSettings settings;
  settings.wait = wait_mode_of(config);
  settings.uses_graphs = config.tensorrt_cuda_graphs;
  SKUA_ASSIGN_OR_RETURN(settings.io, IoPolicy::from(config, state.device->is_integrated));
  settings.clock = &system_clock();
  auto execution = std::make_unique<TrtExecution>(state.plan, settings);
  // Placing takes names and capacities from the record, as at load; its name is not settled before the last
  // step.
  EngineRecord record = state.record;
  record.model = state.request.model_name;
  SKUA_RETURN_IF_ERROR(execution->place(record));
  return execution;
}

}  // namespace

Status try_and_compare(CompileState& state) {
  SKUA_ASSIGN_OR_RETURN(const auto execution, place_lane(state));
  SKUA_RETURN_IF_ERROR(compile::run_trials(state, *execution));
  SKUA_RETURN_IF_ERROR(compile::compare_with_golden(state, *execution));
  if (state.samples) {
    SKUA_RETURN_IF_ERROR(compile::judge_accuracy(state, state.samples->judging, *state.reference,
                                                 state.reference_path(), *execution, state.progress));
  }
  std::error_code ignored;
  std::filesystem::remove_all(state.reference_path(), ignored);
  const std::string_view why = execution->graph_reason();
  state.record.proof["cuda_graph"] =
      execution->has_graph() ? "yes" : "no: " + std::string(why.empty() ? "not made" : why);
  return {};
}

}  // namespace skua::tensorrt
