// Compiling, as a list of steps.
#include <array>
#include <chrono>
#include <cstdio>
#include <utility>

#include "compile/finish_record.h"
#include "compile/steps.h"
#include "runtimes/tensorrt/compile_steps.h"
#include "runtimes/tensorrt/record_options.h"
#include "runtimes/tensorrt/trt_errors.h"
#include "runtimes/tensorrt/trt_logger.h"

namespace skua::tensorrt {
namespace {

using compile::Step;

constexpr Step<CompileState> kRequest{"checking the request", check_request};
constexpr Step<CompileState> kSource{"reading the model and its weights", read_source};
constexpr Step<CompileState> kPrecision{"checking the graph's precision", check_precision};
constexpr Step<CompileState> kParse{"parsing the network", parse_source};
constexpr Step<CompileState> kInputs{"checking the optimisation profiles", check_inputs};
constexpr Step<CompileState> kOptions{"settling the build options", settle_options};
constexpr Step<CompileState> kBuild{"building the plan", build_plan};
constexpr Step<CompileState> kHeader{"reading the plan's header", check_header};
constexpr Step<CompileState> kGolden{"making golden vectors", make_golden};
constexpr Step<CompileState> kRecord{"completing the record", finish_record};

constexpr std::array<Step<CompileState>, 15> kSteps = {{
    kRequest,
    {"opening the device", open_devices},
    kSource,
    kPrecision,
    kParse,
    kInputs,
    kOptions,
    kBuild,
    kHeader,
    {"reading the plan back", open_plan},
    {"proving the precision", prove_precision},
    {"settling inputs, outputs and capacities", settle_contract},
    kGolden,
    {"trial runs, comparing with the golden vectors", try_and_compare},
    kRecord,
}};

// Without a device: as far as a plan can be judged by its bytes.
constexpr std::array<Step<CompileState>, 11> kUnprovenSteps = {{
    kRequest,
    kSource,
    kPrecision,
    kParse,
    kInputs,
    kOptions,
    kBuild,
    kHeader,
    {"settling inputs, outputs and capacities", settle_unproven},
    kGolden,
    kRecord,
}};

/// What TensorRT says goes to the build log, which an error quotes.
class BuildLog final : public LogListener {
 public:
  void on_log(Severity severity, std::string_view text) noexcept override {
    if (severity > Severity::kINFO) return;
    std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data());
  }
};

}  // namespace

CompileState::CompileState(const CompileRequest& job, CompileProgress& told, LibraryFacts mapped)
    : Compilation(job),
      progress(told),
      library(std::move(mapped)),
      stop(std::chrono::seconds(job.config.trtexec_timeout_s)) {}

Result<EngineRecord> compile_tensorrt(const CompileRequest& request, CompileProgress& progress) {
  auto library = library_facts();
  if (!library.ok()) return std::move(library).error();
  BuildLog log;
  const LogSubscription subscription(log);
  CompileState state(request, progress, *std::move(library));
  if (request.unproven) {
    SKUA_RETURN_IF_ERROR(compile::run_steps(kUnprovenSteps, state, progress));
  } else {
    SKUA_RETURN_IF_ERROR(compile::run_steps(kSteps, state, progress));
  }
  return std::move(state.record);
}

Status finish_record(CompileState& state) {
  compile::RuntimeFacts facts;
  facts.runtime_label = kRuntimeLabel;
  facts.options = record_options(state.library.version);
  facts.options.merge(option_texts(state.options));
  facts.arithmetic = arithmetic_of(state.request.build.precision);
  facts.model_id = state.source.metadata_or_empty("skua.model_id");
  facts.weights_sha256 = state.source.metadata_or_empty("skua.weights_sha256");
  facts.exporter = state.source.metadata_or_empty("skua.exporter");
  SKUA_RETURN_IF_ERROR(compile::finish_record(state, std::move(facts)));
  state.record.proven = !state.request.unproven;
  for (const auto& [domain, version] : state.source.opsets) {
    state.record.proof["opset." + (domain.empty() ? "ai.onnx" : domain)] = std::to_string(version);
  }
  return {};
}

}  // namespace skua::tensorrt
