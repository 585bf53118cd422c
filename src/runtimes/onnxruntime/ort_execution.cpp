// One execution: inputs and outputs placed once, bound once, run again and again.
//
// Static outputs are bound to our own memory, so ONNX Runtime writes the result where the caller reads it. An
// output whose shape the run decides is bound to a device instead: ONNX Runtime allocates it, and it is
// copied once into memory of fixed capacity. Such an output must be bound anew before each run, or the
// previous run's tensor, with its shape, would be taken for a preallocated one and refuse every other shape.
#include <array>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "core/profile_check.h"
#include "core/trace.h"
#include "runtimes/onnxruntime/ort_engine.h"
#include "runtimes/onnxruntime/ort_errors.h"

namespace skua::ort {
namespace {

struct Slot {
  std::string name;
  Tensor memory;      ///< at capacity
  TensorView view;    ///< what the caller sees
  ValueHandle value;  ///< our memory as ONNX Runtime's tensor; empty for a dynamic output
  bool is_dynamic = false;

  explicit Slot(const OrtApi& api) : value(api) {}
};

bool has_room(const Slot& slot, const Shape& shape) {
  const TensorView& memory = slot.memory.view();
  const auto bytes = shape.byte_size(memory.dtype);
  return shape.rank() == memory.shape.rank() && bytes.ok() && *bytes <= memory.size_bytes();
}

class OrtExecution final : public Execution {
 public:
  explicit OrtExecution(std::shared_ptr<const Session> session)
      : session_(std::move(session)), api_(session_->library->api()), host_(api_), binding_(api_) {}

  Status place(const EngineRecord& record);
  TensorView input(std::size_t index) const noexcept override { return inputs_[index].view; }
  TensorView output(std::size_t index) const noexcept override { return outputs_[index].view; }
  Status set_input_shape(std::size_t index, const Shape& shape) override;
  Status run(std::optional<std::int64_t> deadline_ns) noexcept override;

 private:
  Status place_inputs(const EngineRecord& record);
  Status place_outputs(const EngineRecord& record);
  Status bind_input(Slot& slot, const Shape& shape);
  Result<ValueHandle> wrap(const Slot& slot, const Shape& shape);
  OrtStatus* rebind_dynamic() noexcept;
  OrtStatus* run_session() noexcept;
  Status collect_dynamic() noexcept;
  Status take_output(Slot& slot, OrtValue* value) noexcept;
  void hide_outputs() noexcept;

  std::shared_ptr<const Session> session_;
  const OrtApi& api_;
  MemoryInfoHandle host_;
  BindingHandle binding_;
  OrtAllocator* allocator_ = nullptr;  // ONNX Runtime's default one, never freed
  std::vector<Slot> inputs_, outputs_;
  bool has_dynamic_ = false;
};

Status OrtExecution::place(const EngineRecord& record) {
  SKUA_RETURN_IF_ERROR(placing(api_, api_.GetAllocatorWithDefaultOptions(&allocator_)));
  SKUA_RETURN_IF_ERROR(
      placing(api_, api_.CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, host_.out())));
  // The binding is the one call that takes a non-const session; it does not change it.
  SKUA_RETURN_IF_ERROR(placing(api_, api_.CreateIoBinding(session_->handle.get(), binding_.out())));
  SKUA_RETURN_IF_ERROR(place_inputs(record));
  return place_outputs(record);
}

Status OrtExecution::place_inputs(const EngineRecord& record) {
  for (const TensorSpec& spec : record.inputs) {
    Slot slot(api_);
    slot.name = spec.name;
    SKUA_ASSIGN_OR_RETURN(slot.memory, Tensor::allocate(spec.dtype, spec.max_shape));
    slot.view = slot.memory.view();
    SKUA_RETURN_IF_ERROR(bind_input(slot, opt_shape_of(record.profiles, spec)));
    inputs_.push_back(std::move(slot));
  }
  return {};
}

Status OrtExecution::place_outputs(const EngineRecord& record) {
  for (const TensorSpec& spec : record.outputs) {
    Slot slot(api_);
    slot.name = spec.name;
    slot.is_dynamic = !spec.shape.is_static();
    SKUA_ASSIGN_OR_RETURN(slot.memory, Tensor::allocate(spec.dtype, spec.max_shape));
    slot.view = slot.memory.view();
    if (slot.is_dynamic) {
      has_dynamic_ = true;
    } else {
      SKUA_ASSIGN_OR_RETURN(slot.value, wrap(slot, spec.shape));
      SKUA_RETURN_IF_ERROR(
          placing(api_, api_.BindOutput(binding_.get(), slot.name.c_str(), slot.value.get())));
    }
    outputs_.push_back(std::move(slot));
  }
  SKUA_RETURN_IF_ERROR(placing(api_, rebind_dynamic()));
  hide_outputs();
  return {};
}

// The bytes told to ONNX Runtime must lie inside the memory, which was made from another field of the record.
Result<ValueHandle> OrtExecution::wrap(const Slot& slot, const Shape& shape) {
  ValueHandle value(api_);
  if (!has_room(slot, shape)) {
    return make_error(ErrorCode::kEngineDeserialize, Reason::kContractMismatch,
                      "tensor '" + slot.name + "': expected a shape within its recorded capacity " +
                          slot.memory.view().shape.to_string() + ", found " + shape.to_string() +
                          "; compile the engine again");
  }
  SKUA_ASSIGN_OR_RETURN(const std::size_t bytes, shape.byte_size(slot.view.dtype));
  SKUA_RETURN_IF_ERROR(placing(api_, api_.CreateTensorWithDataAsOrtValue(
                                         host_.get(), slot.memory.view().data, bytes, shape.dims().data(),
                                         shape.rank(), element_type_of(slot.view.dtype), value.out())));
  return value;
}

Status OrtExecution::set_input_shape(std::size_t index, const Shape& shape) {
  Slot& slot = inputs_[index];
  if (!has_room(slot, shape)) {
    return make_error(ErrorCode::kInvalidArgument, Reason::kShapeMismatch,
                      "input '" + slot.name + "': expected at most " + slot.memory.view().shape.to_string() +
                          ", found " + shape.to_string() + "; stay within the profile");
  }
  return bind_input(slot, shape);
}

Status OrtExecution::bind_input(Slot& slot, const Shape& shape) {
  SKUA_ASSIGN_OR_RETURN(ValueHandle value, wrap(slot, shape));
  SKUA_RETURN_IF_ERROR(placing(api_, api_.BindInput(binding_.get(), slot.name.c_str(), value.get())));
  slot.value = std::move(value);
  slot.view.shape = shape;
  return {};
}

void OrtExecution::hide_outputs() noexcept {
  for (Slot& slot : outputs_) slot.view.data = nullptr;
}

OrtStatus* OrtExecution::rebind_dynamic() noexcept {
  const Span span(SpanKind::kBindOutputs);
  for (const Slot& slot : outputs_) {
    if (!slot.is_dynamic) continue;
    if (OrtStatus* status = api_.BindOutputToDevice(binding_.get(), slot.name.c_str(), host_.get()))
      return status;
  }
  return nullptr;
}

OrtStatus* OrtExecution::run_session() noexcept {
  const Span span(SpanKind::kSdkRun);
  return api_.RunWithBinding(session_->handle.get(), nullptr, binding_.get());
}

Status OrtExecution::run(std::optional<std::int64_t>) noexcept {
  hide_outputs();
  OrtStatus* status = has_dynamic_ ? rebind_dynamic() : nullptr;
  if (status == nullptr) status = run_session();
  if (status != nullptr) return translate_hot(api_, status);
  if (has_dynamic_) {
    if (Status collected = collect_dynamic(); !collected.ok()) {
      hide_outputs();
      return collected;
    }
  }
  for (Slot& slot : outputs_) slot.view.data = slot.memory.view().data;
  return {};
}

// The bound values come in the order in which the outputs were bound: static ones first, then the dynamic
// ones.
Status OrtExecution::collect_dynamic() noexcept {
  const Span span(SpanKind::kCopyOut);
  OrtValue** values = nullptr;
  std::size_t count = 0;
  OrtStatus* status = api_.GetBoundOutputValues(binding_.get(), allocator_, &values, &count);
  if (status != nullptr) return translate_hot(api_, status);
  Status result;
  std::size_t next = outputs_.size();
  for (Slot& slot : outputs_) next -= slot.is_dynamic ? 1U : 0U;
  for (Slot& slot : outputs_) {
    if (slot.is_dynamic && result.ok()) result = take_output(slot, values[next++]);
  }
  for (std::size_t i = 0; i < count; ++i) api_.ReleaseValue(values[i]);
  status = api_.AllocatorFree(allocator_, values);
  if (status != nullptr) api_.ReleaseStatus(status);
  return result;
}

Status OrtExecution::take_output(Slot& slot, OrtValue* value) noexcept {
  ShapeInfoHandle info(api_);
  if (OrtStatus* status = api_.GetTensorTypeAndShape(value, info.out())) return translate_hot(api_, status);
  std::size_t rank = 0;
  if (OrtStatus* status = api_.GetDimensionsCount(info.get(), &rank)) return translate_hot(api_, status);
  Shape shape = slot.memory.view().shape;
  std::array<std::int64_t, Shape::kMaxRank> dims{};
  const Error overflow{ErrorCode::kInference, Reason::kOutputOverflow, 0, {}};
  if (rank != shape.rank()) return overflow;
  if (OrtStatus* status = api_.GetDimensions(info.get(), dims.data(), rank))
    return translate_hot(api_, status);
  for (std::size_t axis = 0; axis < rank; ++axis) {
    if (dims[axis] < 0 || dims[axis] > shape[axis]) return overflow;
    shape.set(axis, dims[axis]);
  }
  void* data = nullptr;
  if (OrtStatus* status = api_.GetTensorMutableData(value, &data)) return translate_hot(api_, status);
  slot.view.shape = shape;
  const std::size_t bytes = slot.view.size_bytes();
  if (bytes > 0) std::memcpy(slot.memory.view().data, data, bytes);
  return {};
}

}  // namespace

Result<std::unique_ptr<Execution>> create_execution(std::shared_ptr<const Session> session,
                                                    const EngineRecord& record) {
  auto execution = std::make_unique<OrtExecution>(std::move(session));
  SKUA_RETURN_IF_ERROR(execution->place(record));
  return std::unique_ptr<Execution>(std::move(execution));
}

}  // namespace skua::ort
