// Golden vectors, the choice of the graph, memory, and the proof that the artifact reproduces them.
#include <time.h>

#include <algorithm>
#include <cstring>

#include "compile/golden_steps.h"
#include "compile/resident_memory.h"
#include "compile/trial_inputs.h"
#include "compile/trial_runs.h"
#include "core/profile_check.h"
#include "runtimes/pytorch/compile_steps.h"
#include "runtimes/pytorch/record_options.h"

namespace skua::pytorch {
namespace {

using compile::build_error;

/// From the source, in single precision, as its graph is written.
Status compute_golden(CompileState& state) {
  SKUA_ASSIGN_OR_RETURN(const auto module,
                        state.bridge.open_trial(state.source_bytes, CompileState::reference_plan()));
  std::vector<TensorView> views;
  for (const TensorSpec& spec : state.record.inputs) {
    SKUA_ASSIGN_OR_RETURN(Tensor tensor,
                          Tensor::allocate(spec.dtype, opt_shape_of(state.record.profiles, spec)));
    compile::fill_trial_input(tensor.view(), state.record.model_sha256, spec.name);
    views.push_back(tensor.view());
    SKUA_RETURN_IF_ERROR(state.golden.inputs.insert(spec.name, std::move(tensor)));
  }
  auto outputs = module->run(views);
  if (!outputs.ok()) return std::move(outputs).error();
  const bool is_dict = state.converted.interface.outputs.empty();
  for (std::size_t i = 0; i < state.record.outputs.size(); ++i) {
    const std::string& name = state.record.outputs[i].name;
    const auto named =
        std::find_if(outputs->begin(), outputs->end(), [&](const auto& each) { return each.name == name; });
    TrialOutput& output = is_dict ? *named : (*outputs)[i];
    SKUA_RETURN_IF_ERROR(state.golden.outputs.insert(name, std::move(output.tensor)));
  }
  state.record.golden.origin = "libtorch " + state.facts.version + " cpu, fp32 source, no optimiser";
  return {};
}

double thread_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

Result<double> time_one(Execution& execution) {
  const double start = thread_seconds();
  if (Status ran = execution.run(std::nullopt); !ran.ok()) {
    return build_error(ran.error().reason, "the run on the golden inputs failed: " + ran.error().describe());
  }
  return thread_seconds() - start;
}

Result<LoadedArtifact> load_fed(CompileState& state, bool is_optimized) {
  state.is_optimized = is_optimized;
  SKUA_ASSIGN_OR_RETURN(LoadedArtifact artifact, load_artifact(state));
  SKUA_RETURN_IF_ERROR(compile::feed(state.record, state.golden.inputs, *artifact.execution));
  return artifact;
}

struct GraphTimes {
  double optimized_s = 0.0, frozen_s = 0.0;
  double ratio = 1.0;  ///< optimised to frozen, the median of the rounds' own
};

/// In turn, for half a second or so.
Result<GraphTimes> time_graphs(CompileState& state) {
  constexpr int kMostRounds = 25, kFewestRounds = 5;
  constexpr double kEnoughSeconds = 0.5;
  SKUA_ASSIGN_OR_RETURN(const LoadedArtifact frozen, load_fed(state, false));
  SKUA_ASSIGN_OR_RETURN(const LoadedArtifact optimized, load_fed(state, true));
  std::vector<double> frozen_s, optimized_s, ratios;
  const double start = thread_seconds();
  for (int round = 0; round < kMostRounds; ++round) {
    if (round >= kFewestRounds && thread_seconds() - start > kEnoughSeconds) break;
    SKUA_ASSIGN_OR_RETURN(frozen_s.emplace_back(), time_one(*frozen.execution));
    SKUA_ASSIGN_OR_RETURN(optimized_s.emplace_back(), time_one(*optimized.execution));
    ratios.push_back(optimized_s.back() / frozen_s.back());
  }
  return GraphTimes{median(optimized_s), median(frozen_s), median(ratios)};
}

std::string milliseconds(double seconds) { return std::to_string(1e3 * seconds); }

/// How far the process grows when the engine is loaded and run as it will be in flight.
Result<std::uint64_t> measure_growth(const CompileState& state) {
  const std::uint64_t before = compile::resident_bytes_trimmed();
  SKUA_ASSIGN_OR_RETURN(const LoadedArtifact artifact, load_artifact(state));
  for (int round = 0; round < 2; ++round) {
    SKUA_RETURN_IF_ERROR(compile::run_trials(state, *artifact.execution));
  }
  const std::uint64_t after = compile::resident_bytes();
  return after > before ? after - before : 0;
}

std::vector<std::vector<std::byte>> outputs_of(const CompileState& state, const Execution& execution) {
  std::vector<std::vector<std::byte>> outputs;
  for (std::size_t i = 0; i < state.record.outputs.size(); ++i) {
    const auto bytes = execution.output(i).as<std::byte>();
    outputs.emplace_back(bytes.begin(), bytes.end());
  }
  return outputs;
}

}  // namespace

Result<LoadedArtifact> load_artifact(const CompileState& state) {
  EngineRecord record = state.record;
  record.options = record_options(state.request.config, state.request.build.precision, state.is_optimized,
                                  state.facts.version);
  for (const auto& [output, type] : state.computed) record.options[computed_option(output)] = type;
  LoadedArtifact artifact;
  SKUA_ASSIGN_OR_RETURN(artifact.engine, state.bridge.run.load(state.artifact, record, state.plan()));
  SKUA_ASSIGN_OR_RETURN(artifact.execution, artifact.engine->create_execution());
  SKUA_RETURN_IF_ERROR(artifact.execution->warm_up(record));
  return artifact;
}

Status make_golden(CompileState& state) {
  SKUA_RETURN_IF_ERROR(compile::settle_tolerances(state));
  SKUA_RETURN_IF_ERROR(state.request.build.golden ? compile::read_golden(state) : compute_golden(state));
  return compile::write_golden(state);
}

// libtorch's optimiser makes most networks faster, up to twice, and some slower. What flies is what was
// measured here; in doubt it is the plain graph, which is bound to nothing. A GPU is not asked: its kernels
// are chosen otherwise.
Status choose_graph(CompileState& state) {
  constexpr double kClearlyFaster = 0.95;
  if (state.plan().device != "cpu") return {};
  SKUA_ASSIGN_OR_RETURN(const GraphTimes times, time_graphs(state));
  state.is_optimized = times.ratio < kClearlyFaster;
  state.record.proof["graph.optimized_ms"] = milliseconds(times.optimized_s);
  state.record.proof["graph.frozen_ms"] = milliseconds(times.frozen_s);
  return {};
}

// GPU memory cannot be seen here: the workspace's bound stands for it.
Status measure_and_try(CompileState& state) {
  SKUA_ASSIGN_OR_RETURN(const std::uint64_t growth, measure_growth(state));
  const std::uint64_t workspace =
      static_cast<std::uint64_t>(state.request.build.workspace_mb) * compile::kMiB;
  const bool is_cpu = state.plan().device == "cpu";
  state.record.device_memory_bytes = is_cpu ? std::max(compile::whole_mib(growth), compile::kMiB) : workspace;
  return {};
}

Status compare_and_repeat(CompileState& state) {
  SKUA_ASSIGN_OR_RETURN(const LoadedArtifact artifact, load_artifact(state));
  SKUA_RETURN_IF_ERROR(compile::compare_with_golden(state, *artifact.execution));
  const auto first = outputs_of(state, *artifact.execution);
  for (int round = 0; round < 2; ++round) {
    SKUA_RETURN_IF_ERROR(compile::feed(state.record, state.golden.inputs, *artifact.execution));
    SKUA_ASSIGN_OR_RETURN([[maybe_unused]] const double seconds, time_one(*artifact.execution));
    if (outputs_of(state, *artifact.execution) == first) continue;
    return build_error(
        Reason::kModelUnsupported,
        "two runs on the same inputs differ: the network keeps a state or draws random numbers; give it "
        "neither");
  }
  return {};
}

}  // namespace skua::pytorch
