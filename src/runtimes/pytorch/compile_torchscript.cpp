// Compiling, as a list of steps; the shorter ones are here.
#include <array>
#include <limits>

#include "compile/finish_record.h"
#include "compile/source_file.h"
#include "compile/steps.h"
#include "core/filesystem.h"
#include "runtimes/pytorch/compile_steps.h"
#include "runtimes/pytorch/ground_bridges.h"
#include "runtimes/pytorch/record_options.h"
#include "runtimes/pytorch/torch_library.h"

namespace skua::pytorch {
namespace {

using compile::build_error;

constexpr std::uint64_t kMaxModelBytes =
    std::numeric_limits<std::int32_t>::max();  // as for every other runtime

constexpr std::array<compile::Step<CompileState>, 10> kSteps = {{
    {"checking what is asked for", check_request},
    {"reading the model", read_source},
    {"converting it", convert_source},
    {"settling inputs and profiles", settle_inputs},
    {"settling outputs by trial runs", settle_outputs},
    {"making golden vectors", make_golden},
    {"measuring which graph is faster", choose_graph},
    {"trial runs, memory", measure_and_try},
    {"comparing with the golden vectors", compare_and_repeat},
    {"completing the record", finish_record},
}};

std::string metadata_of(const CompileState& state, const std::string& name) {
  const auto found = state.converted.metadata.find(name);
  return found == state.converted.metadata.end() ? std::string() : found->second;
}

/// What a step has against a model, with the model's file.
Error with_file(Error error, const std::filesystem::path& file) {
  const bool is_named = error.message.find(file.string()) != std::string::npos;
  if (!is_named) error.message = file.string() + ": " + error.message;
  return error;
}

}  // namespace

RunPlan CompileState::plan() const {
  RunPlan plan;
  plan.device = device_of(request.config);
  plan.arithmetic = arithmetic_of(request.config, request.build.precision);
  plan.is_optimized = is_optimized;
  return plan;
}

RunPlan CompileState::reference_plan() {
  RunPlan plan;
  plan.arithmetic = Arithmetic::kFp32;
  plan.is_frozen = false;
  return plan;
}

Result<EngineRecord> compile_torchscript(const CompileRequest& request, CompileProgress& progress) {
  if (request.unproven) {
    return build_error(Reason::kUnprovenNotSupported,
                       "pytorch_fp16 proves every engine where it builds it; compile without --unproven");
  }
  SKUA_ASSIGN_OR_RETURN(const CompileBridge* bridge, open_compile_bridge(request.config));
  SKUA_ASSIGN_OR_RETURN(TorchFacts facts, bridge->run.facts());
  SKUA_RETURN_IF_ERROR(check_device(facts, device_of(request.config)));
  SKUA_RETURN_IF_ERROR(bridge->run.fix_threads(request.config.intra_op_threads));
  CompileState state(request, *bridge, std::move(facts));
  if (Status done = compile::run_steps(kSteps, state, progress); !done.ok()) {
    return with_file(std::move(done).error(), request.model_path);
  }
  return std::move(state.record);
}

Status check_request(CompileState& state) {
  const BuildConfig& build = state.request.build;
  if (build.precision != Precision::kFp16 && build.precision != Precision::kFp32) {
    return build_error(
        Reason::kPrecisionNotSupported,
        "pytorch_fp16 is the half-precision baseline: expected fp16 (or fp32 for a reference on the "
        "ground), found " +
            std::string(to_string(build.precision)) + "; compile " + std::string(to_string(build.precision)) +
            " for another runtime");
  }
  if (!build.keep_fp32.empty()) {
    return build_error(
        Reason::kPrecisionNotSupported,
        "keep_fp32 names nodes of an ONNX graph, and a TorchScript file has none; call .float() in the "
        "network where single precision is needed");
  }
  return {};
}

Status read_source(CompileState& state) {
  const std::filesystem::path& path = state.request.model_path;
  SKUA_ASSIGN_OR_RETURN(state.source_bytes, compile::read_file(path, kMaxModelBytes, Reason::kModelMissing));
  state.record.sources.push_back(compile::source_file(path.filename().string(), state.source_bytes));
  state.record.model_sha256 = state.record.sources.front().sha256;
  return {};
}

Status convert_source(CompileState& state) {
  auto converted = state.bridge.convert(state.source_bytes, state.request.build.precision);
  if (!converted.ok()) return std::move(converted).error();
  state.converted = *std::move(converted);
  state.artifact = std::move(state.converted.artifact);
  state.record.proof = state.converted.proof;
  if (const std::string io = metadata_of(state, "skua.io"); !io.empty()) {
    SKUA_ASSIGN_OR_RETURN(state.declared, parse_declared_io(io));
  }
  SKUA_ASSIGN_OR_RETURN(const auto folder, posix_file_system().open_folder(state.request.staging_dir));
  SKUA_ASSIGN_OR_RETURN(const auto file, folder->create(state.request.artifact_name));
  return file->write(state.artifact);
}

Status finish_record(CompileState& state) {
  const RuntimeConfig& config = state.request.config;
  compile::RuntimeFacts facts;
  facts.runtime_label = kRuntimeLabel;
  facts.options =
      record_options(config, state.request.build.precision, state.is_optimized, state.facts.version);
  for (const auto& [output, type] : state.computed) facts.options[computed_option(output)] = type;
  facts.arithmetic = arithmetic_text(state.plan().arithmetic);
  facts.model_id = metadata_of(state, "skua.model_id");
  facts.weights_sha256 = metadata_of(state, "skua.weights_sha256");
  facts.exporter = metadata_of(state, "skua.exporter");
  return compile::finish_record(state, std::move(facts));
}

}  // namespace skua::pytorch
