// Names, element types and capacities of the outputs. A TorchScript file says nothing of them, so the source
// runs at the ends of its profiles and on other values: what stays the same is fixed, the rest is bounded by
// what was seen or by max_output_shapes. The artifact runs natively once, to see which outputs half
// arithmetic gives.
#include <algorithm>
#include <cstring>

#include "compile/source_file.h"
#include "compile/trial_inputs.h"
#include "core/text.h"
#include "runtimes/pytorch/compile_steps.h"

namespace skua::pytorch {
namespace {

using compile::build_error;
using Outputs = std::vector<TrialOutput>;

/// Inputs of one trial, owned.
using Inputs = std::vector<Tensor>;

enum class Values { kMadeUp, kZero };

Result<Inputs> inputs_at(const CompileState& state, Shape OptimizationProfile::*side, Values values) {
  Inputs inputs;
  for (const TensorSpec& spec : state.record.inputs) {
    Shape shape = spec.shape;
    for (const OptimizationProfile& profile : state.record.profiles) {
      if (profile.input_name == spec.name) shape = profile.*side;
    }
    SKUA_ASSIGN_OR_RETURN(Tensor tensor, Tensor::allocate(spec.dtype, shape));
    if (values == Values::kMadeUp)
      compile::fill_trial_input(tensor.view(), state.record.model_sha256, spec.name);
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

/// The user's golden inputs surely make sense to the network; they are judged against the record later.
Result<Inputs> golden_inputs(const CompileState& state) {
  constexpr std::uint64_t kMaxGoldenBytes = 1U << 30U;
  const auto& file = state.request.build.golden->file;
  SKUA_ASSIGN_OR_RETURN(const auto bytes, compile::read_file(file, kMaxGoldenBytes, Reason::kGoldenMissing));
  auto golden = decode_golden(bytes);
  if (!golden.ok()) return build_error(golden.error().reason, file.string() + ": " + golden.error().message);
  Inputs inputs;
  for (const TensorSpec& spec : state.record.inputs) {
    const Tensor* given = golden->inputs.find(spec.name);
    if (given == nullptr || given->view().dtype != spec.dtype) {
      return build_error(Reason::kGoldenMalformed, file.string() + ": expected an input " + quote(spec.name) +
                                                       " of " + std::string(to_string(spec.dtype)) +
                                                       ", found none");
    }
    SKUA_ASSIGN_OR_RETURN(Tensor copy, Tensor::allocate(spec.dtype, given->view().shape));
    const std::size_t size = copy.view().size_bytes();
    if (size > 0) std::memcpy(copy.view().data, given->view().data, size);
    inputs.push_back(std::move(copy));
  }
  return inputs;
}

Result<Outputs> run(TrialModule& module, const Inputs& inputs) {
  std::vector<TensorView> views;
  for (const Tensor& tensor : inputs) views.push_back(tensor.view());
  return module.run(views);
}

struct Runs {
  std::vector<Outputs> all;
  bool has_zeros = false;  ///< the last one is of other values, at the shapes of the one before
};

/// One trial after the other: at every profile side, then on other values at the opt shapes.
Result<Runs> run_all(const CompileState& state, TrialModule& module) {
  Runs result;
  std::vector<Outputs>& runs = result.all;
  if (state.request.build.golden) {
    SKUA_ASSIGN_OR_RETURN(const Inputs inputs, golden_inputs(state));
    SKUA_ASSIGN_OR_RETURN(Outputs outputs, run(module, inputs));
    runs.push_back(std::move(outputs));
  }
  const bool has_profiles = !state.record.profiles.empty();
  for (const auto side : {&OptimizationProfile::min, &OptimizationProfile::max, &OptimizationProfile::opt}) {
    if (!has_profiles && (side != &OptimizationProfile::opt || !runs.empty())) continue;
    SKUA_ASSIGN_OR_RETURN(const Inputs inputs, inputs_at(state, side, Values::kMadeUp));
    SKUA_ASSIGN_OR_RETURN(Outputs outputs, run(module, inputs));
    runs.push_back(std::move(outputs));
  }
  // A network may refuse a picture that is all black; then this run tells nothing, and nothing depends on it.
  SKUA_ASSIGN_OR_RETURN(const Inputs zeros, inputs_at(state, &OptimizationProfile::opt, Values::kZero));
  if (auto outputs = run(module, zeros); outputs.ok()) {
    runs.push_back(*std::move(outputs));
    result.has_zeros = true;
  }
  return result;
}

std::string default_name(std::size_t index, std::size_t count) {
  return count == 1 ? "output" : "output_" + std::to_string(index);
}

/// The first that says something: the build configuration, the file's declaration, the network itself.
Result<std::vector<std::string>> output_names(const CompileState& state, const Outputs& seen) {
  std::vector<std::string> names;
  for (const TrialOutput& output : seen) {
    names.push_back(output.name.empty() ? default_name(names.size(), seen.size()) : output.name);
  }
  const bool is_dict = state.converted.interface.outputs.empty();
  std::vector<std::string> said = state.request.build.output_names;
  if (said.empty() && state.declared) said = state.declared->outputs;
  if (said.empty()) return names;
  const bool fits = is_dict ? std::is_permutation(said.begin(), said.end(), names.begin(), names.end())
                            : said.size() == names.size();
  if (fits) return said;
  return build_error(Reason::kProfileMismatch,
                     "outputs: expected the names of the " + std::to_string(names.size()) +
                         " outputs that forward() gives (" + join(names) + "), found " + join(said) +
                         "; correct output_names, or export the model again");
}

/// Of one run, by the settled order: a dict's outputs are looked up by name.
const TrialOutput& output_in(const CompileState& state, const Outputs& outputs, const std::string& name,
                             std::size_t index) {
  if (!state.converted.interface.outputs.empty()) return outputs[index];
  return *std::find_if(outputs.begin(), outputs.end(),
                       [&](const TrialOutput& each) { return each.name == name; });
}

/// A dict's keys are its outputs' names, whatever it is given.
Status check_keys(const CompileState& state, const std::vector<std::string>& names, const Outputs& outputs) {
  if (!state.converted.interface.outputs.empty()) return {};
  std::vector<std::string> found;
  for (const TrialOutput& output : outputs) found.push_back(output.name);
  if (std::is_permutation(names.begin(), names.end(), found.begin(), found.end())) return {};
  return build_error(Reason::kModelUnsupported, "outputs: forward() gives " + join(names) +
                                                    " in one run and " + join(found) +
                                                    " in another; give the same keys in every run");
}

Error bound_error(const std::string& name, const std::string& expected, const std::string& found) {
  return make_error(ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
                    "max_output_shapes[" + quote(name) + "]: expected " + expected + ", found " + found);
}

/// The shape that was seen everywhere, -1 where it differed, and the largest.
Status add_seen(const Shape& seen, bool is_first, TensorSpec& spec) {
  if (is_first) spec.shape = spec.max_shape = seen;
  if (seen.rank() != spec.shape.rank()) {
    return build_error(Reason::kModelUnsupported,
                       "output " + quote(spec.name) + ": expected one rank, found " + spec.shape.to_string() +
                           " and " + seen.to_string() + " in two runs; give it one rank");
  }
  for (std::size_t axis = 0; axis < seen.rank(); ++axis) {
    if (spec.shape[axis] != seen[axis]) spec.shape.set(axis, -1);
    spec.max_shape.set(axis, std::max(spec.max_shape[axis], seen[axis]));
  }
  return {};
}

Status apply_bound(const Shape& bound, TensorSpec& spec) {
  if (bound.rank() != spec.shape.rank()) {
    return bound_error(spec.name, "a shape of rank " + std::to_string(spec.shape.rank()), bound.to_string());
  }
  for (std::size_t axis = 0; axis < bound.rank(); ++axis) {
    if (bound[axis] < spec.max_shape[axis]) {
      return bound_error(spec.name,
                         "a shape that covers what a trial run gave, " + spec.max_shape.to_string(),
                         bound.to_string());
    }
    if (bound[axis] != spec.shape[axis]) spec.shape.set(axis, -1);
  }
  spec.max_shape = bound;
  spec.data_dependent = !spec.shape.is_static();
  return {};
}

/// Two runs at one shape that differ: only the user can know how far that goes.
Status check_bounded(const TensorSpec& spec, const Shape& seen, const Shape& seen_on_zeros) {
  if (seen == seen_on_zeros) return {};
  return build_error(Reason::kOutputUnbounded,
                     "output " + quote(spec.name) + ": its shape depends on the data (" + seen.to_string() +
                         " and " + seen_on_zeros.to_string() +
                         " at one input shape); give max_output_shapes[" + quote(spec.name) + "]");
}

Result<TensorSpec> spec_of(const CompileState& state, const Runs& runs, const std::string& name,
                           std::size_t index) {
  TensorSpec spec;
  spec.name = name;
  std::vector<Shape> shapes;
  for (const Outputs& outputs : runs.all) {
    const TensorView& view = output_in(state, outputs, name, index).tensor.view();
    if (shapes.empty()) spec.dtype = view.dtype;
    if (view.dtype != spec.dtype) {
      return build_error(
          Reason::kModelUnsupported,
          "output " + quote(name) + ": its element type differs from run to run; cast it to one");
    }
    SKUA_RETURN_IF_ERROR(add_seen(view.shape, shapes.empty(), spec));
    shapes.push_back(view.shape);
  }
  const auto& bounds = state.request.build.max_output_shapes;
  if (const auto bound = bounds.find(name); bound != bounds.end()) {
    SKUA_RETURN_IF_ERROR(apply_bound(bound->second, spec));
  } else if (runs.has_zeros) {
    SKUA_RETURN_IF_ERROR(check_bounded(spec, shapes[shapes.size() - 2], shapes.back()));
  }
  return spec;
}

Status check_bound_names(const CompileState& state, const std::vector<std::string>& names) {
  for (const auto& [name, shape] : state.request.build.max_output_shapes) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      return bound_error(name, "one of the outputs " + join(names), "no such output");
    }
  }
  return {};
}

/// What half arithmetic gives, at the smallest shapes: slow on a CPU, once. Where it cannot run here, it is
/// not shown, and every output counts as half.
Status see_native_types(CompileState& state, const std::vector<std::string>& names) {
  if (state.request.build.precision == Precision::kFp32) return {};
  RunPlan plan = CompileState::reference_plan();
  plan.arithmetic = Arithmetic::kNative;
  SKUA_ASSIGN_OR_RETURN(const auto module, state.bridge.open_trial(state.artifact, plan));
  auto inputs = state.request.build.golden ? golden_inputs(state)
                                           : inputs_at(state, &OptimizationProfile::min, Values::kMadeUp);
  if (!inputs.ok()) return std::move(inputs).error();
  const auto outputs = run(*module, *inputs);
  if (!outputs.ok() && state.plan().arithmetic == Arithmetic::kNative) return outputs.error();
  if (!outputs.ok())
    state.record.proof["native_run"] = "not shown: " + outputs.error().message.substr(0, 300);
  if (outputs.ok()) SKUA_RETURN_IF_ERROR(check_keys(state, names, *outputs));
  for (std::size_t i = 0; i < names.size(); ++i) {
    const DType type =
        outputs.ok() ? output_in(state, *outputs, names[i], i).tensor.view().dtype : DType::kFloat16;
    state.computed[names[i]] = to_string(type);
    if (outputs.ok()) state.record.proof["native_run." + names[i]] = to_string(type);
  }
  return {};
}

}  // namespace

Status settle_outputs(CompileState& state) {
  SKUA_ASSIGN_OR_RETURN(const auto module,
                        state.bridge.open_trial(state.source_bytes, CompileState::reference_plan()));
  SKUA_ASSIGN_OR_RETURN(const Runs runs, run_all(state, *module));
  SKUA_ASSIGN_OR_RETURN(const std::vector<std::string> names, output_names(state, runs.all.front()));
  for (const Outputs& outputs : runs.all) SKUA_RETURN_IF_ERROR(check_keys(state, names, outputs));
  SKUA_RETURN_IF_ERROR(check_bound_names(state, names));
  for (std::size_t i = 0; i < names.size(); ++i) {
    SKUA_ASSIGN_OR_RETURN(TensorSpec spec, spec_of(state, runs, names[i], i));
    state.record.outputs.push_back(std::move(spec));
  }
  return see_native_types(state, names);
}

}  // namespace skua::pytorch
