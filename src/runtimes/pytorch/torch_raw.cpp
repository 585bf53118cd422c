#include "runtimes/pytorch/torch_raw.h"

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <array>
#include <memory>
#include <utility>

#include "core/half_rounding.h"
#include "core/profile_check.h"
#include "runtimes/pytorch/torch_program.h"

namespace skua::pytorch {
namespace {

// "interpreter": the very graph that Skua runs, given to libtorch's interpreter over tensors made once,
// rounded as Skua does it; the result stays where libtorch put it. "forward": Module::forward of the same
// module, rounded by libtorch's operators. "run": the same as most programs write it, with new tensors over
// the input memory for each call. The other two are modules of their own.
enum Variant : std::size_t { kInterpreter, kForward, kRun, kOptimized, kFrozen };
constexpr std::array<std::string_view, 5> kVariants = {"interpreter", "forward", "run", "optimized",
                                                       "frozen"};
using Modules = std::array<torch::jit::Module, kVariants.size()>;

struct RawInput {
  TensorSpec spec;
  Tensor memory;
  TensorView view;
  at::Tensor placed;    ///< over the memory
  at::Tensor argument;  ///< the same, or in the type that the network computes in
};

class TorchRawSession final : public RawSession {
 public:
  TorchRawSession(EngineRecord record, RunPlan plan, std::shared_ptr<const Program> program, Modules modules);

  std::span<const std::string_view> variants() const noexcept override { return kVariants; }
  Status place(const RawMemory& memory) override;
  Status set_input_shape(std::size_t index, const Shape& shape) override;
  TensorView input(std::size_t index) const noexcept override { return inputs_[index].view; }
  Status run(std::size_t variant) noexcept override;
  Result<TensorView> output(std::size_t index) const override;

 private:
  bool is_rounded(const at::Tensor& tensor) const {
    return plan_.arithmetic == Arithmetic::kWidened && at::isFloatingType(tensor.scalar_type());
  }
  void interpret();
  void call(std::size_t variant);

  EngineRecord record_;
  RunPlan plan_;
  std::shared_ptr<const Program> program_;
  Modules modules_;
  std::vector<c10::IValue> keys_;
  std::vector<bool> gives_half_;  ///< per output: native arithmetic does
  std::vector<RawInput> inputs_;
  std::vector<at::Tensor> arguments_, results_;
  torch::jit::Stack stack_;
};

TorchRawSession::TorchRawSession(EngineRecord record, RunPlan plan, std::shared_ptr<const Program> program,
                                 Modules modules)
    : record_(std::move(record)),
      plan_(std::move(plan)),
      program_(std::move(program)),
      modules_(std::move(modules)) {
  std::vector<std::string> names;
  for (const TensorSpec& spec : record_.outputs) {
    const auto computed = record_.options.find(computed_option(spec.name));
    gives_half_.push_back(plan_.arithmetic == Arithmetic::kWidened && computed != record_.options.end() &&
                          computed->second == to_string(DType::kFloat16));
    names.push_back(spec.name);
  }
  keys_ = keys_of(names);
}

Status TorchRawSession::place(const RawMemory& memory) {
  for (std::size_t i = 0; i < record_.inputs.size(); ++i) {
    RawInput input;
    input.spec = record_.inputs[i];
    const bool is_borrowed = i < memory.inputs.size();
    if (is_borrowed) {
      input.memory = Tensor::borrow(memory.inputs[i]);
    } else {
      SKUA_ASSIGN_OR_RETURN(input.memory, Tensor::allocate(input.spec.dtype, input.spec.max_shape));
    }
    input.view = input.memory.view();
    inputs_.push_back(std::move(input));
    const Shape shape = is_borrowed ? inputs_[i].view.shape : opt_shape_of(record_.profiles, inputs_[i].spec);
    SKUA_RETURN_IF_ERROR(set_input_shape(i, shape));
  }
  results_.resize(record_.outputs.size());
  return {};
}

Status TorchRawSession::set_input_shape(std::size_t index, const Shape& shape) {
  inputs_[index].view.shape = shape;
  return guarded(TorchContext::kLoad, inputs_[index].spec.name, [&]() -> Status {
    const c10::InferenceMode inference;
    RawInput& input = inputs_[index];
    SKUA_ASSIGN_OR_RETURN(input.placed, borrow(input.view));
    const bool is_floating = at::isFloatingType(input.placed.scalar_type());
    input.argument = is_floating ? input.placed.to(computing_type(plan_)) : input.placed;
    arguments_.resize(inputs_.size());
    arguments_[index] = input.argument;
    return {};
  });
}

void round_in_place(const at::Tensor& tensor) {
  round_through_half({tensor.mutable_data_ptr<float>(), static_cast<std::size_t>(tensor.numel())});
}

void TorchRawSession::interpret() {
  for (const RawInput& input : inputs_) {
    if (!input.argument.is_same(input.placed)) input.argument.copy_(input.placed);
    if (is_rounded(input.argument)) round_in_place(input.argument);
  }
  program_->run(stack_, arguments_);
  for (std::size_t i = 0; i < results_.size(); ++i) {
    results_[i] = output_of(stack_.back(), keys_, i);
    if (gives_half_[i]) round_in_place(results_[i] = settled(results_[i]));
  }
  stack_.clear();
}

/// What the network is given and what is read of it, by libtorch's own means: without the roundings it would
/// compute something else, and could not be compared.
at::Tensor rounded(const at::Tensor& tensor, at::ScalarType computed) {
  if (computed == at::kHalf || tensor.scalar_type() != at::kFloat) return tensor.to(computed);
  return tensor.to(at::kHalf).to(at::kFloat);
}

void TorchRawSession::call(std::size_t variant) {
  std::vector<c10::IValue> arguments;
  arguments.reserve(inputs_.size());
  for (const RawInput& input : inputs_) {
    at::Tensor tensor = variant == kRun ? borrow(input.view).value() : input.placed;
    const bool is_cast = plan_.arithmetic != Arithmetic::kFp32 && at::isFloatingType(tensor.scalar_type());
    arguments.emplace_back(is_cast ? rounded(tensor, computing_type(plan_)) : std::move(tensor));
  }
  const c10::IValue result = modules_[variant].forward(std::move(arguments));
  for (std::size_t i = 0; i < results_.size(); ++i) {
    const at::Tensor tensor = output_of(result, keys_, i);
    results_[i] = gives_half_[i] ? rounded(tensor, at::kFloat) : tensor;
  }
}

Status TorchRawSession::run(std::size_t variant) noexcept {
  try {
    at::internal::lazy_init_num_threads();
    const c10::InferenceMode inference;
    if (variant == kInterpreter) {
      interpret();
    } else {
      call(variant);
    }
    return {};
  } catch (const std::exception& error) {
    return translate_hot(error.what());
  } catch (...) {
    return translate_hot("");
  }
}

Result<TensorView> TorchRawSession::output(std::size_t index) const {
  return guarded(TorchContext::kLoad, "the result", [&]() -> Result<TensorView> {
    const TensorSpec& spec = record_.outputs[index];
    // Kept in place: the view must outlive this call.
    auto& result = const_cast<at::Tensor&>(results_[index]);
    result = result.to(*scalar_type_of(spec.dtype)).contiguous();
    TensorView view{result.mutable_data_ptr(), spec.dtype, Shape{}, Device{}};
    SKUA_ASSIGN_OR_RETURN(view.shape, Shape::from({result.sizes().data(), result.sizes().size()}));
    return view;
  });
}

Result<Program> program_with(std::span<const std::byte> archive, RunPlan plan, bool is_optimized) {
  plan.is_frozen = true;
  plan.is_optimized = is_optimized;
  return make_program(archive, plan);
}

}  // namespace

Result<std::unique_ptr<RawSession>> open_raw(std::span<const std::byte> archive, const EngineRecord& record,
                                             const RunPlan& plan, const LoadedEngine* engine) {
  return guarded(TorchContext::kLoad, record.file, [&]() -> Result<std::unique_ptr<RawSession>> {
    SKUA_ASSIGN_OR_RETURN(const Program optimized, program_with(archive, plan, true));
    SKUA_ASSIGN_OR_RETURN(const Program frozen, program_with(archive, plan, false));
    const auto own = std::make_shared<const Program>(plan.is_optimized ? optimized : frozen);
    const auto program = engine != nullptr ? program_of(*engine) : own;
    return std::unique_ptr<RawSession>(std::make_unique<TorchRawSession>(
        record, plan, program,
        Modules{program->module, program->module, program->module, optimized.module, frozen.module}));
  });
}

}  // namespace skua::pytorch
