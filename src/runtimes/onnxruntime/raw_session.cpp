#include "runtimes/onnxruntime/raw_session.h"

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/profile_check.h"
#include "runtimes/onnxruntime/onnx_trt_ep_runtime.h"
#include "runtimes/onnxruntime/ort_engine.h"

namespace skua::ort {
namespace {

enum Variant : std::size_t { kIoBinding, kRun, kRunKept };
constexpr std::array<std::string_view, 3> kVariants = {"io_binding", "run", "run_kept"};

struct RawTensor {
  TensorSpec spec;
  Tensor memory;  ///< own or borrowed, at capacity; empty for an output that the library allocates
  TensorView view;
  ValueHandle value;  ///< `view` as the library's tensor; empty with it

  RawTensor(const OrtApi& api, TensorSpec of) : spec(std::move(of)), value(api) {}
  bool is_dynamic() const noexcept { return memory.view().data == nullptr; }
};

class OrtRawSession final : public RawSession {
 public:
  OrtRawSession(std::shared_ptr<const Session> session, EngineRecord record)
      : session_(std::move(session)),
        record_(std::move(record)),
        api_(session_->library->api()),
        host_(api_),
        binding_(api_) {}
  ~OrtRawSession() override { release_results(); }

  std::span<const std::string_view> variants() const noexcept override { return kVariants; }
  Status place(const RawMemory& memory) override;
  Status set_input_shape(std::size_t index, const Shape& shape) override;
  TensorView input(std::size_t index) const noexcept override { return inputs_[index].view; }
  Status run(std::size_t variant) noexcept override;
  Result<TensorView> output(std::size_t index) const override;

 private:
  Status place_inputs(const RawMemory& memory);
  Status place_outputs(const RawMemory& memory);
  OrtStatus* wrap(const RawTensor& tensor, OrtValue** value) const noexcept;
  OrtStatus* run_binding() noexcept;
  OrtStatus* run_dynamic_binding() noexcept;
  OrtStatus* read_shapes(std::span<OrtValue* const> values) noexcept;
  OrtStatus* run_fresh() noexcept;
  OrtStatus* run_kept() noexcept;
  OrtStatus* call_run(const std::vector<OrtValue*>& inputs) noexcept;
  void release_results() noexcept;

  std::shared_ptr<const Session> session_;
  EngineRecord record_;
  const OrtApi& api_;
  MemoryInfoHandle host_;
  BindingHandle binding_;
  OrtAllocator* allocator_ = nullptr;  // the library's default one, never freed
  std::vector<RawTensor> inputs_, outputs_;
  std::vector<const char*> input_names_, output_names_;
  std::vector<OrtValue*> kept_inputs_, fresh_inputs_;  // kept: owned by inputs_; fresh: of one call
  std::vector<OrtValue*> results_;                     // of Run; null before it
  std::vector<bool> is_result_kept_;                   // owned by outputs_, not to be released here
  OrtValue** bound_ = nullptr;                         // of a binding with dynamic outputs
  std::size_t bound_count_ = 0;
  bool has_dynamic_ = false;
  bool is_last_bound_ = false;
};

Status OrtRawSession::place(const RawMemory& memory) {
  SKUA_RETURN_IF_ERROR(placing(api_, api_.GetAllocatorWithDefaultOptions(&allocator_)));
  SKUA_RETURN_IF_ERROR(
      placing(api_, api_.CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, host_.out())));
  SKUA_RETURN_IF_ERROR(placing(api_, api_.CreateIoBinding(session_->handle.get(), binding_.out())));
  SKUA_RETURN_IF_ERROR(place_inputs(memory));
  SKUA_RETURN_IF_ERROR(place_outputs(memory));
  for (const RawTensor& tensor : inputs_) input_names_.push_back(tensor.spec.name.c_str());
  for (const RawTensor& tensor : outputs_) output_names_.push_back(tensor.spec.name.c_str());
  fresh_inputs_.assign(inputs_.size(), nullptr);
  results_.assign(outputs_.size(), nullptr);
  is_result_kept_.assign(outputs_.size(), false);
  return {};
}

Status OrtRawSession::place_inputs(const RawMemory& memory) {
  kept_inputs_.assign(record_.inputs.size(), nullptr);
  for (const TensorSpec& spec : record_.inputs) inputs_.emplace_back(api_, spec);
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    RawTensor& tensor = inputs_[i];
    const bool is_borrowed = i < memory.inputs.size();
    if (is_borrowed) {
      tensor.memory = Tensor::borrow(memory.inputs[i]);
    } else {
      SKUA_ASSIGN_OR_RETURN(tensor.memory, Tensor::allocate(tensor.spec.dtype, tensor.spec.max_shape));
    }
    tensor.view = tensor.memory.view();
    const Shape shape = is_borrowed ? tensor.view.shape : opt_shape_of(record_.profiles, tensor.spec);
    SKUA_RETURN_IF_ERROR(set_input_shape(i, shape));
  }
  return {};
}

Status OrtRawSession::place_outputs(const RawMemory& memory) {
  for (const TensorSpec& spec : record_.outputs) outputs_.emplace_back(api_, spec);
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    RawTensor& tensor = outputs_[i];
    const char* name = tensor.spec.name.c_str();
    if (!tensor.spec.shape.is_static()) {
      has_dynamic_ = true;
      SKUA_RETURN_IF_ERROR(placing(api_, api_.BindOutputToDevice(binding_.get(), name, host_.get())));
      continue;
    }
    if (i < memory.outputs.size() && memory.outputs[i].data != nullptr) {
      tensor.memory = Tensor::borrow(memory.outputs[i]);
    } else {
      SKUA_ASSIGN_OR_RETURN(tensor.memory, Tensor::allocate(tensor.spec.dtype, tensor.spec.shape));
    }
    tensor.view = tensor.memory.view();
    SKUA_RETURN_IF_ERROR(placing(api_, wrap(tensor, tensor.value.out())));
    SKUA_RETURN_IF_ERROR(placing(api_, api_.BindOutput(binding_.get(), name, tensor.value.get())));
  }
  return {};
}

OrtStatus* OrtRawSession::wrap(const RawTensor& tensor, OrtValue** value) const noexcept {
  const TensorView& view = tensor.view;
  return api_.CreateTensorWithDataAsOrtValue(host_.get(), view.data, view.size_bytes(),
                                             view.shape.dims().data(), view.shape.rank(),
                                             element_type_of(view.dtype), value);
}

Status OrtRawSession::set_input_shape(std::size_t index, const Shape& shape) {
  RawTensor& tensor = inputs_[index];
  SKUA_ASSIGN_OR_RETURN(const std::size_t bytes, shape.byte_size(tensor.spec.dtype));
  if (bytes > tensor.memory.view().size_bytes()) {
    return make_error(ErrorCode::kInvalidArgument, Reason::kShapeMismatch,
                      "input '" + tensor.spec.name + "': expected at most " +
                          tensor.memory.view().shape.to_string() + ", found " + shape.to_string() +
                          "; stay within the profile");
  }
  tensor.view.shape = shape;
  SKUA_RETURN_IF_ERROR(placing(api_, wrap(tensor, tensor.value.out())));
  kept_inputs_[index] = tensor.value.get();
  return placing(api_, api_.BindInput(binding_.get(), tensor.spec.name.c_str(), tensor.value.get()));
}

Status OrtRawSession::run(std::size_t variant) noexcept {
  OrtStatus* status = nullptr;
  if (variant == kIoBinding) status = has_dynamic_ ? run_dynamic_binding() : run_binding();
  if (variant == kRun) status = run_fresh();
  if (variant == kRunKept) status = run_kept();
  is_last_bound_ = variant == kIoBinding;
  if (status != nullptr) return translate_hot(api_, status);
  return {};
}

OrtStatus* OrtRawSession::run_binding() noexcept {
  return api_.RunWithBinding(session_->handle.get(), nullptr, binding_.get());
}

// An output that the library allocates must be bound anew before each run, or the last run's tensor would be
// taken for a preallocated one; and a caller who wants to read it must ask for it, and for its shape.
OrtStatus* OrtRawSession::run_dynamic_binding() noexcept {
  release_results();
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    if (!outputs_[i].is_dynamic()) continue;
    if (OrtStatus* status = api_.BindOutputToDevice(binding_.get(), output_names_[i], host_.get()))
      return status;
  }
  if (OrtStatus* status = run_binding()) return status;
  if (OrtStatus* status = api_.GetBoundOutputValues(binding_.get(), allocator_, &bound_, &bound_count_))
    return status;
  return read_shapes(std::span(bound_, bound_count_));
}

// `values` are in the order of the outputs, which is also the order in which they were bound.
OrtStatus* OrtRawSession::read_shapes(std::span<OrtValue* const> values) noexcept {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!outputs_[i].is_dynamic()) continue;
    ShapeInfoHandle info(api_);
    if (OrtStatus* status = api_.GetTensorTypeAndShape(values[i], info.out())) return status;
    std::size_t rank = 0;
    if (OrtStatus* status = api_.GetDimensionsCount(info.get(), &rank)) return status;
    std::array<std::int64_t, Shape::kMaxRank> dims{};
    if (OrtStatus* status = api_.GetDimensions(info.get(), dims.data(), std::min(rank, dims.size())))
      return status;
  }
  return nullptr;
}

// What most programs write: tensors over their own input memory, made and dropped for each call; outputs that
// the library allocates and the caller reads in place.
OrtStatus* OrtRawSession::run_fresh() noexcept {
  release_results();
  OrtStatus* status = nullptr;
  for (std::size_t i = 0; i < inputs_.size() && status == nullptr; ++i) {
    status = wrap(inputs_[i], &fresh_inputs_[i]);
  }
  if (status == nullptr) status = call_run(fresh_inputs_);
  for (std::size_t i = 0; i < outputs_.size() && status == nullptr; ++i) {
    void* data = nullptr;
    status = api_.GetTensorMutableData(results_[i], &data);
  }
  if (status == nullptr) status = read_shapes(results_);
  for (OrtValue*& value : fresh_inputs_) {
    if (value != nullptr) api_.ReleaseValue(value);
    value = nullptr;
  }
  return status;
}

OrtStatus* OrtRawSession::run_kept() noexcept {
  release_results();
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    results_[i] = outputs_[i].value.get();
    is_result_kept_[i] = results_[i] != nullptr;
  }
  if (OrtStatus* status = call_run(kept_inputs_)) return status;
  return read_shapes(results_);
}

OrtStatus* OrtRawSession::call_run(const std::vector<OrtValue*>& inputs) noexcept {
  return api_.Run(session_->handle.get(), nullptr, input_names_.data(), inputs.data(), inputs.size(),
                  output_names_.data(), output_names_.size(), results_.data());
}

void OrtRawSession::release_results() noexcept {
  for (std::size_t i = 0; i < results_.size(); ++i) {
    if (results_[i] != nullptr && !is_result_kept_[i]) api_.ReleaseValue(results_[i]);
    results_[i] = nullptr;
    is_result_kept_[i] = false;
  }
  for (std::size_t i = 0; i < bound_count_; ++i) api_.ReleaseValue(bound_[i]);
  if (bound_ != nullptr) {
    if (OrtStatus* status = api_.AllocatorFree(allocator_, bound_)) api_.ReleaseStatus(status);
  }
  bound_ = nullptr;
  bound_count_ = 0;
}

// A binding lists its values in the order in which they were bound, which place() keeps.
Result<TensorView> OrtRawSession::output(std::size_t index) const {
  if (is_last_bound_ && !outputs_[index].is_dynamic()) return outputs_[index].view;
  OrtValue* value = is_last_bound_ ? (index < bound_count_ ? bound_[index] : nullptr) : results_[index];
  if (value == nullptr) {
    return make_error(ErrorCode::kInternal, Reason::kInternal, "there is no result yet; run first");
  }
  TensorView view{nullptr, outputs_[index].spec.dtype, Shape{}, Device{}};
  ShapeInfoHandle info(api_);
  SKUA_RETURN_IF_ERROR(placing(api_, api_.GetTensorTypeAndShape(value, info.out())));
  std::size_t rank = 0;
  SKUA_RETURN_IF_ERROR(placing(api_, api_.GetDimensionsCount(info.get(), &rank)));
  std::vector<std::int64_t> dims(rank);
  SKUA_RETURN_IF_ERROR(placing(api_, api_.GetDimensions(info.get(), dims.data(), rank)));
  SKUA_ASSIGN_OR_RETURN(view.shape, Shape::from(dims));
  SKUA_RETURN_IF_ERROR(placing(api_, api_.GetTensorMutableData(value, &view.data)));
  return view;
}

/// Remembers which session belongs to which engine. The runtime goes first: it refers to this object.
class OrtPairedRuntime final : public PairedRuntime {
 public:
  Status create(RuntimeEnvironment environment) {
    const auto remember = [this](const EngineRecord& record, const LoadedEngine& engine) {
      const std::lock_guard lock(mutex_);
      sessions_[record.engine_sha256.hex()] = session_of(engine);
    };
    SKUA_ASSIGN_OR_RETURN(runtime_, create_observed_runtime(std::move(environment), remember));
    return {};
  }

  InferenceRuntime& runtime() noexcept override { return *runtime_; }

  Result<std::unique_ptr<RawSession>> raw_session(const EngineRecord& record) override {
    const std::lock_guard lock(mutex_);
    const auto found = sessions_.find(record.engine_sha256.hex());
    if (found == sessions_.end()) {
      return make_error(ErrorCode::kInvalidArgument, Reason::kUnknownName,
                        record.file + " is not resident in this runtime; load it first");
    }
    return std::unique_ptr<RawSession>(std::make_unique<OrtRawSession>(found->second, record));
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const Session>> sessions_;  ///< under mutex_
  std::unique_ptr<InferenceRuntime> runtime_;
};

}  // namespace

Result<std::unique_ptr<RawSession>> open_raw_session(const RuntimeConfig& config, const EngineRecord& record,
                                                     std::span<const std::byte> bytes, RawOrigin origin) {
  SKUA_ASSIGN_OR_RETURN(auto library, OrtLibrary::open(library_path(config)));
  SessionPlan plan = run_plan(config, limits_of(config, record));
  if (origin == RawOrigin::kSource) plan.graph_optimization = "all";
  SKUA_ASSIGN_OR_RETURN(const auto options, make_options(*library, plan, ErrorCode::kEngineDeserialize));
  SKUA_ASSIGN_OR_RETURN(auto session,
                        create_session(library, options, bytes, OrtContext::kLoad, record.file));
  return std::unique_ptr<RawSession>(std::make_unique<OrtRawSession>(std::move(session), record));
}

Result<std::unique_ptr<PairedRuntime>> create_paired(RuntimeEnvironment environment) {
  auto paired = std::make_unique<OrtPairedRuntime>();
  SKUA_RETURN_IF_ERROR(paired->create(std::move(environment)));
  return std::unique_ptr<PairedRuntime>(std::move(paired));
}

}  // namespace skua::ort
