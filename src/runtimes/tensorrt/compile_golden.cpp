// Golden vectors. The expected values are the FP32 source's on ONNX Runtime's CPU provider, in a build
// process of its own: two SDKs in one process are one too many, and the plan must never judge itself.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <system_error>

#include "compile/golden_steps.h"
#include "compile/graph_precision.h"
#include "core/filesystem.h"
#include "core/text.h"
#include "inference/compile.h"
#include "inference/compile_job.h"
#include "inference/compile_process.h"
#include "inference/module_loader.h"
#include "inference/module_open.h"
#include "runtimes/tensorrt/compile_steps.h"

namespace skua::tensorrt {
namespace {

namespace fs = std::filesystem;
using compile::build_error;

constexpr std::string_view kReference = "onnx_trt_ep";
constexpr std::size_t kMaxResponse = 8U << 20U;

Error no_reference(const std::string& why, const std::string& or_else = "") {
  return build_error(Reason::kReferenceUnavailable, "golden vectors: " + why + "; " + or_else +
                                                        "give golden vectors of your own (build.golden)");
}

/// A graph of halves has no other source: its values are widened on the CPU. One with Q/DQ nodes likewise.
Precision precision_of_source(const OnnxModel& source) {
  for (const OnnxNode* node : all_nodes(source)) {
    if (compile::is_quantised(*node)) return Precision::kInt8;
  }
  for (const OnnxTensor* tensor : all_tensors(source)) {
    if (tensor->type == kOnnxHalf) return Precision::kFp16;
  }
  return Precision::kFp32;
}

/// Whether the file leaves a dimension of this output open: the reference may then know less of it than the
/// plan.
bool is_open(const OnnxModel& source, const std::string& output) {
  for (const OnnxValue& value : source.graph.outputs) {
    if (value.name != output) continue;
    return !value.has_shape || std::any_of(value.dims.begin(), value.dims.end(),
                                           [](const OnnxDim& dim) { return dim.value < 0; });
  }
  return true;
}

CompileRequest reference_request(const CompileState& state, const fs::path& folder) {
  CompileRequest request;
  request.runtime_label = kReference;
  request.model_path = state.source_path();
  request.staging_dir = folder;
  request.artifact_name = "reference.onnx";
  request.model_name = state.request.model_name;
  request.build.precision = precision_of_source(state.source);
  request.build.keep_fp32 = state.request.build.keep_fp32;
  request.build.optimization_profiles = state.request.build.optimization_profiles;
  for (const TensorSpec& output : state.record.outputs) {
    if (is_open(state.source, output.name)) request.build.max_output_shapes[output.name] = output.max_shape;
  }
  request.config = state.request.config;
  request.config.runtime = kReference;
  request.config.execution_provider = "cpu";
  request.host = state.request.host;
  return request;
}

std::chrono::seconds time_left(const CompileState& state) {
  const auto left = state.stop.deadline() - std::chrono::steady_clock::now();
  return std::max(std::chrono::duration_cast<std::chrono::seconds>(left), std::chrono::seconds(1));
}

Result<EngineRecord> run_reference(const CompileState& state, const fs::path& path) {
  SKUA_ASSIGN_OR_RETURN(const std::string text, encode_request(reference_request(state, path)));
  SKUA_ASSIGN_OR_RETURN(const auto folder, posix_file_system().open_folder(path));
  SKUA_ASSIGN_OR_RETURN(const auto file, folder->create("request.json"));
  SKUA_RETURN_IF_ERROR(file->write(std::as_bytes(std::span(text))));
  BuildProcess process;
  process.executable = default_build_executable();
  process.request = path / "request.json";
  process.response = path / "response.json";
  process.log = path / "build.log";
  process.timeout = time_left(state);
  process.has_own_session = false;
  process.environment = {"ORT_DISABLE_TELEMETRY=1"};
  process.stop_requested = [&state] { return state.stop.reason() == Reason::kCancelled; };
  SKUA_RETURN_IF_ERROR(run_build_process(process));
  SKUA_ASSIGN_OR_RETURN(const std::string response, read_text(*folder, "response.json", kMaxResponse));
  return decode_response(response);
}

Status reference_golden(CompileState& state) {
  std::error_code ignored;
  if (!fs::exists(module_file(library_folder(), "compiler", kReference), ignored)) {
    return no_reference(
        "they come from the runtime " + std::string(kReference) + " on the CPU, which is not installed here",
        "install it, or ");
  }
  const fs::path path = state.staged("reference");
  SKUA_ASSIGN_OR_RETURN(const auto folder, posix_file_system().open_folder(state.request.staging_dir));
  SKUA_RETURN_IF_ERROR(folder->make_folder("reference"));
  const auto record = run_reference(state, path);
  if (!record.ok()) {
    const Reason reason = record.error().reason;
    if (reason == Reason::kCancelled || reason == Reason::kBuilderTimeout || reason == Reason::kOutOfMemory ||
        reason == Reason::kBuilderMemory)
      return record.error();
    return no_reference("the source model gives none on the CPU: " + record.error().describe());
  }
  Status read = compile::read_golden(
      state, {path / record->golden.file, record->golden.origin + " (" + std::string(kReference) + ")"});
  fs::remove_all(path, ignored);
  return read;
}

}  // namespace

Status make_golden(CompileState& state) {
  SKUA_RETURN_IF_ERROR(compile::settle_tolerances(state));
  SKUA_RETURN_IF_ERROR(state.request.build.golden ? compile::read_golden(state) : reference_golden(state));
  return compile::write_golden(state);
}

}  // namespace skua::tensorrt
