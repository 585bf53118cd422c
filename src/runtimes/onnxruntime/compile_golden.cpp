// Steps 7 and 8: golden vectors. Expected values come from the user's file, or from the source model on the
// CPU with the optimiser off; never from the artifact that they are to judge.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/filesystem.h"
#include "core/hash.h"
#include "core/profile_check.h"
#include "core/text.h"
#include "runtimes/onnxruntime/compile_sessions.h"
#include "runtimes/onnxruntime/compile_steps.h"
#include "runtimes/onnxruntime/trial_inputs.h"

namespace skua::ort {
namespace {

constexpr std::uint64_t kMaxGoldenBytes = 1U << 30U;

Error golden_error(Reason reason, const std::string& thing, const std::string& expected,
                   const std::string& found) {
  return build_error(reason, "golden vectors, " + thing + ": expected " + expected + ", found " + found +
                                 "; make them from this very model");
}

bool fits(const TensorSpec& spec, const Shape& shape) {
  if (shape.rank() != spec.shape.rank()) return false;
  for (std::size_t axis = 0; axis < shape.rank(); ++axis) {
    const bool is_fixed = spec.shape[axis] >= 0;
    if (is_fixed ? shape[axis] != spec.shape[axis] : shape[axis] > spec.max_shape[axis]) return false;
  }
  return true;
}

Status check_side(const std::vector<TensorSpec>& specs, const TensorMap& tensors, const std::string& side) {
  if (tensors.size() != specs.size()) {
    return golden_error(Reason::kGoldenMalformed, "number of " + side + "s", std::to_string(specs.size()),
                        std::to_string(tensors.size()));
  }
  for (const TensorSpec& spec : specs) {
    const Tensor* tensor = tensors.find(spec.name);
    const std::string thing = side + " " + quote(spec.name);
    if (tensor == nullptr)
      return golden_error(Reason::kGoldenMalformed, thing, "a tensor of that name", "none");
    const TensorView& view = tensor->view();
    if (view.dtype == spec.dtype && fits(spec, view.shape)) continue;
    return golden_error(Reason::kGoldenMalformed, thing,
                        std::string(to_string(spec.dtype)) + " " + spec.shape.to_string() + " within " +
                            spec.max_shape.to_string(),
                        std::string(to_string(view.dtype)) + " " + view.shape.to_string());
  }
  return {};
}

Status check_within_profiles(const CompileState& state) {
  for (const OptimizationProfile& profile : state.record.profiles) {
    const Tensor* tensor = state.golden.inputs.find(profile.input_name);
    if (tensor == nullptr || is_within(profile, tensor->view().shape)) continue;
    return golden_error(Reason::kGoldenMalformed, "input " + quote(profile.input_name),
                        "a shape from " + profile.min.to_string() + " to " + profile.max.to_string(),
                        tensor->view().shape.to_string());
  }
  return {};
}

Status read_golden(CompileState& state) {
  const GoldenSource& source = *state.request.build.golden;
  SKUA_ASSIGN_OR_RETURN(state.golden_bytes, read_file(source.file, kMaxGoldenBytes, Reason::kGoldenMissing));
  auto decoded = decode_golden(state.golden_bytes);
  if (!decoded.ok()) {
    return build_error(decoded.error().reason, source.file.string() + ": " + decoded.error().message);
  }
  state.golden = *std::move(decoded);
  state.record.golden.origin = source.origin;
  SKUA_RETURN_IF_ERROR(check_side(state.record.inputs, state.golden.inputs, "input"));
  SKUA_RETURN_IF_ERROR(check_side(state.record.outputs, state.golden.outputs, "output"));
  return check_within_profiles(state);
}

Status keep_copy(TensorMap& map, const std::string& name, const TensorView& view) {
  SKUA_ASSIGN_OR_RETURN(Tensor tensor, Tensor::allocate(view.dtype, view.shape));
  if (view.size_bytes() > 0) std::memcpy(tensor.view().data, view.data, view.size_bytes());
  return map.insert(name, std::move(tensor));
}

Error no_reference(const Error& error) {
  if (error.reason == Reason::kOutputOverflow) {
    return build_error(error.reason,
                       "golden vectors: on made-up inputs an output is larger than its capacity; raise "
                       "max_output_shapes, or give golden vectors of your own (build.golden)");
  }
  return make_error(ErrorCode::kEngineBuild, Reason::kReferenceUnavailable,
                    "golden vectors: the source model does not run on made-up inputs: " + error.describe() +
                        "; give golden vectors of your own (build.golden)",
                    error.native_code);
}

// With its optimiser off this release cannot load some half graphs (it makes an ill-typed Cast of its own);
// the lowest level then has to do, and the origin says so.
Result<std::shared_ptr<const Session>> reference_session(CompileState& state) {
  const std::string library = "onnxruntime " + state.library->version() + " cpu, ";
  auto session = create_source_session(state, reference_plan("disabled"));
  state.record.golden.origin = library + "optimiser off";
  if (session.ok()) return session;
  session = create_source_session(state, reference_plan("basic"));
  state.record.golden.origin = library + "basic optimisation";
  if (!session.ok()) return no_reference(session.error());
  return session;
}

Status compute_golden(CompileState& state) {
  SKUA_ASSIGN_OR_RETURN(const auto session, reference_session(state));
  SKUA_ASSIGN_OR_RETURN(const auto execution, create_execution(session, state.record));
  for (std::size_t i = 0; i < state.record.inputs.size(); ++i) {
    const std::string& name = state.record.inputs[i].name;
    fill_trial_input(execution->input(i), state.record.model_sha256, name);
    SKUA_RETURN_IF_ERROR(keep_copy(state.golden.inputs, name, execution->input(i)));
  }
  if (Status ran = execution->run(std::nullopt); !ran.ok()) return no_reference(ran.error());
  for (std::size_t i = 0; i < state.record.outputs.size(); ++i) {
    SKUA_RETURN_IF_ERROR(keep_copy(state.golden.outputs, state.record.outputs[i].name, execution->output(i)));
  }
  return {};
}

Status write_golden(CompileState& state) {
  std::vector<std::byte> bytes = std::move(state.golden_bytes);  // the user's file stays as it is
  if (bytes.empty()) {
    SKUA_ASSIGN_OR_RETURN(bytes, encode_golden(state.golden.inputs, state.golden.outputs));
  }
  SKUA_ASSIGN_OR_RETURN(const auto folder, posix_file_system().open_folder(state.request.staging_dir));
  SKUA_ASSIGN_OR_RETURN(const auto file, folder->create(state.golden_name()));
  SKUA_RETURN_IF_ERROR(file->write(bytes));
  state.record.golden.file = state.golden_name();
  state.record.golden.sha256 = sha256_of(bytes);
  state.record.golden.size_bytes = bytes.size();
  return {};
}

Status settle_tolerances(CompileState& state) {
  const BuildConfig& build = state.request.build;
  for (const TensorSpec& output : state.record.outputs) {
    const auto given = build.tolerances.find(output.name);
    state.record.golden.tolerances[output.name] =
        given != build.tolerances.end() ? given->second : default_tolerance(build.precision, output);
  }
  for (const auto& [name, tolerance] : build.tolerances) {
    if (state.record.golden.tolerances.count(name) != 0) continue;
    return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                      "tolerances[" + quote(name) + "]: no output has this name");
  }
  return {};
}

bool is_finite(const TensorView& view) {
  if (view.dtype == DType::kFloat32) {
    const auto values = view.as<float>();
    return std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); });
  }
  if (view.dtype == DType::kFloat16) {
    const auto values = view.as<std::uint16_t>();
    return std::all_of(values.begin(), values.end(),
                       [](std::uint16_t bits) { return (bits & 0x7C00U) != 0x7C00U; });
  }
  return true;
}

Status feed(const CompileState& state, Execution& execution) {
  for (std::size_t i = 0; i < state.record.inputs.size(); ++i) {
    const TensorView& view = state.golden.inputs.find(state.record.inputs[i].name)->view();
    SKUA_RETURN_IF_ERROR(execution.set_input_shape(i, view.shape));
    if (view.size_bytes() > 0) std::memcpy(execution.input(i).data, view.data, view.size_bytes());
  }
  return {};
}

}  // namespace

Status make_golden(CompileState& state) {
  SKUA_RETURN_IF_ERROR(settle_tolerances(state));
  SKUA_RETURN_IF_ERROR(state.request.build.golden ? read_golden(state) : compute_golden(state));
  return write_golden(state);
}

Status compare_with_golden(CompileState& state) {
  SKUA_ASSIGN_OR_RETURN(const auto engine,
                        load_engine(state.library, state.request.config, state.artifact, state.record));
  SKUA_ASSIGN_OR_RETURN(const auto execution, engine->create_execution());
  SKUA_RETURN_IF_ERROR(feed(state, *execution));
  if (Status ran = execution->run(std::nullopt); !ran.ok()) {
    return build_error(ran.error().reason, "the run on the golden inputs failed: " + ran.error().describe());
  }
  std::vector<std::string> non_finite;
  for (std::size_t i = 0; i < state.record.outputs.size(); ++i) {
    const std::string& name = state.record.outputs[i].name;
    const TensorView found = execution->output(i);
    const auto difference = compare_golden(name, state.golden.outputs.find(name)->view(), found,
                                           state.record.golden.tolerances.at(name));
    if (!difference.ok()) {
      return build_error(Reason::kGoldenMismatch, state.request.artifact_name + ": " +
                                                      difference.error().message +
                                                      "; expected values: " + state.record.golden.origin);
    }
    state.record.proof["golden.max_abs." + name] = print_double(difference->max_absolute);
    if (!is_finite(found)) non_finite.push_back(name);
  }
  if (!non_finite.empty()) state.record.proof["golden.non_finite_outputs"] = join(non_finite);
  return {};
}

}  // namespace skua::ort
