// Compiling, as a list of steps.
#include <array>
#include <chrono>
#include <cstdio>
#include <span>
#include <string_view>
#include <utility>

#include "compile/finish_record.h"
#include "compile/golden_steps.h"
#include "compile/source_file.h"
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
constexpr Step<CompileState> kRanges{"reading the data set", settle_ranges};
constexpr Step<CompileState> kPrecision{"checking the graph's precision", check_precision};
constexpr Step<CompileState> kParse{"parsing the network", parse_source};
constexpr Step<CompileState> kInputs{"checking the optimisation profiles", check_inputs};
constexpr Step<CompileState> kOptions{"settling the build options", settle_options};
constexpr Step<CompileState> kBuild{"building the plan", build_plan};
constexpr Step<CompileState> kKept{"keeping the calibration", keep_ranges};
constexpr Step<CompileState> kHeader{"reading the plan's header", check_header};
constexpr Step<CompileState> kGolden{"making golden vectors", make_golden};
constexpr Step<CompileState> kRecord{"completing the record", finish_record};

constexpr std::array<Step<CompileState>, 17> kSteps = {{
    kRequest,
    {"opening the device", open_devices},
    kSource,
    kRanges,
    kPrecision,
    kParse,
    kInputs,
    kOptions,
    kBuild,
    kKept,
    kHeader,
    {"reading the plan back", open_plan},
    {"proving the precision", prove_precision},
    {"settling inputs, outputs and capacities", settle_contract},
    kGolden,
    {"trial runs, comparing with the golden vectors", try_and_compare},
    kRecord,
}};

// Without a device: as far as a plan can be judged by its bytes.
constexpr std::array<Step<CompileState>, 13> kUnprovenSteps = {{
    kRequest,
    kSource,
    kRanges,
    kPrecision,
    kParse,
    kInputs,
    kOptions,
    kBuild,
    kKept,
    kHeader,
    {"settling inputs, outputs and capacities", settle_unproven},
    {"marking the plan as unproven", mark_unproven},
    kRecord,
}};

Status check_stop(CompileState& state) {
  const Reason reason = state.stop.reason();
  return reason == Reason::kNone ? Status() : Status(stop_error(state, reason));
}

/// What TensorRT says goes to the build log, which an error quotes.
class BuildLog final : public LogListener {
 public:
  void on_log(Severity severity, std::string_view text) noexcept override {
    if (severity > Severity::kINFO) return;
    std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data());
  }
};

}  // namespace

CompileState::CompileState(const CompileRequest& job, CompileProgress& told, LibraryFacts mapped,
                           CalibrationJob calibrating)
    : Compilation(job),
      progress(told),
      library(std::move(mapped)),
      stop(std::chrono::seconds(job.config.trtexec_timeout_s)),
      calibration(std::move(calibrating)) {}

Error stop_error(const CompileState& state, Reason reason) {
  if (reason == Reason::kCancelled)
    return compile::build_error(reason, "the build was cancelled; nothing was published");
  return compile::build_error(reason, "the build took longer than " +
                                          std::to_string(state.request.config.trtexec_timeout_s) +
                                          " s and was stopped; raise trtexec_timeout_s");
}

bool BuildRecorder::reportError(nvinfer1::ErrorCode code, ErrorDesc text) noexcept {
  std::fprintf(stderr, "TensorRT's error %d: %s\n", static_cast<int>(code), text == nullptr ? "" : text);
  return ErrorRecorder::reportError(code, text);
}

Result<EngineRecord> compile_tensorrt(const CompileRequest& request, CompileProgress& progress) {
  const BuildConfig& build = request.build;
  if (is_judged(build.precision) && !build.calibration_dataset)
    return compile::build_error(
        Reason::kInvalidArgument,
        "precision " + std::string(to_string(build.precision)) +
            ": expected calibration_dataset, whose samples judge the plan, found none");
  CalibrationJob none;
  return compile_calibrated(request, progress, none);
}

Result<EngineRecord> compile_calibrated(const CompileRequest& request, CompileProgress& progress,
                                        CalibrationJob& calibration) {
  auto library = library_facts();
  if (!library.ok()) return std::move(library).error();
  BuildLog log;
  const LogSubscription subscription(log);
  CompileState state(request, progress, *std::move(library), std::move(calibration));
  if (request.unproven) {
    SKUA_RETURN_IF_ERROR(compile::run_steps(kUnprovenSteps, state, progress, check_stop));
  } else {
    SKUA_RETURN_IF_ERROR(compile::run_steps(kSteps, state, progress, check_stop));
  }
  calibration = std::move(state.calibration);
  return std::move(state.record);
}

Status mark_unproven(CompileState& state) {
  constexpr std::uint64_t kMaxGoldenBytes = 1U << 30U;
  SKUA_RETURN_IF_ERROR(compile::settle_tolerances(state));
  // The user's golden vectors are part of what was asked for, and kept; otherwise the file says that there
  // are none.
  constexpr std::string_view kNone = "No golden vectors: this plan is unproven.\n";
  const auto none = std::as_bytes(std::span(kNone));
  state.golden_bytes.assign(none.begin(), none.end());
  if (const auto& golden = state.request.build.golden) {
    SKUA_ASSIGN_OR_RETURN(state.golden_bytes,
                          compile::read_file(golden->file, kMaxGoldenBytes, Reason::kGoldenMissing));
  }
  state.record.golden.origin = "none, the plan is unproven";
  return compile::write_golden(state);
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
