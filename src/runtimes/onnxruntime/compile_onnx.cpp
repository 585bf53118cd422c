// Compiling, as a list of steps.
#include <array>

#include "compile/finish_record.h"
#include "compile/steps.h"
#include "runtimes/onnxruntime/compile_steps.h"
#include "runtimes/onnxruntime/record_options.h"

namespace skua::ort {
namespace {

constexpr std::array<compile::Step<CompileState>, 11> kSteps = {{
    {"reading the model and its weights", read_source},
    {"reading the data set", read_samples},
    {"checking the graph's precision", check_precision},
    {"checking the optimisation profiles", check_inputs},
    {"optimising the graph", optimise},
    {"settling inputs, outputs and capacities", settle_contract},
    {"making golden vectors", make_golden},
    {"trial runs, memory, node placement", measure_and_try},
    {"comparing with the golden vectors", compare_with_golden},
    {"judging by samples", judge_by_samples},
    {"completing the record", finish_record},
}};

}  // namespace

Result<EngineRecord> compile_onnx(const CompileRequest& request, CompileProgress& progress) {
  if (request.unproven) {
    return build_error(Reason::kUnprovenNotSupported,
                       "onnx_trt_ep proves every engine where it builds it; compile without --unproven");
  }
  auto library = OrtLibrary::open(library_path(request.config));
  if (!library.ok()) return std::move(library).error();
  CompileState state(request, progress, *std::move(library));
  SKUA_RETURN_IF_ERROR(compile::run_steps(kSteps, state, progress));
  return std::move(state.record);
}

Status finish_record(CompileState& state) {
  const RuntimeConfig& config = state.request.config;
  const BuildConfig& build = state.request.build;
  compile::RuntimeFacts facts;
  facts.runtime_label = kRuntimeLabel;
  facts.options = record_options(config, build, state.library->version());
  facts.arithmetic = arithmetic_of(config.execution_provider, build.precision);
  facts.model_id = state.source.metadata_or_empty("skua.model_id");
  facts.weights_sha256 = state.source.metadata_or_empty("skua.weights_sha256");
  facts.exporter = state.source.metadata_or_empty("skua.exporter");
  SKUA_RETURN_IF_ERROR(compile::finish_record(state, std::move(facts)));
  for (const auto& [domain, version] : state.source.opsets) {
    state.record.proof["opset." + (domain.empty() ? "ai.onnx" : domain)] = std::to_string(version);
  }
  return {};
}

}  // namespace skua::ort
