// A TorchScript network made ready to run. Includes libtorch's headers: only torch_*.cpp of this folder may
// include it.
#pragma once

#include <ATen/core/ivalue.h>
#include <ATen/core/stack.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/runtime/interpreter.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtimes/pytorch/torch_bridge.h"
#include "runtimes/pytorch/torch_errors.h"

namespace skua::pytorch {

/// The graph is given to libtorch's interpreter as it is. Its graph executor would watch the first runs and
/// then compile anew for the shapes it saw: the third run's result and time would not be those of the first.
struct Program {
  torch::jit::Module module;  ///< owns the weights
  torch::jit::Code code;
  ScriptInterface interface;
  std::vector<c10::IValue> defaults;  ///< of the arguments after the inputs
  std::vector<c10::IValue> keys;      ///< of the outputs, where the result is a dict

  /// Runs once: `stack` is overwritten and then holds the result alone. Throws what libtorch throws.
  /// Allocates nothing of ours once `stack` has its capacity.
  void run(torch::jit::Stack& stack, std::span<const at::Tensor> inputs) const;
};

/// An archive, from memory: libtorch opens no file. The network is in evaluation mode and on the CPU, and
/// forward()'s graph has everything that it calls inside. Throws what libtorch throws, also for a network
/// without forward().
torch::jit::Module read_archive(std::span<const std::byte> archive, torch::jit::ExtraFilesMap& extra_files);

/// What a zip archive of PyTorch's holds in place of TorchScript; nothing for one that may be TorchScript.
/// Throws for what is no such archive.
std::string other_package(std::span<const std::byte> archive);

/// A tensor that a network holds.
struct HeldTensor {
  std::string name;
  at::Tensor tensor;
  bool is_number = false;  ///< a scalar constant of the graph: it decides no element type, so it is no weight
};

/// Replaces the data of every tensor that the network holds: parameters, buffers, other attributes, and
/// constants of forward()'s graph, which Module::to leaves alone. Each is visited once.
void transform(torch::jit::Module& module, const std::function<at::Tensor(const HeldTensor&)>& changed);

/// `tensor` in another element type where it is of a floating one; integers stay.
at::Tensor with_type(const HeldTensor& held, at::ScalarType type);

/// What forward() takes and gives. EngineBuildError (model_unsupported) for anything but tensors.
Result<ScriptInterface> interface_of(const torch::jit::Module& module);

/// Reads, widens, moves, freezes and optimises as `plan` says. Throws what libtorch throws.
Result<Program> make_program(std::span<const std::byte> archive, const RunPlan& plan);

/// The element type in which `plan` computes, and in which floating inputs are handed over.
at::ScalarType computing_type(const RunPlan& plan) noexcept;

/// The element types that both sides know.
std::optional<DType> dtype_of(at::ScalarType type) noexcept;
std::optional<at::ScalarType> scalar_type_of(DType dtype) noexcept;

/// Our memory as libtorch's tensor, which does not own it. InvalidArgumentError for an unknown element type.
Result<at::Tensor> borrow(const TensorView& view);

/// A dict's keys, ready to look up by.
std::vector<c10::IValue> keys_of(const std::vector<std::string>& names);

/// One output of a result; of a dict, that of keys[index]. A defect of the network throws.
at::Tensor output_of(const c10::IValue& result, const std::vector<c10::IValue>& keys, std::size_t index);

/// The same values, row by row and as they are: libtorch may keep a transposition, a sign or a conjugation
/// for later. The tensor itself where nothing is kept.
at::Tensor settled(const at::Tensor& tensor);

/// The program of an engine that load_engine made; for the raw calls that are measured beside it.
std::shared_ptr<const Program> program_of(const LoadedEngine& engine);

/// `function`, with whatever it throws as an Error.
template <typename Function>
auto guarded(TorchContext context, std::string_view what, Function function) -> decltype(function()) {
  try {
    return function();
  } catch (const std::exception& error) {
    return translate(context, what, error.what());
  } catch (...) {
    return translate(context, what, "an exception of an unknown type");
  }
}

}  // namespace skua::pytorch
