#include "runtimes/pytorch/torch_raw.h"

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <array>
#include <utility>

#include "runtimes/pytorch/torch_program.h"

namespace skua::pytorch {
namespace {

// "forward": Module::forward of the very module that Skua runs. "run": the same as most programs write it,
// with new tensors over the input memory for each call. The other two are modules of their own.
enum Variant : std::size_t { kForward, kRun, kOptimized, kFrozen };
constexpr std::array<std::string_view, 4> kVariants = {"forward", "run", "optimized", "frozen"};

struct RawInput {
  TensorSpec spec;
  Tensor memory;
  TensorView view;
  at::Tensor placed;
};

class TorchRawSession final : public RawSession {
 public:
  TorchRawSession(EngineRecord record, RunPlan plan, std::array<torch::jit::Module, 4> modules,
                  ScriptInterface interface)
      : record_(std::move(record)),
        plan_(std::move(plan)),
        modules_(std::move(modules)),
        interface_(std::move(interface)) {}

  std::span<const std::string_view> variants() const noexcept override { return kVariants; }
  Status place(const RawMemory& memory) override;
  Status set_input_shape(std::size_t index, const Shape& shape) override;
  TensorView input(std::size_t index) const noexcept override { return inputs_[index].view; }
  Status run(std::size_t variant) noexcept override;
  Result<TensorView> output(std::size_t index) const override;

 private:
  void call(std::size_t variant);

  EngineRecord record_;
  RunPlan plan_;
  std::array<torch::jit::Module, 4> modules_;
  ScriptInterface interface_;
  std::vector<RawInput> inputs_;
  std::vector<at::Tensor> results_;
};

Shape first_shape_of(const EngineRecord& record, const TensorSpec& spec) {
  for (const OptimizationProfile& profile : record.profiles) {
    if (profile.input_name == spec.name) return profile.opt;
  }
  return spec.shape;
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
    const Shape shape = is_borrowed ? inputs_[i].view.shape : first_shape_of(record_, inputs_[i].spec);
    SKUA_RETURN_IF_ERROR(set_input_shape(i, shape));
  }
  results_.resize(record_.outputs.size());
  return {};
}

Status TorchRawSession::set_input_shape(std::size_t index, const Shape& shape) {
  inputs_[index].view.shape = shape;
  return guarded(TorchContext::kLoad, inputs_[index].spec.name, [&]() -> Status {
    const c10::InferenceMode inference;
    SKUA_ASSIGN_OR_RETURN(inputs_[index].placed, borrow(inputs_[index].view));
    return {};
  });
}

/// What the network is given and what is read of it, by libtorch's own means: without the roundings it would
/// compute something else, and could not be compared.
at::Tensor rounded(const at::Tensor& tensor, at::ScalarType computed) {
  if (computed == at::kHalf || tensor.scalar_type() != at::kFloat) return tensor.to(computed);
  return tensor.to(at::kHalf).to(at::kFloat);
}

void TorchRawSession::call(std::size_t variant) {
  const c10::InferenceMode inference;
  std::vector<c10::IValue> arguments;
  arguments.reserve(inputs_.size());
  for (const RawInput& input : inputs_) {
    at::Tensor tensor = variant == kRun ? borrow(input.view).value() : input.placed;
    const bool is_rounded = plan_.arithmetic != Arithmetic::kFp32 && at::isFloatingType(tensor.scalar_type());
    arguments.emplace_back(is_rounded ? rounded(tensor, computing_type(plan_)) : std::move(tensor));
  }
  const c10::IValue result = modules_[variant].forward(std::move(arguments));
  for (std::size_t i = 0; i < results_.size(); ++i) {
    const auto computed = record_.options.find(computed_option(record_.outputs[i].name));
    const bool is_half = plan_.arithmetic == Arithmetic::kWidened && computed != record_.options.end() &&
                         computed->second == to_string(DType::kFloat16);
    const at::Tensor tensor = output_of(result, interface_, i);
    results_[i] = is_half ? rounded(tensor, at::kFloat) : tensor;
  }
}

Status TorchRawSession::run(std::size_t variant) noexcept {
  try {
    at::internal::lazy_init_num_threads();
    call(variant);
    return {};
  } catch (const std::exception& error) {
    return translate_hot(error.what());
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
    const Program& own = plan.is_optimized ? optimized : frozen;
    const torch::jit::Module module = engine != nullptr ? program_of(*engine)->module : own.module;
    ScriptInterface interface = own.interface;
    interface.outputs.clear();
    for (const TensorSpec& spec : record.outputs) interface.outputs.push_back(spec.name);
    return std::unique_ptr<RawSession>(std::make_unique<TorchRawSession>(
        record, plan, std::array{module, module, optimized.module, frozen.module}, std::move(interface)));
  });
}

}  // namespace skua::pytorch
