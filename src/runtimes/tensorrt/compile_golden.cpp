// Golden vectors. The expected values are the FP32 source's on ONNX Runtime's CPU provider, in a build
// process of its own: two SDKs in one process are one too many, and the plan must never judge itself.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <system_error>

#include "compile/golden_steps.h"
#include "compile/reference.h"
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

constexpr std::size_t kMaxResponse = 8U << 20U;

Error no_reference(const std::string& why, const std::string& or_else = "") {
  return build_error(Reason::kReferenceUnavailable, "golden vectors: " + why + "; " + or_else +
                                                        "give golden vectors of your own (build.golden)");
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

/// int8 and mixed are compared with the float32 network, whatever the plan is built from.
CompileRequest reference_request(const CompileState& state, const fs::path& folder) {
  const bool is_judged = state.samples.has_value();
  const fs::path own =
      is_judged ? state.request.build.fp32_source.value_or(state.source_path()) : state.source_path();
  const Precision precision = is_judged ? Precision::kFp32 : compile::precision_of_source(state.source);
  CompileRequest request = compile::reference_request(state, own, precision, folder);
  request.build.max_output_shapes.clear();
  for (const TensorSpec& output : state.record.outputs) {
    if (is_open(state.source, output.name)) request.build.max_output_shapes[output.name] = output.max_shape;
  }
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

/// The reference's golden file and values, in a folder of their own.
Result<EngineRecord> make_reference(CompileState& state) {
  std::error_code ignored;
  if (!fs::exists(module_file(library_folder(), "compiler", compile::kReferenceRuntime), ignored)) {
    if (state.samples)
      return build_error(Reason::kReferenceUnavailable,
                         "the float32 source is run by the runtime " +
                             std::string(compile::kReferenceRuntime) +
                             " on the CPU, which is not installed here; install it");
    return no_reference("they come from the runtime " + std::string(compile::kReferenceRuntime) +
                            " on the CPU, which is not installed here",
                        "install it, or ");
  }
  SKUA_ASSIGN_OR_RETURN(const auto folder, posix_file_system().open_folder(state.request.staging_dir));
  SKUA_RETURN_IF_ERROR(folder->make_folder(state.reference_path().filename().string()));
  auto record = run_reference(state, state.reference_path());
  if (record.ok()) return record;
  if (state.samples) return compile::of_reference(std::move(record).error());
  const Reason reason = record.error().reason;
  if (reason == Reason::kCancelled || reason == Reason::kBuilderTimeout || reason == Reason::kOutOfMemory ||
      reason == Reason::kBuilderMemory)
    return record;
  return no_reference("the source model gives none on the CPU: " + record.error().describe());
}

Status reference_golden(CompileState& state) {
  SKUA_ASSIGN_OR_RETURN(state.reference, make_reference(state));
  const EngineRecord& reference = *state.reference;
  if (state.stamp) SKUA_RETURN_IF_ERROR(compile::check_source(*state.stamp, reference));
  if (state.request.build.golden) return compile::read_golden(state);
  return compile::read_golden(
      state, {state.reference_path() / reference.golden.file,
              reference.golden.origin + " (" + std::string(compile::kReferenceRuntime) + ")"});
}

}  // namespace

Status make_golden(CompileState& state) {
  SKUA_RETURN_IF_ERROR(compile::settle_tolerances(state));
  const bool needs_reference = state.samples || !state.request.build.golden;
  SKUA_RETURN_IF_ERROR(needs_reference ? reference_golden(state) : compile::read_golden(state));
  return compile::write_golden(state);
}

}  // namespace skua::tensorrt
