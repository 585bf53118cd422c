#include "runtimes/pytorch/torch_program.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/from_blob.h>
#include <caffe2/serialize/inline_container.h>
#include <caffe2/serialize/read_adapter_interface.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/freeze_module.h>
#include <torch/csrc/jit/passes/inline_fork_wait.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/serialization/import.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <utility>

namespace skua::pytorch {
namespace {

namespace jit = torch::jit;

/// Verified bytes as libtorch's reader wants them.
class MemoryReader final : public caffe2::serialize::ReadAdapterInterface {
 public:
  explicit MemoryReader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::size_t size() const override { return bytes_.size(); }
  std::size_t read(std::uint64_t position, void* into, std::size_t count, const char*) const override {
    if (position >= bytes_.size()) return 0;
    count = std::min(count, bytes_.size() - static_cast<std::size_t>(position));
    std::memcpy(into, bytes_.data() + position, count);
    return count;
  }

 private:
  std::span<const std::byte> bytes_;
};

Error unsupported(const std::string& expected, const std::string& found) {
  return make_error(
      ErrorCode::kEngineBuild, Reason::kModelUnsupported,
      "forward(): expected " + expected + ", found " + found + "; wrap the network for deployment");
}

bool is_tensor(const c10::TypePtr& type) { return type->kind() == c10::TypeKind::TensorType; }

/// A tuple's element names: its fields', where it is a NamedTuple.
std::vector<std::string> names_of(const c10::TupleType& tuple) {
  std::vector<std::string> names(tuple.elements().size());
  if (const auto& schema = tuple.schema()) {
    for (std::size_t i = 0; i < names.size(); ++i) names[i] = schema->arguments()[i].name();
  }
  return names;
}

Result<std::vector<std::string>> outputs_of(const c10::TypePtr& type) {
  if (is_tensor(type)) return std::vector<std::string>(1);
  if (const auto tuple = type->cast<c10::TupleType>()) {
    const auto& elements = tuple->elements();
    if (!elements.empty() && std::all_of(elements.begin(), elements.end(), is_tensor))
      return names_of(*tuple);
  }
  if (const auto dict = type->cast<c10::DictType>()) {
    const bool is_named = dict->getKeyType()->kind() == c10::TypeKind::StringType;
    if (is_named && is_tensor(dict->getValueType())) return std::vector<std::string>();
  }
  return unsupported("a tensor, a tuple of tensors or a dict of tensors as its result", type->repr_str());
}

/// The defaults of the arguments that are no inputs. Requires that interface_of has accepted the network.
std::vector<c10::IValue> defaults_of(const jit::Module& module, std::size_t input_count) {
  std::vector<c10::IValue> defaults;
  const auto& arguments = module.get_method("forward").function().getSchema().arguments();
  for (std::size_t i = 1 + input_count; i < arguments.size(); ++i) {
    defaults.push_back(*arguments[i].default_value());
  }
  return defaults;
}

/// Constants of the graph and of the blocks inside it.
template <typename Function>
void for_each_constant(jit::Block* block, const Function& function) {
  for (jit::Node* node : block->nodes()) {
    for (jit::Block* inner : node->blocks()) for_each_constant(inner, function);
    if (node->kind() == c10::prim::Constant) function(node);
  }
}

/// One visit of every tensor, whoever holds it.
class Transformer {
 public:
  explicit Transformer(const std::function<at::Tensor(const HeldTensor&)>& changed) : changed_(changed) {}

  void attributes(const jit::Module& module) {
    for (const auto& attribute : module.named_attributes()) {
      attribute.value.visit([&](const c10::IValue& value) {
        if (value.isTensor()) visit({attribute.name, value.toTensor()});
        return value.isObject();  // a submodule: its attributes are in the list themselves
      });
    }
  }

  void constants(jit::Graph& graph) {
    for_each_constant(graph.block(), [&](jit::Node* node) {
      const auto constant = jit::toIValue(node->output());
      if (!constant) return;
      constant->visit([&](const c10::IValue& value) {
        if (!value.isTensor() || !value.toTensor().defined()) return false;
        visit({"constant %" + node->output()->debugName(), value.toTensor(), value.toTensor().dim() == 0});
        if (constant->isTensor()) node->output()->inferTypeFrom(value.toTensor());
        return false;
      });
    });
  }

 private:
  void visit(const HeldTensor& held) {
    if (!held.tensor.defined() || !seen_.insert(held.tensor.unsafeGetTensorImpl()).second) return;
    const at::Tensor changed = changed_(held);
    if (!changed.is_same(held.tensor)) at::Tensor(held.tensor).set_data(changed);
  }

  const std::function<at::Tensor(const HeldTensor&)>& changed_;
  std::set<const at::TensorImpl*> seen_;
};

constexpr std::array<std::pair<at::ScalarType, DType>, 9> kTypes = {{
    {at::kFloat, DType::kFloat32},
    {at::kHalf, DType::kFloat16},
    {at::kDouble, DType::kFloat64},
    {at::kChar, DType::kInt8},
    {at::kByte, DType::kUInt8},
    {at::kShort, DType::kInt16},
    {at::kInt, DType::kInt32},
    {at::kLong, DType::kInt64},
    {at::kBool, DType::kBool},
}};

/// libtorch's warnings would go to stderr, which is the program's.
class Silence final : public c10::WarningHandler {
 public:
  void process(const c10::Warning&) override {}
};

}  // namespace

void Program::run(jit::Stack& stack, std::span<const at::Tensor> inputs) const {
  static Silence silence;
  const c10::WarningUtils::WarningHandlerGuard no_warnings(&silence);
  stack.clear();
  stack.emplace_back(module._ivalue());
  for (const at::Tensor& input : inputs) stack.emplace_back(input);
  for (const c10::IValue& value : defaults) stack.push_back(value);
  jit::InterpreterState(code).run(stack);
}

jit::Module read_archive(std::span<const std::byte> archive, jit::ExtraFilesMap& extra_files) {
  jit::Module module = jit::load(std::make_shared<MemoryReader>(archive), at::kCPU, extra_files);
  module.eval();
  const std::shared_ptr<jit::Graph> graph = module.get_method("forward").graph();
  jit::Inline(*graph);
  jit::InlineForkWait(graph);  // branches run one after the other, on the caller's thread
  return module;
}

std::string other_package(std::span<const std::byte> archive) {
  caffe2::serialize::PyTorchStreamReader reader(std::make_shared<MemoryReader>(archive));
  if (reader.hasRecord("constants.pkl")) return {};
  for (const std::string& record : reader.getAllRecords()) {
    const bool is_compiled = record.find("data/aotinductor/") != std::string::npos;
    if (is_compiled) return "an AOTInductor package (.pt2), which is machine code";
  }
  const bool is_exported =
      reader.hasRecord("archive_format") || reader.hasRecord("serialized_exported_program.json");
  if (is_exported) return "a program of torch.export (.pt2)";
  return reader.hasRecord("data.pkl") ? "a pickle of torch.save" : "";
}

void transform(jit::Module& module, const std::function<at::Tensor(const HeldTensor&)>& changed) {
  const at::NoGradGuard no_gradients;
  Transformer transformer(changed);
  transformer.attributes(module);
  transformer.constants(*module.get_method("forward").graph());
}

at::Tensor with_type(const HeldTensor& held, at::ScalarType type) {
  const bool stays = held.is_number || !at::isFloatingType(held.tensor.scalar_type());
  return stays ? held.tensor : held.tensor.to(type);
}

Result<ScriptInterface> interface_of(const jit::Module& module) {
  const c10::FunctionSchema& schema = module.get_method("forward").function().getSchema();
  ScriptInterface interface;
  bool has_ended = false;  // inputs come first, arguments with defaults after them
  for (std::size_t i = 1; i < schema.arguments().size(); ++i) {
    const c10::Argument& argument = schema.arguments()[i];
    has_ended = has_ended || argument.default_value().has_value();
    if (argument.default_value()) continue;
    if (has_ended || argument.kwarg_only() || !is_tensor(argument.type())) {
      return unsupported("tensors as its arguments",
                         "'" + argument.name() + "' of type " + argument.type()->repr_str());
    }
    interface.inputs.push_back(argument.name());
  }
  if (interface.inputs.empty()) return unsupported("at least one tensor as an argument", "none");
  if (schema.returns().size() != 1) return unsupported("one result", std::to_string(schema.returns().size()));
  SKUA_ASSIGN_OR_RETURN(interface.outputs, outputs_of(schema.returns()[0].type()));
  return interface;
}

at::ScalarType computing_type(const RunPlan& plan) noexcept {
  return plan.arithmetic == Arithmetic::kNative ? at::kHalf : at::kFloat;
}

Result<Program> make_program(std::span<const std::byte> archive, const RunPlan& plan) {
  jit::ExtraFilesMap none;
  jit::Module module = read_archive(archive, none);
  Program program;
  SKUA_ASSIGN_OR_RETURN(program.interface, interface_of(module));
  program.defaults = defaults_of(module, program.interface.inputs.size());
  if (plan.arithmetic != Arithmetic::kNative) {  // for kFp32: a source may be in half or double precision
    transform(module, [](const HeldTensor& held) { return with_type(held, at::kFloat); });
  }
  if (plan.device != "cpu") {
    transform(module, [](const HeldTensor& held) {
      return held.is_number ? held.tensor : held.tensor.to(at::kCUDA);
    });
  }
  if (plan.is_frozen) module = jit::freeze(module);
  if (plan.is_frozen && plan.is_optimized) module = jit::optimize_for_inference(module);
  program.code = jit::Code(module.get_method("forward").graph()->copy(), "forward");
  program.module = std::move(module);
  return program;
}

std::optional<DType> dtype_of(at::ScalarType type) noexcept {
  for (const auto& [theirs, ours] : kTypes) {
    if (theirs == type) return ours;
  }
  return std::nullopt;
}

std::optional<at::ScalarType> scalar_type_of(DType dtype) noexcept {
  for (const auto& [theirs, ours] : kTypes) {
    if (ours == dtype) return theirs;
  }
  return std::nullopt;
}

Result<at::Tensor> borrow(const TensorView& view) {
  const auto type = scalar_type_of(view.dtype);
  if (!type) {
    return make_error(ErrorCode::kInvalidArgument, Reason::kDtypeMismatch,
                      "element type " + std::string(to_string(view.dtype)) + " is unknown to libtorch");
  }
  const auto dims = view.shape.dims();
  return at::from_blob(view.data, at::IntArrayRef(dims.data(), dims.size()),
                       at::TensorOptions().dtype(*type));
}

std::vector<c10::IValue> keys_of(const std::vector<std::string>& names) {
  return {names.begin(), names.end()};
}

at::Tensor output_of(const c10::IValue& result, const std::vector<c10::IValue>& keys, std::size_t index) {
  if (result.isTensor()) return result.toTensor();
  if (result.isTuple()) return result.toTupleRef().elements().at(index).toTensor();
  return result.toGenericDict().at(keys.at(index)).toTensor();
}

at::Tensor settled(const at::Tensor& tensor) { return tensor.resolve_conj().resolve_neg().contiguous(); }

}  // namespace skua::pytorch
