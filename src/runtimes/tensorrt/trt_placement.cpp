// A lane's beginning and end: its memory, its context, and what becomes of both.
#include <algorithm>
#include <shared_mutex>
#include <utility>

#include "core/profile_check.h"
#include "runtimes/tensorrt/trt_execution.h"
#include "runtimes/tensorrt/trt_logger.h"
#include "runtimes/tensorrt/trt_types.h"

namespace skua::tensorrt {
namespace {

constexpr std::int64_t kLongestFarewellNs = 2'000'000'000;

const PlanTensor* find(const std::vector<PlanTensor>& tensors, const std::string& name) {
  const auto found = std::find_if(tensors.begin(), tensors.end(),
                                  [&](const PlanTensor& tensor) { return tensor.name == name; });
  return found == tensors.end() ? nullptr : &*found;
}

Error missing(const std::string& name) {
  return make_error(ErrorCode::kEngineDeserialize, Reason::kContractMismatch,
                    "'" + name + "' is recorded, and the plan has no such input or output; compile it again");
}

}  // namespace

TrtExecution::TrtExecution(std::shared_ptr<PlanEngine> plan, const LaneSettings& settings)
    : lane_(std::make_shared<Lane>()), settings_(settings), may_record_(settings.records_before_warm_up) {
  lane_->plan = std::move(plan);
  lane_->temporary = std::make_unique<TemporaryMemory>(lane_->plan->device());
}

TrtExecution::~TrtExecution() {
  const std::shared_ptr<PlanEngine> plan = lane_->plan;  // goes last, and by itself
  DeviceState& device = *plan->device();
  if (note_) device.tell(*note_);
  if (!device.is_lost() && is_behind_) {
    const Clock& clock = *settings_.farewell_clock;
    const std::int64_t end_ns = clock.monotonic_ns() + kLongestFarewellNs;
    const cudaError_t ended = wait_for_stream(lane_->stream.get(), WaitMode::kPoll, end_ns, clock, device);
    if (ended != cudaErrorNotReady) device.take(ended);
    if (ended == cudaErrorNotReady) {
      abandon(std::move(lane_));  // the device may still write there
      return;
    }
  }
  const std::shared_lock gate(recording_gate());
  // Each may answer that the device is lost; then the rest is left alone.
  if (!device.is_lost()) drop_graph();
  if (!device.is_lost()) plan->end_context(lane_->context);
  if (!device.is_lost()) device.take(lane_->done.reset());
  if (!device.is_lost()) device.take(lane_->stream.reset());
  if (device.is_lost()) abandon(std::move(lane_));
  lane_.reset();
}

Error TrtExecution::refused(const ErrorRecorder& recorder, const std::string& what,
                            std::string_view log) const {
  const bool is_short = lane_->plan->allocator().refusals() != engine_refusals_;
  const Fault refused = is_short ? lane_->plan->allocator().last_refusal() : Fault{};
  const Fault asked = device().heed(worse(refused, device().ask(lane_->stream.get())));
  if (asked.kind == FaultClass::kDevice || asked.kind == FaultClass::kMemory)
    return translate(TrtContext::kLoad, asked, what, describe(asked, recorder.text() + std::string(log)));
  return translate(TrtContext::kLoad, recorder, what, log);
}

Status TrtExecution::place(const EngineRecord& record) {
  const std::shared_lock gate(recording_gate());
  return or_out_of_memory(record.file, [&]() -> Status {
    if (device().is_lost())
      return translate(TrtContext::kLoad, device().meet_loss(), record.file, "the device is lost");
    begin_call();
    note_ = device().note_of(record.model);
    SKUA_RETURN_IF_ERROR(place_memory(record));
    SKUA_RETURN_IF_ERROR(make_context(record.file));
    SKUA_RETURN_IF_ERROR(bind_all(record.file));
    SKUA_RETURN_IF_ERROR(find_dynamic_outputs(record.file));
    hide_outputs();
    return {};
  });
}

Status TrtExecution::place_memory(const EngineRecord& record) {
  const PlanFacts& facts = lane_->plan->facts();
  const auto& state = lane_->plan->device();
  const auto made = [&](cudaError_t error, std::string_view what) {
    device().heed(classify(error));
    return check(error, TrtContext::kLoad, what);
  };
  SKUA_RETURN_IF_ERROR(
      made(cudaStreamCreateWithFlags(lane_->stream.out(), cudaStreamNonBlocking), "a stream"));
  SKUA_RETURN_IF_ERROR(
      made(cudaEventCreateWithFlags(lane_->done.out(), event_flags_of(settings_.wait)), "an event"));
  SKUA_ASSIGN_OR_RETURN(lane_->scratch,
                        CudaMemory::device(state, facts.device_memory_bytes, TrtContext::kLoad));
  const auto slot_of = [&](const std::vector<PlanTensor>& tensors, const TensorSpec& spec) -> Result<IoSlot> {
    const PlanTensor* const tensor = find(tensors, spec.name);
    if (tensor == nullptr) return missing(spec.name);
    return place_slot(state, spec, settings_.io.is_copied(record.model, spec.name));
  };
  for (const TensorSpec& spec : record.inputs) {
    SKUA_ASSIGN_OR_RETURN(IoSlot slot, slot_of(facts.inputs, spec));
    slot.view.shape = opt_shape_of(record.profiles, spec);
    lane_->inputs.push_back(std::move(slot));
  }
  for (const TensorSpec& spec : record.outputs) {
    SKUA_ASSIGN_OR_RETURN(IoSlot slot, slot_of(facts.outputs, spec));
    lane_->outputs.push_back(OutputSlot{std::move(slot), nullptr});
  }
  return {};
}

Status TrtExecution::make_context(const std::string& what) {
  const LogCapture log;
  lane_->context = lane_->plan->make_context(lane_->recorder);
  if (lane_->context && configure_context()) return {};
  return refused(lane_->recorder, what + ": an execution context", log.text());
}

// Its scratch memory is ours, so that a context can be made anew in flight without taking that. It has
// profile 0 from the beginning.
bool TrtExecution::configure_context() noexcept {
  nvinfer1::IExecutionContext& context = *lane_->context;
  lane_->recorder.clear();
  context.setDeviceMemoryV2(lane_->scratch.device(),
                            static_cast<std::int64_t>(lane_->plan->facts().device_memory_bytes));
  // That call answers nothing; a report is all there is to judge it by.
  return !lane_->recorder.first() && context.getErrorRecorder() == &lane_->recorder &&
         context.setTemporaryStorageAllocator(lane_->temporary.get());
}

bool TrtExecution::bind_addresses() noexcept {
  nvinfer1::IExecutionContext& context = *lane_->context;
  for (const IoSlot& slot : lane_->inputs) {
    if (!context.setTensorAddress(slot.name.c_str(), slot.address())) return false;
    if (!context.setInputShape(slot.name.c_str(), dims_of(slot.view.shape))) return false;
  }
  for (const OutputSlot& slot : lane_->outputs) {
    const bool is_bound = slot.reserved ? context.setOutputAllocator(slot.name.c_str(), slot.reserved.get())
                                        : context.setTensorAddress(slot.name.c_str(), slot.address());
    if (!is_bound) return false;
  }
  are_shapes_settled_ = false;
  return true;
}

Status TrtExecution::bind_all(const std::string& what) {
  const LogCapture log;
  if (bind_addresses()) return {};
  return refused(lane_->recorder, what + ": placing inputs and outputs", log.text());
}

// With every input's shape known, TensorRT knows each output's, unless the data decide.
Status TrtExecution::find_dynamic_outputs(const std::string& what) {
  for (OutputSlot& slot : lane_->outputs) {
    Shape shape;
    if (!read_shape(lane_->context->getTensorShape(slot.name.c_str()), shape))
      return refused(lane_->recorder, what + ": the shape of '" + slot.name + "'", "");
    if (shape.is_static()) continue;
    slot.reserved = std::make_unique<ReservedOutput>(slot.address(), slot.memory.size());
    has_dynamic_outputs_ = true;
  }
  if (!has_dynamic_outputs_) return {};
  lane_->graph.rule_out("data_dependent_outputs");
  if (settings_.uses_graphs) note_graph_reason();
  return bind_all(what);
}

}  // namespace skua::tensorrt
