#include "runtimes/pytorch/torch_engine.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <caffe2/core/common.h>

#include <cstring>
#include <thread>
#include <utility>

#include "core/half_rounding.h"
#include "core/profile_check.h"
#include "core/trace.h"
#include "inference/warm_runs.h"
#include "runtimes/pytorch/device_lane.h"
#include "runtimes/pytorch/torch_program.h"

namespace skua::pytorch {
namespace {

// Kernels of libtorch's own libraries are made at a shape's first use: one run. Memory is found in the first
// runs: page faults end with the third at the largest shape, which leaves enough for every smaller one.
constexpr int kRunsForMemory = 3;
constexpr int kRunsForKernels = 1;

/// One input or output in memory of ours.
struct Port {
  TensorSpec spec;
  Tensor memory;            ///< at capacity
  TensorView view;          ///< what the caller sees
  bool is_rounded = false;  ///< widened arithmetic: floats are rounded through half (native ones are cast)
};

struct InputPort : Port {
  at::Tensor placed;  ///< the view, for libtorch
};

Error contract_error(const EngineRecord& record, const std::string& text) {
  return make_error(ErrorCode::kEngineDeserialize, Reason::kContractMismatch,
                    record.file + ": " + text + "; the engine is not what its record says: compile it again");
}

/// Requires a contiguous tensor of single precision on the CPU.
std::span<float> floats_of(const at::Tensor& tensor) {
  return {tensor.mutable_data_ptr<float>(), static_cast<std::size_t>(tensor.numel())};
}

bool is_single_or_double(DType dtype) { return dtype == DType::kFloat32 || dtype == DType::kFloat64; }

class TorchExecution final : public Execution {
 public:
  TorchExecution(std::shared_ptr<const Program> program, const RunPlan& plan)
      : program_(std::move(program)), plan_(plan), device_(plan.device) {}

  Status place(const EngineRecord& record);
  Status warm_up(const EngineRecord& record) override;
  TensorView input(std::size_t index) const noexcept override { return inputs_[index].view; }
  TensorView output(std::size_t index) const noexcept override { return outputs_[index].view; }
  Status set_input_shape(std::size_t index, const Shape& shape) override;
  Status run(std::optional<std::int64_t> deadline_ns) noexcept override;

 private:
  Status place_outputs(const EngineRecord& record);
  void hand_over();
  void run_program();
  Status wait(std::optional<std::int64_t> deadline_ns);
  Status collect();
  Status take(Port& port, const at::Tensor& result);
  void hide_outputs() noexcept {
    for (Port& port : outputs_) port.view.data = nullptr;
  }

  std::shared_ptr<const Program> program_;
  RunPlan plan_;
  DeviceLane device_;
  std::vector<InputPort> inputs_;
  std::vector<Port> outputs_;
  std::vector<at::Tensor>
      arguments_;  ///< the placed inputs, or copies in another element type or on the device
  torch::jit::Stack stack_;
};

Status TorchExecution::place(const EngineRecord& record) {
  for (const TensorSpec& spec : record.inputs) {
    InputPort port;
    port.spec = spec;
    port.is_rounded = plan_.arithmetic == Arithmetic::kWidened && is_single_or_double(spec.dtype);
    SKUA_ASSIGN_OR_RETURN(port.memory, Tensor::allocate(spec.dtype, spec.max_shape));
    port.view = port.memory.view();
    inputs_.push_back(std::move(port));
  }
  arguments_.resize(inputs_.size());
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    SKUA_RETURN_IF_ERROR(set_input_shape(i, opt_shape_of(record.profiles, inputs_[i].spec)));
  }
  stack_.reserve(1 + inputs_.size() + program_->defaults.size());
  return place_outputs(record);
}

Status TorchExecution::place_outputs(const EngineRecord& record) {
  for (const TensorSpec& spec : record.outputs) {
    Port port;
    port.spec = spec;
    const auto computed = record.options.find(computed_option(spec.name));
    port.is_rounded = plan_.arithmetic == Arithmetic::kWidened && is_single_or_double(spec.dtype) &&
                      computed != record.options.end() && computed->second == to_string(DType::kFloat16);
    SKUA_ASSIGN_OR_RETURN(port.memory, Tensor::allocate(spec.dtype, spec.max_shape));
    port.view = port.memory.view();
    outputs_.push_back(std::move(port));
  }
  hide_outputs();
  return {};
}

Status TorchExecution::set_input_shape(std::size_t index, const Shape& shape) {
  InputPort& port = inputs_[index];
  const auto bytes = shape.byte_size(port.spec.dtype);
  if (!bytes.ok() || *bytes > port.memory.view().size_bytes()) {
    return make_error(ErrorCode::kInvalidArgument, Reason::kShapeMismatch,
                      "input '" + port.spec.name + "': expected at most " + port.spec.max_shape.to_string() +
                          ", found " + shape.to_string() + "; stay within the profile");
  }
  TensorView shaped = port.view;
  shaped.shape = shape;
  return guarded(TorchContext::kLoad, port.spec.name, [&]() -> Status {
    const c10::InferenceMode inference;
    SKUA_ASSIGN_OR_RETURN(port.placed, borrow(shaped));
    const bool is_floating = at::isFloatingType(port.placed.scalar_type());
    const at::ScalarType type = is_floating ? computing_type(plan_) : port.placed.scalar_type();
    const bool fits = type == port.placed.scalar_type() && plan_.device == "cpu";
    arguments_[index] =
        fits ? port.placed
             : at::empty(port.placed.sizes(), at::TensorOptions().dtype(type).device(device_.device()));
    port.view = shaped;  // last: what fails before leaves the old shape to be asked for again
    return {};
  });
}

Status TorchExecution::warm_up(const EngineRecord& record) {
  // Where there is one shape, the golden run was the first of them.
  if (record.profiles.empty()) return run_at(*this, record, &OptimizationProfile::opt, kRunsForMemory - 1);
  SKUA_RETURN_IF_ERROR(run_at(*this, record, &OptimizationProfile::max, kRunsForMemory));
  SKUA_RETURN_IF_ERROR(run_at(*this, record, &OptimizationProfile::min, kRunsForKernels));
  return run_at(*this, record, &OptimizationProfile::opt, kRunsForKernels);
}

void TorchExecution::hand_over() {
  const Span span(SpanKind::kCopyIn);
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    const InputPort& port = inputs_[i];
    at::Tensor& argument = arguments_[i];
    if (!argument.is_same(port.placed)) {
      argument.copy_(port.is_rounded && plan_.device != "cpu" ? port.placed.to(at::kHalf) : port.placed);
    }
    if (port.is_rounded && plan_.device == "cpu") round_through_half(floats_of(argument));
  }
}

void TorchExecution::run_program() {
  const Span span(SpanKind::kSdkRun);
  program_->run(stack_, arguments_);
}

Status TorchExecution::wait(std::optional<std::int64_t> deadline_ns) {
  const Span span(SpanKind::kWait);
  return device_.wait(deadline_ns);
}

Status TorchExecution::run(std::optional<std::int64_t> deadline_ns) noexcept {
  hide_outputs();
  try {
    at::internal::lazy_init_num_threads();  // a thread that has not called libtorch yet would use every core
    const c10::InferenceMode inference;
    SKUA_RETURN_IF_ERROR(device_.enter());
    const auto stream = device_.guard();
    hand_over();
    run_program();
    SKUA_RETURN_IF_ERROR(wait(deadline_ns));
    Status status = collect();
    stack_.clear();
    return status;
  } catch (const std::exception& error) {
    stack_.clear();
    return translate_hot(error.what());
  } catch (...) {
    stack_.clear();
    return translate_hot("");
  }
}

Status TorchExecution::collect() {
  const Span span(SpanKind::kCopyOut);
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    SKUA_RETURN_IF_ERROR(take(outputs_[i], output_of(stack_.back(), program_->keys, i)));
  }
  for (Port& port : outputs_) port.view.data = port.memory.view().data;
  return {};
}

Status TorchExecution::take(Port& port, const at::Tensor& result) {
  const Error overflow{ErrorCode::kInference, Reason::kOutputOverflow, 0, {}};
  const auto sizes = result.sizes();
  if (sizes.size() != port.spec.max_shape.rank()) return overflow;
  for (std::size_t axis = 0; axis < sizes.size(); ++axis) {
    const bool is_fixed = port.spec.shape[axis] >= 0;
    if (is_fixed ? sizes[axis] != port.spec.shape[axis] : sizes[axis] > port.spec.max_shape[axis])
      return overflow;
    port.view.shape.set(axis, sizes[axis]);
  }
  const auto type = scalar_type_of(port.spec.dtype);
  const bool is_convertible =
      result.scalar_type() == type || (at::isFloatingType(result.scalar_type()) && at::isFloatingType(*type));
  if (!is_convertible) return Error{ErrorCode::kInference, Reason::kExecutionFailed, 0, {}};
  TensorView target = port.memory.view();
  target.shape = port.view.shape;
  if (target.size_bytes() == 0) return {};
  const bool is_single = port.spec.dtype == DType::kFloat32;
  const at::Tensor value = port.is_rounded && !is_single ? result.to(at::kHalf) : result;
  const at::Tensor host = settled(value.to(at::kCPU, *type));
  if (port.is_rounded && is_single) {
    round_through_half({host.const_data_ptr<float>(), target.size_bytes() / sizeof(float)},
                       target.as<float>());
  } else {
    std::memcpy(target.data, host.const_data_ptr(), target.size_bytes());
  }
  return {};
}

class TorchEngine final : public LoadedEngine {
 public:
  TorchEngine(std::shared_ptr<const Program> program, EngineRecord record, RunPlan plan)
      : program_(std::move(program)), record_(std::move(record)), plan_(std::move(plan)) {}

  // A TorchScript file knows its inputs' names and the number of its outputs; the rest is the record's, and
  // every run's result is held to it.
  EngineReport report() const override {
    EngineReport report;
    report.inputs = record_.inputs;
    for (std::size_t i = 0; i < report.inputs.size(); ++i)
      report.inputs[i].name = program_->interface.inputs[i];
    report.outputs = record_.outputs;
    report.device = plan_.device == "cpu" ? "cpu" : "cuda:0";
    report.provider = "libtorch";
    report.arithmetic = arithmetic_text(plan_.arithmetic);
    report.sdk_version = torch_facts().value().version;
    return report;
  }

  Result<std::unique_ptr<Execution>> create_execution() override {
    auto execution = std::make_unique<TorchExecution>(program_, plan_);
    SKUA_RETURN_IF_ERROR(
        guarded(TorchContext::kLoad, record_.file, [&] { return execution->place(record_); }));
    return std::unique_ptr<Execution>(std::move(execution));
  }
  const std::shared_ptr<const Program>& program() const noexcept { return program_; }

 private:
  std::shared_ptr<const Program> program_;
  EngineRecord record_;
  RunPlan plan_;
};

/// A dict's keys are the recorded output names; a tuple has as many elements as the record has outputs.
Status settle_outputs(Program& program, const EngineRecord& record) {
  const std::size_t found = program.interface.outputs.size();
  if (program.interface.inputs.size() != record.inputs.size()) {
    return contract_error(record, "expected " + std::to_string(record.inputs.size()) + " inputs, found " +
                                      std::to_string(program.interface.inputs.size()));
  }
  if (found != 0 && found != record.outputs.size()) {
    return contract_error(record, "expected " + std::to_string(record.outputs.size()) + " outputs, found " +
                                      std::to_string(found));
  }
  program.interface.outputs.clear();
  for (const TensorSpec& spec : record.outputs) program.interface.outputs.push_back(spec.name);
  program.keys = keys_of(program.interface.outputs);
  return {};
}

}  // namespace

std::shared_ptr<const Program> program_of(const LoadedEngine& engine) {
  return static_cast<const TorchEngine&>(engine).program();
}

Result<TorchFacts> torch_facts() {
  return guarded(TorchContext::kLoad, "libtorch", []() -> Result<TorchFacts> {
    TorchFacts facts;
    const auto& options = caffe2::GetBuildOptions();
    const auto version = options.find("TORCH_VERSION");
    if (version != options.end()) facts.version = version->second;
    facts.has_cuda = c10::impl::hasDeviceGuardImpl(c10::DeviceType::CUDA);
    if (facts.has_cuda) facts.cuda_devices = c10::impl::VirtualGuardImpl(c10::DeviceType::CUDA).deviceCount();
    return facts;
  });
}

// libtorch has one count for the process, and the size of its second pool can be set once, before its first
// use. So that pool's size tells whether somebody has been here before, be it through another of our
// libraries.
Status fix_threads(int intra_op_threads) {
  return guarded(TorchContext::kLoad, "libtorch", [&]() -> Status {
    const bool is_first = at::get_num_interop_threads() != 1;
    const bool has_one_core = std::thread::hardware_concurrency() == 1;  // where 1 is what it starts with
    if (is_first || has_one_core) {
      if (is_first) at::set_num_interop_threads(1);
      at::set_num_threads(intra_op_threads);
      at::globalContext().setBenchmarkCuDNN(false);  // it would choose kernels by timing them in flight
      at::globalContext().setDeterministicCuDNN(true);
    }
    if (at::get_num_threads() == intra_op_threads) return {};
    return make_error(
        ErrorCode::kInvalidArgument, Reason::kInvalidArgument,
        "intra_op_threads is " + std::to_string(intra_op_threads) + "; expected " +
            std::to_string(at::get_num_threads()) +
            ", which libtorch was given in this process before and cannot change; use one count");
  });
}

Result<std::unique_ptr<LoadedEngine>> load_engine(std::span<const std::byte> archive,
                                                  const EngineRecord& record, const RunPlan& plan) {
  return guarded(TorchContext::kLoad, record.file, [&]() -> Result<std::unique_ptr<LoadedEngine>> {
    auto made = make_program(archive, plan);
    if (!made.ok()) return contract_error(record, made.error().message);
    SKUA_RETURN_IF_ERROR(settle_outputs(*made, record));
    auto program = std::make_shared<const Program>(*std::move(made));
    return std::unique_ptr<LoadedEngine>(std::make_unique<TorchEngine>(std::move(program), record, plan));
  });
}

}  // namespace skua::pytorch
