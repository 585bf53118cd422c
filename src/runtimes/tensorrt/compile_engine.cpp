// The steps after a build: the plan's header, the plan deserialised once, and whether what TensorRT says of
// it is what was asked for.
#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "cache/plan_header.h"
#include "compile/output_bounds.h"
#include "compile/source_file.h"
#include "core/profile_check.h"
#include "core/text.h"
#include "runtimes/tensorrt/compile_differences.h"
#include "runtimes/tensorrt/compile_steps.h"
#include "runtimes/tensorrt/plan_file.h"
#include "runtimes/tensorrt/trt_errors.h"
#include "runtimes/tensorrt/trt_types.h"

namespace skua::tensorrt {
namespace {

using compile::build_error;

Error as_build(Error error) {
  error.code = ErrorCode::kEngineBuild;
  return error;
}

std::string names_of(const std::vector<PlanTensor>& tensors) {
  std::vector<std::string> names;
  for (const PlanTensor& tensor : tensors) names.push_back(tensor.name);
  std::sort(names.begin(), names.end());
  return join(names);
}

std::string names_of(const std::vector<ModelTensor>& tensors) {
  std::vector<std::string> names;
  for (const ModelTensor& tensor : tensors) names.push_back(tensor.spec.name);
  std::sort(names.begin(), names.end());
  return join(names);
}

const PlanTensor* find_tensor(const std::vector<PlanTensor>& tensors, const std::string& name) {
  const auto found = std::find_if(tensors.begin(), tensors.end(),
                                  [&name](const PlanTensor& each) { return each.name == name; });
  return found == tensors.end() ? nullptr : &*found;
}

std::string range_text(const Shape& min, const Shape& opt, const Shape& max) {
  return min.to_string() + " to " + opt.to_string() + " to " + max.to_string();
}

void compare_input(const CompileState& state, const TensorSpec& asked, const PlanTensor& found,
                   Differences& differences) {
  const std::string where = "input " + quote(asked.name);
  differences.compare(where, std::string(to_string(asked.dtype)) + " " + asked.shape.to_string(),
                      std::string(to_string(found.dtype)) + " " + found.shape.to_string());
  differences.compare(where + " memory", "the device's", found.is_host ? "the host's" : "the device's");
  for (const OptimizationProfile& profile : state.options.profiles) {
    if (profile.input_name != asked.name || asked.shape.is_static()) continue;
    differences.compare(where + " profile", range_text(profile.min, profile.opt, profile.max),
                        range_text(found.min, found.opt, found.max));
  }
}

void compare_output(const TensorSpec& asked, const PlanTensor& found, Differences& differences) {
  const std::string where = "output " + quote(asked.name);
  differences.compare(where, std::string(to_string(asked.dtype)), std::string(to_string(found.dtype)));
  differences.compare(where + " rank", std::to_string(asked.shape.rank()),
                      std::to_string(found.shape.rank()));
  // What the network leaves open the plan may know.
  for (std::size_t axis = 0; axis < std::min(asked.shape.rank(), found.shape.rank()); ++axis) {
    if (asked.shape[axis] < 0 || asked.shape[axis] == found.shape[axis]) continue;
    differences.compare(where + " shape", asked.shape.to_string(), found.shape.to_string());
    break;
  }
}

/// What PlanEngine has not refused by itself.
Status compare_plan(const CompileState& state) {
  const PlanFacts& plan = state.plan->facts();
  Differences differences;
  differences.compare("inputs", names_of(state.contract.inputs), names_of(plan.inputs));
  differences.compare("outputs", names_of(state.contract.outputs), names_of(plan.outputs));
  for (const ModelTensor& input : state.contract.inputs) {
    const PlanTensor* const found = find_tensor(plan.inputs, input.spec.name);
    if (found != nullptr) compare_input(state, input.spec, *found, differences);
  }
  for (const ModelTensor& output : state.contract.outputs) {
    const PlanTensor* const found = find_tensor(plan.outputs, output.spec.name);
    if (found != nullptr) compare_output(output.spec, *found, differences);
  }
  const bool is_bounded = plan.auxiliary_streams <= state.options.max_aux_streams;
  differences.compare("auxiliary streams", "at most " + std::to_string(state.options.max_aux_streams),
                      is_bounded ? "at most " + std::to_string(state.options.max_aux_streams)
                                 : std::to_string(plan.auxiliary_streams));
  // A tool does not let us name the network.
  if (state.options.route == BuildRoute::kBuilder)
    differences.compare("network name", state.options.network_name, plan.name);
  const bool is_detailed =
      state.plan->engine().getProfilingVerbosity() == nvinfer1::ProfilingVerbosity::kDETAILED;
  differences.compare("profiling verbosity", state.options.is_detailed() ? "detailed" : "less",
                      is_detailed ? "detailed" : "less");
  return differences.finish(state.request.artifact_name + " is not what was asked for",
                            "report it with the TensorRT release and the model");
}

using Context = std::unique_ptr<nvinfer1::IExecutionContext>;

Error cannot_ask(const CompileState& state, const std::string& what) {
  return translate(TrtContext::kCompile, state.plan->recorder(), state.request.artifact_name + ": " + what,
                   "");
}

/// A context without memory answers questions about shapes.
Result<Context> shape_context(const CompileState& state) {
  Context context(state.plan->engine().createExecutionContext(
      nvinfer1::ExecutionContextAllocationStrategy::kUSER_MANAGED));
  if (!context) return cannot_ask(state, "making a context");
  return context;
}

/// Grows each output's max_shape to what it has with the inputs at one end of their profiles; -1 where the
/// run decides.
Status add_output_shapes(const CompileState& state, nvinfer1::IExecutionContext& context,
                         Shape OptimizationProfile::*side, std::vector<ModelTensor>& outputs) {
  for (const OptimizationProfile& profile : state.options.profiles) {
    if (!context.setInputShape(profile.input_name.c_str(), dims_of(profile.*side)))
      return cannot_ask(state,
                        "input " + quote(profile.input_name) + " of shape " + (profile.*side).to_string());
  }
  for (ModelTensor& output : outputs) {
    const auto shape = shape_of(context.getTensorShape(output.spec.name.c_str()));
    if (!shape.ok() || shape->rank() != output.spec.shape.rank())
      return cannot_ask(state, "the shape of output " + quote(output.spec.name));
    for (std::size_t axis = 0; axis < shape->rank(); ++axis) {
      const bool is_open = (*shape)[axis] < 0 || output.spec.max_shape[axis] < 0;
      output.spec.max_shape.set(axis, is_open ? -1 : std::max((*shape)[axis], output.spec.max_shape[axis]));
    }
  }
  return {};
}

/// In the model's order, with the shapes that the plan has, and as max_shape the greatest of the three ends.
Result<std::vector<ModelTensor>> outputs_at_the_ends(const CompileState& state) {
  std::vector<ModelTensor> outputs = state.contract.outputs;
  for (ModelTensor& output : outputs) {
    output.spec.shape = find_tensor(state.plan->facts().outputs, output.spec.name)->shape;
    output.spec.max_shape = output.spec.shape;
    for (std::size_t axis = 0; axis < output.spec.shape.rank(); ++axis) {
      if (output.spec.shape[axis] < 0) output.spec.max_shape.set(axis, 0);
    }
  }
  SKUA_ASSIGN_OR_RETURN(const Context context, shape_context(state));
  for (const auto side : {&OptimizationProfile::min, &OptimizationProfile::opt, &OptimizationProfile::max}) {
    SKUA_RETURN_IF_ERROR(add_output_shapes(state, *context, side, outputs));
  }
  return outputs;
}

/// Whether the three ends are one, so that there is nothing between them.
bool is_point(const OptimizationProfile& profile) {
  return profile.min == profile.opt && profile.opt == profile.max;
}

const OnnxValue* declaration_of(const OnnxModel& source, const std::string& name) {
  const auto& outputs = source.graph.outputs;
  const auto found = std::find_if(outputs.begin(), outputs.end(),
                                  [&name](const OnnxValue& value) { return value.name == name; });
  return found == outputs.end() || !found->has_shape ? nullptr : &*found;
}

/// The number that is declared for a dimension; -1 when there is none.
std::int64_t declared_size(const OnnxValue* declared, std::size_t axis) {
  return declared == nullptr || axis >= declared->dims.size()
             ? -1
             : std::max<std::int64_t>(declared->dims[axis].value, -1);
}

/// What the ends show bounds nothing between them: a shape may be a remainder, or a difference of two inputs.
/// So a dimension that the plan leaves open is opened again for bounded_outputs, which knows the names of
/// input dimensions and the user's capacities. A number in the file stands, if hold_to_the_ends lets it. For
/// what depends on the data no name stands.
void reopen(const CompileState& state, std::vector<ModelTensor>& outputs) {
  const auto& profiles = state.options.profiles;
  const bool is_exact = std::all_of(profiles.begin(), profiles.end(), is_point);
  for (ModelTensor& output : outputs) {
    TensorSpec& spec = output.spec;
    const OnnxValue* const declared = declaration_of(state.source, spec.name);
    for (std::size_t axis = 0; axis < spec.shape.rank(); ++axis) {
      const std::int64_t shown = spec.max_shape[axis];
      if (spec.shape[axis] < 0 && shown < 0) output.symbols[axis].clear();
      if (spec.shape[axis] >= 0 || shown < 0 || is_exact) continue;
      spec.max_shape.set(axis, declared_size(declared, axis));
    }
  }
}

/// The shape that the file declares for an output, when it is fixed.
std::optional<Shape> declared_shape(const OnnxModel& source, const std::string& name) {
  const OnnxValue* const declared = declaration_of(source, name);
  if (declared == nullptr) return std::nullopt;
  std::vector<std::int64_t> dims;
  for (std::size_t axis = 0; axis < declared->dims.size(); ++axis)
    dims.push_back(declared_size(declared, axis));
  const auto shape = Shape::from(dims);
  return shape.ok() && shape->is_static() ? std::optional(*shape) : std::nullopt;
}

/// The user's capacities; beside them the file's word for an output that TensorRT leaves open. TensorRT
/// ignores it, so it is a capacity and no more: a run that needs more is an error.
std::map<std::string, Shape> capacities(const CompileState& state, const std::vector<ModelTensor>& outputs) {
  std::map<std::string, Shape> bounds = state.request.build.max_output_shapes;
  for (const ModelTensor& output : outputs) {
    const TensorSpec& spec = output.spec;
    const bool is_asked = spec.max_shape.rank() == spec.shape.rank();
    const auto declared = declared_shape(state.source, spec.name);
    if (declared && !(is_asked ? spec.max_shape : spec.shape).is_static())
      bounds.emplace(spec.name, *declared);
  }
  return bounds;
}

bool is_of_an_input(const std::vector<ModelTensor>& inputs, const std::string& symbol) {
  return !symbol.empty() && std::any_of(inputs.begin(), inputs.end(), [&symbol](const ModelTensor& input) {
    return std::find(input.symbols.begin(), input.symbols.end(), symbol) != input.symbols.end();
  });
}

/// Nobody has asked the engine: a dimension that no profile bounds and nobody has given has the capacity 0,
/// and its output is named. Such an engine never runs.
std::vector<std::string> close_open_outputs(const CompileState& state, ModelTensors& tensors) {
  const auto given = capacities(state, tensors.outputs);
  std::vector<std::string> open;
  for (ModelTensor& output : tensors.outputs) {
    TensorSpec& spec = output.spec;
    if (given.count(spec.name) != 0) continue;
    bool is_open = false;
    spec.max_shape = spec.shape;
    for (std::size_t axis = 0; axis < spec.shape.rank(); ++axis) {
      if (spec.shape[axis] >= 0 || is_of_an_input(tensors.inputs, output.symbols[axis])) continue;
      spec.max_shape.set(axis, 0);
      is_open = true;
    }
    if (is_open) open.push_back(spec.name);
  }
  return open;
}

Status settle(CompileState& state, const ModelTensors& tensors) {
  const BuildConfig& build = state.request.build;
  state.record.profiles = build.optimization_profiles;
  state.record.inputs = compile::bounded_inputs(tensors.inputs, build.optimization_profiles);
  SKUA_ASSIGN_OR_RETURN(state.record.outputs, compile::bounded_outputs(tensors, build.optimization_profiles,
                                                                       capacities(state, tensors.outputs)));
  return {};
}

/// The names and numbers of the file, and the user's, are words; what the ends show is not. `at_the_ends` has
/// it as max_shape. Only what the engine cannot say there depends on the data.
Status hold_to_the_ends(const std::vector<ModelTensor>& at_the_ends, std::vector<TensorSpec>& outputs) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Shape& shown = at_the_ends[i].spec.max_shape;
    for (std::size_t axis = 0; axis < shown.rank(); ++axis) {
      if (shown[axis] <= outputs[i].max_shape[axis]) continue;
      return build_error(Reason::kOutputUnbounded,
                         "output " + quote(outputs[i].name) + ": expected at most " +
                             outputs[i].max_shape.to_string() + ", found " + shown.to_string() +
                             " at the ends of the optimisation profiles; give max_output_shapes[" +
                             quote(outputs[i].name) + "]");
    }
    outputs[i].data_dependent = !shown.is_static();
  }
  return {};
}

}  // namespace

Status check_header(CompileState& state) {
  constexpr std::uint64_t kNoLimit = std::numeric_limits<std::int64_t>::max();
  SKUA_ASSIGN_OR_RETURN(state.artifact,
                        compile::read_file(state.artifact_path(), kNoLimit, Reason::kBuilderCrashed));
  const auto header = read_plan_header(state.artifact, state.request.artifact_name);
  if (!header.ok()) return as_build(header.error());
  state.record.proof["plan.tag"] = header->tag;
  state.record.proof["plan.version"] = header->version_text();
  // TensorRT-RTX's plans run nowhere that we know; where nothing can be proven they show that a build goes
  // through.
  if (state.request.unproven && header->tag == kRtxPlanTag) return {};
  Status agreed = check_plan_header(state.artifact, state.request.host, state.request.artifact_name);
  if (!agreed.ok()) return as_build(std::move(agreed).error());
  return {};
}

Status open_plan(CompileState& state) {
  state.lane_state = std::make_shared<DeviceState>(null_event_sink());
  SKUA_ASSIGN_OR_RETURN(state.plan, PlanEngine::open(state.artifact, state.lane_state, TrtContext::kCompile,
                                                     state.request.artifact_name));
  SKUA_RETURN_IF_ERROR(compare_plan(state));
  const PlanFacts& facts = state.plan->facts();
  state.record.device_memory_bytes = facts.device_memory_bytes;
  state.record.proof["aux_streams"] = std::to_string(facts.auxiliary_streams);
  state.record.proof["plan.network_name"] = facts.name;
  return {};
}

Status settle_contract(CompileState& state) {
  SKUA_ASSIGN_OR_RETURN(const std::vector<ModelTensor> at_the_ends, outputs_at_the_ends(state));
  ModelTensors tensors{state.contract.inputs, at_the_ends};
  reopen(state, tensors.outputs);
  SKUA_RETURN_IF_ERROR(settle(state, tensors));
  return hold_to_the_ends(at_the_ends, state.record.outputs);
}

Status settle_unproven(CompileState& state) {
  // What a lane would take is known to the engine alone; the builder's bound stands for it.
  state.record.device_memory_bytes = state.options.workspace_bytes;
  state.record.proof["unproven"] = "never deserialised";
  ModelTensors tensors = state.contract;
  const std::vector<std::string> open = close_open_outputs(state, tensors);
  SKUA_RETURN_IF_ERROR(settle(state, tensors));
  if (open.empty()) return {};
  state.record.proof["outputs.unbounded"] = join(open);
  for (TensorSpec& output : state.record.outputs) {
    const bool is_open = std::find(open.begin(), open.end(), output.name) != open.end();
    output.data_dependent = output.data_dependent || is_open;
  }
  return {};
}

}  // namespace skua::tensorrt
