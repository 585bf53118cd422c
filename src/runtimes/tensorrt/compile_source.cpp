// The steps before a build: what is asked for, the source, its precision, TensorRT's network, the options.
#include <algorithm>
#include <utility>

#include "compile/graph_precision.h"
#include "compile/onnx_fold.h"
#include "core/filesystem.h"
#include "core/profile_check.h"
#include "core/text.h"
#include "runtimes/tensorrt/compile_builder.h"
#include "runtimes/tensorrt/compile_ranges.h"
#include "runtimes/tensorrt/compile_steps.h"

namespace skua::tensorrt {
namespace {

using compile::build_error;

Error no_precision(Precision precision, const std::string& text) {
  return build_error(Reason::kPrecisionNotSupported,
                     "precision " + std::string(to_string(precision)) + ": " + text);
}

/// Whether a node makes doubles of what is none: a Cast, a generator.
bool makes_double(const OnnxNode& node) {
  return std::any_of(node.attributes.begin(), node.attributes.end(), [](const OnnxAttribute& attribute) {
    const bool is_type = attribute.name == "to" || attribute.name == "dtype";
    return (is_type && attribute.integer == kOnnxDouble) ||
           std::any_of(attribute.tensors.begin(), attribute.tensors.end(),
                       [](const OnnxTensor& tensor) { return tensor.type == kOnnxDouble; });
  });
}

Status refuse_doubles(Precision precision, const std::string& what, std::vector<std::string> names) {
  if (names.empty()) return {};
  constexpr std::size_t kShown = 5;
  const std::size_t count = names.size();
  names.resize(std::min(count, kShown));
  return no_precision(precision,
                      "found " + std::to_string(count) + " float64 " + what + " (" + join(names) +
                          "), which TensorRT would narrow to float32; export the network in float32");
}

/// Doubles are narrowed by TensorRT's parser without a word.
Status check_no_double(const OnnxModel& source, Precision precision) {
  std::vector<std::string> weights, nodes;
  for (const OnnxTensor* tensor : all_tensors(source)) {
    if (tensor->type == kOnnxDouble && !tensor->name.empty()) weights.push_back(quote(tensor->name));
  }
  for (const OnnxNode* node : all_nodes(source)) {
    if (makes_double(*node)) nodes.push_back(quote(node->label()));
  }
  SKUA_RETURN_IF_ERROR(refuse_doubles(precision, "weights", weights));
  return refuse_doubles(precision, "results of nodes", nodes);
}

bool is_static_input(const ModelTensors& contract, const std::string& name) {
  return std::any_of(contract.inputs.begin(), contract.inputs.end(), [&name](const ModelTensor& input) {
    return input.spec.name == name && input.spec.shape.is_static();
  });
}

}  // namespace

Status check_request(CompileState& state) {
  const BuildConfig& build = state.request.build;
  if (build.precision != Precision::kMixed || !build.keep_fp32.empty()) return {};
  return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                    "precision mixed is fp16 with layers that keep_fp32 names in fp32; expected a pattern "
                    "there, found none: name them, or build fp16");
}

Status open_devices(CompileState& state) {
  auto device = open_device();
  if (!device.ok()) {
    Error error = std::move(device).error();
    error.message += ", or --unproven, which writes a plan that no gate accepts";
    return error;
  }
  state.device = *std::move(device);
  state.record.proof["device"] = state.device->name;
  return {};
}

Status read_source(CompileState& state) {
  SKUA_ASSIGN_OR_RETURN(compile::OnnxSource source, compile::read_onnx_source(state));
  state.source = std::move(source.model);
  SKUA_ASSIGN_OR_RETURN(state.whole, compile::fold_external(state.source_bytes, source.external));
  SKUA_ASSIGN_OR_RETURN(const auto folder, posix_file_system().open_folder(state.request.staging_dir));
  SKUA_ASSIGN_OR_RETURN(const auto file, folder->create(state.source_path().filename().string()));
  return file->write(state.whole);
}

Status check_precision(CompileState& state) {
  const BuildConfig& build = state.request.build;
  // The newer releases' remedy is another one.
  if (build.precision == Precision::kInt8)
    SKUA_RETURN_IF_ERROR(check_typed_graph(state.source, build, NV_TENSORRT_MAJOR));
  SKUA_ASSIGN_OR_RETURN(state.ranges, range_source(state.source, build, state.calibration));
  SKUA_RETURN_IF_ERROR(check_no_double(state.source, build.precision));
  if (build.precision == Precision::kFp32)
    return compile::check_graph_precision(state.source, build.precision, build.keep_fp32);
  return check_typed_graph(state.source, build, NV_TENSORRT_MAJOR);
}

Status parse_source(CompileState& state) {
  SKUA_ASSIGN_OR_RETURN(state.parsed, parse_network(state.whole, state.request.model_name, state.recorder));
  SKUA_ASSIGN_OR_RETURN(state.contract, network_contract(*state.parsed.network, state.source));
  return {};
}

Status check_inputs(CompileState& state) {
  std::vector<TensorSpec> inputs;
  for (const ModelTensor& input : state.contract.inputs) inputs.push_back(input.spec);
  return check_profiles(state.request.build.optimization_profiles, inputs);
}

Status settle_options(CompileState& state) {
  const BuildConfig& build = state.request.build;
  std::optional<DeviceMemory> memory;
  if (state.device) {
    SKUA_ASSIGN_OR_RETURN(const std::uint64_t free, free_bytes(*state.device, TrtContext::kCompile));
    memory = DeviceMemory{state.device->total_bytes, free};
  }
  SKUA_ASSIGN_OR_RETURN(state.options,
                        build_options(build, state.request.model_name, NV_TENSORRT_MAJOR, memory));
  state.options.ranges = state.ranges;
  SKUA_ASSIGN_OR_RETURN(state.options.keep_fp32,
                        layers_to_keep(*state.parsed.network, build.keep_fp32, operators_of(state.source)));
  if (build.build_route != BuildRoute::kBuilder && state.options.has_fp16_flag())
    SKUA_RETURN_IF_ERROR(check_no_cast(*state.parsed.network, state.options));
  if (build.build_route == BuildRoute::kTrtexec && state.options.has_fp16_flag()) {
    SKUA_ASSIGN_OR_RETURN(state.options.kept_outputs,
                          kept_outputs(*state.parsed.network, state.options.keep_fp32));
  }
  // A profile of an input without dynamic dimensions says nothing, and trtexec refuses one where all are so.
  std::erase_if(state.options.profiles, [&state](const OptimizationProfile& profile) {
    return is_static_input(state.contract, profile.input_name);
  });
  return {};
}

Status build_plan(CompileState& state) {
  switch (state.options.route) {
    case BuildRoute::kBuilder:
      return build_with_builder(state);
    case BuildRoute::kTrtexec:
      return build_with_trtexec(state);
    case BuildRoute::kPolygraphy:
      return build_with_polygraphy(state);
  }
  return build_error(Reason::kInternal, "unknown build route");
}

}  // namespace skua::tensorrt
