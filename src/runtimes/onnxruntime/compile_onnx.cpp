// Compiling, as a list of steps.
#include "skua_build_id.h"

#include <array>

#include "cache/staged_copy.h"
#include "cache/utc_text.h"
#include "core/hash.h"
#include "runtimes/onnxruntime/compile_steps.h"
#include "runtimes/onnxruntime/record_options.h"
#include "skua/ports.h"

namespace skua::ort {
namespace {

struct Step {
  const char* text;
  Status (*run)(CompileState& state);
};

constexpr std::array<Step, 9> kSteps = {{
    {"reading the model and its weights", read_source},
    {"checking the graph's precision", check_precision},
    {"checking the optimisation profiles", check_inputs},
    {"optimising the graph", optimise},
    {"settling inputs, outputs and capacities", settle_contract},
    {"making golden vectors", make_golden},
    {"trial runs, memory, node placement", measure_and_try},
    {"comparing with the golden vectors", compare_with_golden},
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
  CompileState state(request, *std::move(library));
  state.record.file = request.artifact_name;
  for (const Step& step : kSteps) {
    progress.step(step.text);
    if (Status done = step.run(state); !done.ok()) return as_build_error(std::move(done).error());
  }
  return std::move(state.record);
}

Status finish_record(CompileState& state) {
  const CompileRequest& request = state.request;
  EngineRecord& record = state.record;
  record.model = request.model_name;
  record.runtime_label = kRuntimeLabel;
  record.host = request.host;
  record.precision = request.build.precision;
  record.options = record_options(request.config, request.build, state.library->version());
  record.arithmetic = arithmetic_of(request.config.execution_provider, request.build.precision);
  record.model_id = state.source.metadata_or_empty("skua.model_id");
  record.weights_sha256 = state.source.metadata_or_empty("skua.weights_sha256");
  record.exporter = state.source.metadata_or_empty("skua.exporter");
  record.builder = SKUA_BUILD_ID;
  record.created = utc_text(system_clock().utc_us());
  record.engine_sha256 = sha256_of(state.artifact);
  record.proven = true;
  record.size_bytes = state.artifact.size();
  BuildConfig build =
      request.build;  // the key of the golden bytes that were read, whatever the file holds now
  if (build.golden) build.golden->file = state.staged(state.golden_name());
  SKUA_ASSIGN_OR_RETURN(record.build_config_sha256, build_key(build, request.config));
  for (const auto& [domain, version] : state.source.opsets) {
    record.proof["opset." + (domain.empty() ? "ai.onnx" : domain)] = std::to_string(version);
  }
  return {};
}

Error build_error(Reason reason, std::string message) {
  return make_error(ErrorCode::kEngineBuild, reason, std::move(message));
}

}  // namespace skua::ort
