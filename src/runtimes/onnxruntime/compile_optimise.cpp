// Steps 3 to 5: profiles against the graph, the graph as it will run, and the contract that the artifact
// offers.
#include <algorithm>
#include <limits>

#include "compile/graph_int8.h"
#include "compile/graph_precision.h"
#include "compile/output_bounds.h"
#include "compile/source_file.h"
#include "core/profile_check.h"
#include "core/text.h"
#include "runtimes/onnxruntime/compile_sessions.h"
#include "runtimes/onnxruntime/compile_steps.h"

namespace skua::ort {
namespace {

// TensorRT's result must be engines and nothing else; a node beside them would run elsewhere.
Status check_all_engines(const OnnxModel& artifact) {
  std::vector<std::string> others;
  for (const OnnxNode& node : artifact.graph.nodes) {
    if (node.op_type != "EPContext") others.push_back(node.op_type + " " + quote(node.name));
  }
  if (others.empty()) return {};
  return build_error(Reason::kNodesOnOtherProvider,
                     "expected every node inside a TensorRT engine, found outside: " + join(others) +
                         "; change these operators, or use execution_provider cuda or cpu");
}

// The optimiser makes integer products of the pairs around them, or leaves the pairs; without either it has
// folded the rounding away.
Status check_still_int8(CompileState& state, const OnnxModel& artifact) {
  const std::vector<const OnnxNode*> nodes = all_nodes(artifact);
  const auto count = std::count_if(nodes.begin(), nodes.end(),
                                   [](const OnnxNode* node) { return compile::is_quantised(*node); });
  const compile::ProductCount products = compile::count_products(state.source);
  state.record.proof["int8.products"] =
      std::to_string(products.quantised) + " of " + std::to_string(products.all);
  state.record.proof["int8.nodes_after_optimising"] = std::to_string(count);
  if (count > 0) return {};
  return build_error(
      Reason::kPrecisionNotSupported,
      "precision int8: the optimiser of this ONNX Runtime has left no quantised node; report it "
      "with the model");
}

Status check_artifact(CompileState& state) {
  const std::string path = state.staged(state.request.artifact_name).string();
  const std::string& provider = state.request.config.execution_provider;
  auto parsed = parse_onnx(state.artifact);
  if (!parsed.ok())
    return build_error(parsed.error().reason, "the saved graph " + path + ": " + parsed.error().message);
  if (provider == "tensorrt") SKUA_RETURN_IF_ERROR(check_all_engines(*parsed));
  Status closed = check_self_contained(state.artifact, state.record, provider);
  if (!closed.ok()) return build_error(Reason::kExternalWeights, closed.error().message);
  for (const auto& [type, bytes] : compile::weight_bytes_by_type(*parsed)) {
    if (bytes > 0) state.record.proof["weight_bytes." + type] = std::to_string(bytes);
  }
  const Precision precision = state.request.build.precision;
  if (precision == Precision::kFp16 || precision == Precision::kMixed)
    return compile::check_weights_still_half(state.source, *parsed);
  return precision == Precision::kInt8 ? check_still_int8(state, *parsed) : Status();
}

// The session tells a scalar from a tensor of unknown rank by nothing; the saved graph does.
Status check_ranks_known(const OnnxModel& artifact) {
  for (const OnnxValue& output : artifact.graph.outputs) {
    if (output.has_shape || output.type == 0) continue;
    return build_error(
        Reason::kOutputUnbounded,
        "output " + quote(output.name) +
            ": expected a known number of dimensions, found none; give it a shape in the model");
  }
  return {};
}

}  // namespace

Status check_precision(CompileState& state) {
  return compile::check_graph_precision(state.source, state.request.build.precision,
                                        state.request.build.keep_fp32);
}

Status check_inputs(CompileState& state) {
  std::vector<TensorSpec> inputs;
  for (const OnnxValue& value : state.source.graph.inputs) {
    SKUA_ASSIGN_OR_RETURN(ModelTensor input, input_of(value));
    inputs.push_back(std::move(input.spec));
  }
  return check_profiles(state.request.build.optimization_profiles, inputs);
}

Status optimise(CompileState& state) {
  const CompileRequest& request = state.request;
  const std::filesystem::path path = state.staged(request.artifact_name);
  const SessionPlan plan =
      compile_plan(request.config, compile_limits(request), request.build.precision, path);
  SKUA_ASSIGN_OR_RETURN(const auto session, create_source_session(state, plan));
  constexpr std::uint64_t kNoLimit = std::numeric_limits<std::int64_t>::max();
  SKUA_ASSIGN_OR_RETURN(state.artifact, compile::read_file(path, kNoLimit, Reason::kModelUnsupported));
  return check_artifact(state);
}

Status settle_contract(CompileState& state) {
  const BuildConfig& build = state.request.build;
  SKUA_ASSIGN_OR_RETURN(const OnnxModel artifact, parse_onnx(state.artifact));
  SKUA_RETURN_IF_ERROR(check_ranks_known(artifact));
  const SessionPlan plan = run_plan(state.request.config, compile_limits(state.request));
  SKUA_ASSIGN_OR_RETURN(const auto session, create_artifact_session(state, plan));
  state.record.profiles = build.optimization_profiles;
  state.record.inputs = compile::bounded_inputs(session->tensors.inputs, build.optimization_profiles);
  SKUA_ASSIGN_OR_RETURN(
      state.record.outputs,
      compile::bounded_outputs(session->tensors, build.optimization_profiles, build.max_output_shapes));
  if (state.record.outputs.empty()) return build_error(Reason::kModelEmpty, "the network has no output");
  return {};
}

}  // namespace skua::ort
