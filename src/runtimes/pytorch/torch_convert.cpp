#include "runtimes/pytorch/torch_convert.h"

#include <ATen/ops/isinf.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/jit/ir/alias_analysis.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/passes/freeze_module.h>

#include <cstring>
#include <sstream>
#include <utility>

#include "runtimes/pytorch/torch_program.h"

namespace skua::pytorch {
namespace {

namespace jit = torch::jit;

Error build_error(Reason reason, std::string message) {
  return make_error(ErrorCode::kEngineBuild, reason, std::move(message));
}

/// What is carried along: docs/formats/torchscript-io.md.
jit::ExtraFilesMap wanted_files() {
  return {{"skua.model_id", ""}, {"skua.weights_sha256", ""}, {"skua.exporter", ""}, {"skua.io", ""}};
}

bool is_true(const jit::Value* value) {
  const auto constant = jit::toIValue(value);
  return constant && constant->isBool() && constant->toBool();
}

/// Batch statistics instead of the learned ones: the result would depend on what ran before.
bool is_training_norm(const jit::Node& node) {
  return node.kind() == c10::aten::batch_norm && is_true(node.namedInput("training"));
}

/// A layer draws nothing once its training flag is off or its dropout is zero, whatever libtorch's list says
/// (lstm, rrelu, scaled_dot_product_attention).
bool draws_random_numbers(const jit::Node& node) {
  if (!node.isNondeterministic()) return false;
  for (const char* flag : {"train", "training", "dropout_p"}) {
    if (!node.hasNamedInput(flag)) continue;
    const auto constant = jit::toIValue(node.namedInput(flag));
    if (constant && constant->isScalar() && constant->toScalar().toDouble() == 0.0) return false;
    if (constant && constant->isBool() && !constant->toBool()) return false;
  }
  return true;
}

/// Files that libtorch would open by itself, past every gate.
bool touches_files(const jit::Node& node) {
  const std::string kind = node.kind().toQualString();
  return kind == "aten::from_file" || kind == "aten::save";
}

/// Warnings are dropped when the network runs; these cannot be.
bool has_other_effects(const jit::Node& node) {
  return node.kind() == c10::prim::Print ||
         node.kind().toQualString() == std::string_view("aten::manual_seed");
}

Error undeployable(const std::string& what, const std::string& why) {
  return build_error(Reason::kModelUnsupported, "forward() " + what + ": " + why);
}

Status check_node(const jit::Node& node) {
  const std::string kind = node.kind().toQualString();
  if (draws_random_numbers(node)) {
    return undeployable(
        "calls " + kind + ", whose results differ from run to run",
        "call eval() before exporting (dropout of a trace made in training mode?), and draw no "
        "random numbers");
  }
  if (is_training_norm(node)) {
    return undeployable("calls " + kind + " in training mode", "call eval() before exporting");
  }
  if (has_other_effects(node)) {
    return undeployable("calls " + kind, "it does something else than computing a result; leave it out");
  }
  return {};
}

template <typename Check>
Status check_block(jit::Block* block, const Check& check) {
  for (jit::Node* node : block->nodes()) {
    for (jit::Block* inner : node->blocks()) SKUA_RETURN_IF_ERROR(check_block(inner, check));
    SKUA_RETURN_IF_ERROR(check(*node));
  }
  return {};
}

/// What a node takes from the network itself: a constant's name, an attribute's, or nothing.
std::string held_name(const jit::Node& node) {
  if (node.outputs().size() != 1) return {};
  const bool is_tensor = node.output()->type()->kind() == c10::TypeKind::TensorType;
  if (node.kind() == c10::prim::Constant && is_tensor) return "%" + node.output()->debugName();
  const bool is_value = node.output()->type()->kind() != c10::TypeKind::ClassType;
  return node.kind() == c10::prim::GetAttr && is_value ? node.s(c10::attr::name) : std::string();
}

/// Lanes share what a network holds: a write to it would be seen by the next run, and by another lane's.
Status check_no_state(const std::shared_ptr<jit::Graph>& graph) {
  const jit::AliasDb aliases(graph);
  return check_block(graph->block(), [&](const jit::Node& node) -> Status {
    const bool is_set = node.kind() == c10::prim::SetAttr;
    const std::string name = is_set ? node.s(c10::attr::name) : held_name(node);
    if (!is_set && (name.empty() || !aliases.hasWriters(node.output()))) return {};
    return undeployable(
        "changes what it holds, '" + name + "'",
        "a result would depend on what ran before; make it an input and an output, or copy it first");
  });
}

/// Judged after freezing: what eval() switches off is gone from the graph then, and weights are constants of
/// it. Files are looked for before, because freezing would read them.
Status check_deployable(const jit::Module& module) {
  const auto written = module.get_method("forward").graph();
  SKUA_RETURN_IF_ERROR(check_block(written->block(), [](const jit::Node& node) -> Status {
    if (!touches_files(node)) return {};
    return undeployable("calls " + std::string(node.kind().toQualString()),
                        "no byte reaches a network but through the gate; make it a weight");
  }));
  const jit::Module frozen = jit::freeze_module(module);
  const auto graph = frozen.get_method("forward").graph();
  SKUA_RETURN_IF_ERROR(check_block(graph->block(), check_node));
  return check_no_state(graph);
}

/// Turns a network to half and counts what became of its values.
class HalfConversion {
 public:
  Status apply(jit::Module& module) {
    Status status;
    transform(module, [&](const HeldTensor& held) {
      if (!status.ok()) return held.tensor;
      auto changed = convert(held);
      if (changed.ok()) return *std::move(changed);
      status = std::move(changed).error();
      return held.tensor;
    });
    return status;
  }

  void write(std::map<std::string, std::string>& proof) const {
    proof["tensors.fp16"] = std::to_string(halves_);
    proof["tensors.not_floating"] = std::to_string(untouched_);
    proof["constants.numbers"] = std::to_string(numbers_);
    proof["values.underflowed_to_zero"] = std::to_string(underflowed_);
    if (underflowed_ > 0) proof["values.underflowed_first_in"] = first_underflow_;
  }

 private:
  Result<at::Tensor> convert(const HeldTensor& held) {
    if (held.is_number || !at::isFloatingType(held.tensor.scalar_type())) {
      (held.is_number ? numbers_ : untouched_) += 1;
      return held.tensor;
    }
    const at::Tensor half = held.tensor.to(at::kHalf);
    const std::int64_t overflowed =
        half.isinf().logical_and(held.tensor.isinf().logical_not()).sum().item().toLong();
    if (overflowed > 0) {
      return build_error(
          Reason::kPrecisionNotSupported,
          "'" + held.name + "' has " + std::to_string(overflowed) +
              " values beyond half precision's 65504; scale the network's weights, or use a runtime "
              "with another precision");
    }
    const std::int64_t lost = half.eq(0).logical_and(held.tensor.ne(0)).sum().item().toLong();
    if (lost > 0 && underflowed_ == 0) first_underflow_ = held.name;
    underflowed_ += lost;
    halves_ += 1;
    return half;
  }

  std::int64_t halves_ = 0, untouched_ = 0, numbers_ = 0, underflowed_ = 0;
  std::string first_underflow_;
};

std::vector<std::byte> saved(const jit::Module& module, const jit::ExtraFilesMap& extra_files) {
  std::ostringstream stream(std::ios::binary);
  module.save(stream, extra_files);
  const std::string text = std::move(stream).str();
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

/// A copy of our own in the element type that a plan computes in.
Result<at::Tensor> argument_of(const TensorView& view, const RunPlan& plan) {
  SKUA_ASSIGN_OR_RETURN(const at::Tensor borrowed, borrow(view));
  const bool is_floating = at::isFloatingType(borrowed.scalar_type());
  if (!is_floating) return borrowed.clone();
  if (plan.arithmetic == Arithmetic::kFp32) return borrowed.to(at::kFloat, false, true);
  return borrowed.to(at::kHalf).to(computing_type(plan), false, true);
}

Result<Tensor> copy_of(const at::Tensor& result, const std::string& name) {
  const auto dtype = dtype_of(result.scalar_type());
  if (!dtype) {
    return build_error(Reason::kModelUnsupported, "output '" + name + "' has the element type " +
                                                      std::string(c10::toString(result.scalar_type())) +
                                                      ", which Skua does not know");
  }
  auto shape = Shape::from({result.sizes().data(), result.sizes().size()});
  if (!shape.ok())
    return build_error(Reason::kModelUnsupported, "output '" + name + "': " + shape.error().message);
  SKUA_ASSIGN_OR_RETURN(Tensor tensor, Tensor::allocate(*dtype, *shape));
  const at::Tensor host = settled(result);
  if (tensor.view().size_bytes() > 0)
    std::memcpy(tensor.view().data, host.const_data_ptr(), tensor.view().size_bytes());
  return tensor;
}

class Trial final : public TrialModule {
 public:
  Trial(Program program, RunPlan plan) : program_(std::move(program)), plan_(std::move(plan)) {}

  Result<std::vector<TrialOutput>> run(std::span<const TensorView> inputs) override {
    return guarded(TorchContext::kCompile, "the trial run", [&] { return run_once(inputs); });
  }

 private:
  Result<std::vector<TrialOutput>> run_once(std::span<const TensorView> inputs) {
    // Made outside of inference mode: such tensors count the writes to them, also those that change no value.
    std::vector<at::Tensor> arguments;
    std::vector<std::int64_t> writes;
    for (const TensorView& view : inputs) {
      SKUA_ASSIGN_OR_RETURN(at::Tensor argument, argument_of(view, plan_));
      writes.push_back(argument._version());
      arguments.push_back(std::move(argument));
    }
    const c10::InferenceMode inference;
    torch::jit::Stack stack;
    program_.run(stack, arguments);
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      if (arguments[i]._version() == writes[i]) continue;
      return build_error(Reason::kModelUnsupported,
                         "forward() changes its input '" + program_.interface.inputs[i] +
                             "' in place; the caller's tensor would not be what was given: "
                             "copy it first");
    }
    return outputs_of(stack.back());
  }

  Result<std::vector<TrialOutput>> outputs_of(const c10::IValue& result) {
    std::vector<TrialOutput> outputs;
    if (result.isGenericDict()) {
      for (const auto& entry : result.toGenericDict()) {
        SKUA_RETURN_IF_ERROR(add(entry.key().toStringRef(), entry.value().toTensor(), outputs));
      }
      return outputs;
    }
    for (std::size_t i = 0; i < program_.interface.outputs.size(); ++i) {
      SKUA_RETURN_IF_ERROR(add(program_.interface.outputs[i], output_of(result, program_.keys, i), outputs));
    }
    return outputs;
  }

  static Status add(const std::string& name, const at::Tensor& result, std::vector<TrialOutput>& outputs) {
    SKUA_ASSIGN_OR_RETURN(Tensor tensor, copy_of(result, name));
    outputs.push_back({name, std::move(tensor)});
    return {};
  }

  Program program_;
  RunPlan plan_;
};

}  // namespace

Result<Converted> convert(std::span<const std::byte> source, Precision precision) {
  return guarded(TorchContext::kCompile, "the model", [&]() -> Result<Converted> {
    if (const std::string other = other_package(source); !other.empty()) {
      return build_error(Reason::kModelUnsupported,
                         "expected TorchScript, found " + other +
                             "; save the network with torch.jit.save(torch.jit.script(network), ...)");
    }
    jit::ExtraFilesMap extra_files = wanted_files();
    jit::Module module = read_archive(source, extra_files);
    Converted converted;
    SKUA_ASSIGN_OR_RETURN(converted.interface, interface_of(module));
    SKUA_RETURN_IF_ERROR(check_deployable(module));
    if (precision == Precision::kFp16) {
      HalfConversion conversion;
      SKUA_RETURN_IF_ERROR(conversion.apply(module));
      conversion.write(converted.proof);
    }
    for (const auto& [name, text] : extra_files) {
      if (!text.empty()) converted.metadata.emplace(name, text);
    }
    converted.artifact = saved(module, {converted.metadata.begin(), converted.metadata.end()});
    return converted;
  });
}

Result<std::unique_ptr<TrialModule>> open_trial(std::span<const std::byte> archive, const RunPlan& plan) {
  return guarded(TorchContext::kCompile, "the model", [&]() -> Result<std::unique_ptr<TrialModule>> {
    SKUA_ASSIGN_OR_RETURN(Program program, make_program(archive, plan));
    return std::unique_ptr<TrialModule>(std::make_unique<Trial>(std::move(program), plan));
  });
}

}  // namespace skua::pytorch
