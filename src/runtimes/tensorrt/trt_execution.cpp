#include "runtimes/tensorrt/trt_execution.h"

#include <algorithm>
#include <shared_mutex>
#include <string>
#include <utility>

#include "core/trace.h"
#include "inference/warm_runs.h"
#include "runtimes/tensorrt/trt_logger.h"
#include "runtimes/tensorrt/trt_types.h"

namespace skua::tensorrt {
namespace {

constexpr std::int64_t kLongestSettlingNs = 1'000'000'000;
constexpr int kMostMending = 3;

Error bare(Reason reason) noexcept { return Error{ErrorCode::kInference, reason, 0, {}}; }

}  // namespace

void TrtExecution::hide_outputs() noexcept {
  for (OutputSlot& slot : lane_->outputs) slot.view.data = nullptr;
}

void TrtExecution::show_outputs() noexcept {
  for (OutputSlot& slot : lane_->outputs) slot.view.data = slot.memory.host();
}

bool TrtExecution::has_result() const noexcept {
  return std::all_of(lane_->outputs.begin(), lane_->outputs.end(),
                     [](const OutputSlot& slot) { return slot.view.data != nullptr; });
}

/// What was said or refused until now belongs to no call that follows, nor what CUDA remembers of calls on
/// this thread, our own or anybody's; if that is the loss of the device, the next call says it again.
/// Requires that the device is not lost.
void TrtExecution::begin_call() noexcept {
  was_refused_ = false;
  static_cast<void>(cudaGetLastError());
  lane_->recorder.clear();
  engine_refusals_ = lane_->plan->allocator().refusals();
  lane_refusals_ = lane_->temporary->source().refusals();
}

/// A report beside a right answer says nothing. Where our allocators had nothing to give, TensorRT's internal
/// error says no more than that. Another lane of the engine may have been the one; then the next such error
/// of this lane is judged as what it is.
Fault TrtExecution::told_by_tensorrt() const noexcept {
  if (!was_refused_) return {};
  const GpuAllocator& engine = lane_->plan->allocator();
  const GpuAllocator& lane = lane_->temporary->source();
  if (lane.refusals() != lane_refusals_) return lane.last_refusal();
  if (engine.refusals() != engine_refusals_) return engine.last_refusal();
  const auto told = lane_->recorder.first();
  return told ? classify(*told) : Fault{};
}

Status TrtExecution::run(std::optional<std::int64_t> deadline_ns) noexcept {
  const QuietLog quiet;
  deadline_ns_ = deadline_ns;
  hide_outputs();
  if (device().is_lost()) return lost();
  begin_call();
  SKUA_RETURN_IF_ERROR(catch_up());
  std::optional<ContextMemoryScope> for_context;
  if (needs_context_ || is_context_new_) for_context.emplace();
  if (needs_context_) SKUA_RETURN_IF_ERROR(rebuild());
  if (!are_shapes_settled_) SKUA_RETURN_IF_ERROR(settle_shapes());
  SKUA_RETURN_IF_ERROR(launch_and_wait());
  SKUA_RETURN_IF_ERROR(collect());
  was_short_of_memory_ = is_context_new_ = false;
  if (wants_graph()) SKUA_RETURN_IF_ERROR(make_graph());
  show_outputs();
  return {};
}

/// Whether the device has finished what an earlier run left it with.
Status TrtExecution::catch_up() noexcept {
  if (!is_behind_) return {};
  const cudaError_t answer = cudaStreamQuery(lane_->stream.get());
  if (answer == cudaErrorNotReady) return bare(Reason::kLaneBusy);
  is_behind_ = false;
  return answer == cudaSuccess ? Status() : fail(answer);
}

bool TrtExecution::is_late() const noexcept {
  return deadline_ns_ && settings_.clock->monotonic_ns() >= *deadline_ns_;
}

/// A fresh context in the old scratch memory. What TensorRT itself keeps for it is given back and taken
/// again.
Status TrtExecution::rebuild() noexcept {
  if (is_late()) return bare(Reason::kDeadlineMissed);
  const std::shared_lock gate(recording_gate());
  drop_graph();  // it would run in the context that goes
  if (device().is_lost()) return lost();
  if (may_record_) forget_graph_reason();
  lane_->plan->end_context(lane_->context);
  if (device().is_lost()) return lost();
  lane_->context = lane_->plan->make_context(lane_->recorder);
  if (!lane_->context || !configure_context() || !bind_addresses()) {
    was_refused_ = true;
    Status failed = fail(cudaSuccess);
    needs_context_ = true;
    return failed;
  }
  needs_context_ = false;
  is_context_new_ = true;
  return is_late() ? bare(Reason::kDeadlineMissed) : Status();
}

/// Outputs whose shape follows from the inputs' shapes get it here, once per change.
Status TrtExecution::settle_shapes() noexcept {
  if (lane_->context->inferShapes(0, nullptr) != 0) {
    was_refused_ = true;
    return fail(cudaSuccess);
  }
  for (OutputSlot& slot : lane_->outputs) {
    if (slot.reserved) continue;
    Shape shape;
    const bool is_read = read_shape(lane_->context->getTensorShape(slot.name.c_str()), shape);
    if (!is_read) {
      was_refused_ = true;
      return fail(cudaSuccess);
    }
    if (!slot.has_room(shape)) return bare(Reason::kOutputOverflow);
    slot.view.shape = shape;
  }
  are_shapes_settled_ = true;
  return {};
}

/// Puts one run on the stream: up, through the network, down.
cudaError_t TrtExecution::enqueue() noexcept {
  const cudaStream_t stream = lane_->stream.get();
  was_refused_ = false;
  for (const OutputSlot& slot : lane_->outputs) {
    if (slot.reserved) slot.reserved->forget();
  }
  Span copy_in(SpanKind::kCopyIn);
  for (const IoSlot& slot : lane_->inputs) {
    if (const cudaError_t error = slot.upload(stream); error != cudaSuccess) return error;
  }
  copy_in.end();
  Span enqueued(SpanKind::kEnqueue);
  if (!lane_->context->enqueueV3(stream)) {
    was_refused_ = true;
    return cudaErrorNotSupported;
  }
  enqueued.end();
  if (device().is_lost()) return cudaErrorUnknown;  // memory that TensorRT gave back has said so
  const Span copy_out(SpanKind::kCopyOut);
  for (const OutputSlot& slot : lane_->outputs) {
    if (slot.reserved) continue;  // its shape is not known yet
    if (const cudaError_t error = slot.download(stream); error != cudaSuccess) return error;
  }
  return cudaSuccess;
}

cudaError_t TrtExecution::launch_graph() noexcept {
  const Span span(SpanKind::kGraphLaunch);
  return lane_->graph.launch(lane_->stream.get());
}

Status TrtExecution::launch_and_wait() noexcept {
  const bool is_graph = lane_->graph.is_ready();
  was_refused_ = false;
  const cudaError_t launched = is_graph ? launch_graph() : enqueue();
  if (launched == cudaSuccess) return wait();
  const bool is_overflow = has_overflowed();
  if (is_overflow) lane_->recorder.clear();  // it was ours to refuse the memory
  Status failed = fail(launched);
  if (is_graph && !device().is_lost()) rule_out_graph("launch_failed");
  if (!is_overflow) return failed;
  return failed.error().reason == Reason::kExecutionFailed ? bare(Reason::kOutputOverflow)
                                                           : std::move(failed);
}

Status TrtExecution::wait() noexcept {
  const Span span(SpanKind::kWait);
  if (const cudaError_t error = cudaEventRecord(lane_->done.get(), lane_->stream.get()); error != cudaSuccess)
    return fail(error);
  const cudaError_t ended =
      wait_for(lane_->done.get(), settings_.wait, deadline_ns_, *settings_.clock, device());
  if (ended == cudaSuccess) return {};
  if (ended != cudaErrorNotReady) return fail(ended);
  is_behind_ = true;
  return bare(Reason::kDeadlineMissed);
}

/// Whether an output asked for more than it has.
bool TrtExecution::has_overflowed() const noexcept {
  return std::any_of(lane_->outputs.begin(), lane_->outputs.end(),
                     [](const OutputSlot& slot) { return slot.reserved && slot.reserved->has_overflowed(); });
}

/// What only the run could say: the shapes of its data-dependent outputs. Then their bytes come down, none
/// before all shapes are known to be right: nothing may be on its way when a run has failed.
Status TrtExecution::collect() noexcept {
  if (!has_dynamic_outputs_) return {};
  for (OutputSlot& slot : lane_->outputs) {
    if (!slot.reserved) continue;
    if (!slot.reserved->has_shape()) return bare(Reason::kExecutionFailed);
    Shape shape;
    if (!read_shape(slot.reserved->dims(), shape) || !slot.has_room(shape))
      return bare(Reason::kOutputOverflow);
    slot.view.shape = shape;
  }
  bool is_copied = false;
  Span copy_out(SpanKind::kCopyOut);
  for (const OutputSlot& slot : lane_->outputs) {
    if (!slot.reserved) continue;
    is_copied = is_copied || slot.device_copy.size() > 0;
    if (const cudaError_t error = slot.download(lane_->stream.get()); error != cudaSuccess)
      return fail(error);
  }
  copy_out.end();
  return is_copied ? wait() : Status();
}

/// Judges a failure, and what it means for the runs that follow.
Status TrtExecution::fail(cudaError_t reported) noexcept {
  if (device().is_lost()) return lost();  // by another lane
  const Fault fault =
      worse(told_by_tensorrt(), probe(was_refused_ ? cudaSuccess : reported, lane_->stream.get()));
  if (device().heed(fault).kind == FaultClass::kDevice) return translate_hot(fault);
  // A context that lacked memory once is as good as before; one that lacks it again may be what holds it.
  const bool is_short_of_memory = fault.kind == FaultClass::kMemory;
  if (fault.kind == FaultClass::kContext || (is_short_of_memory && was_short_of_memory_))
    needs_context_ = true;
  was_short_of_memory_ = is_short_of_memory;
  settle_stream();
  return translate_hot(fault);
}

/// After a failure: part of the run may be on its way, and the next one should not find its lane busy for
/// that. What this work ends with was reported or concerns nobody, unless the device is lost with it.
void TrtExecution::settle_stream() noexcept {
  const std::int64_t end_ns = deadline_ns_.value_or(settings_.clock->monotonic_ns() + kLongestSettlingNs);
  const cudaError_t ended =
      wait_for_stream(lane_->stream.get(), settings_.wait, end_ns, *settings_.clock, device());
  is_behind_ = ended != cudaSuccess;
  if (ended != cudaErrorNotReady) device().take(ended);
}

Status TrtExecution::set_input_shape(std::size_t index, const Shape& shape) {
  IoSlot& slot = lane_->inputs[index];
  if (device().is_lost()) return lost();
  begin_call();
  SKUA_RETURN_IF_ERROR(catch_up());
  if (are_shapes_settled_ && shape == slot.view.shape) return {};
  if (!slot.has_room(shape)) {
    return or_out_of_memory(slot.name, [&]() -> Status {
      return make_error(ErrorCode::kInvalidArgument, Reason::kShapeMismatch,
                        "input '" + slot.name + "': expected at most " + slot.capacity.to_string() +
                            ", found " + shape.to_string() + "; stay within the profile");
    });
  }
  const QuietLog quiet;
  are_shapes_settled_ = false;
  if (!has_dynamic_outputs_) {
    // Its context changes, refused or not, and what it would do then is undefined, also when the old shape
    // comes back. And what held for one shape need not for another.
    drop_graph();
    if (device().is_lost()) {
      hide_outputs();  // as a run would; there will be none
      return lost();
    }
    forget_graph_reason();
  }
  if (!needs_context_ && !lane_->context->setInputShape(slot.name.c_str(), dims_of(shape))) {
    was_refused_ = true;
    return fail(cudaSuccess);
  }
  slot.view.shape = shape;
  return {};
}

Status TrtExecution::warm_up(const EngineRecord& record) {
  Status warmed = warm_up_sides(record);
  may_record_ = true;
  if (!warmed.ok() && warmed.error().reason != Reason::kLaneBusy) return warmed;
  return or_out_of_memory(record.file, [this] { return check_warm(); });
}

/// Under the runtime only the last side is recorded: graphs of the others would be thrown away, and each
/// would wait until nobody loads.
Status TrtExecution::warm_up_sides(const EngineRecord& record) {
  if (!record.profiles.empty()) {
    SKUA_RETURN_IF_ERROR(run_at(*this, record, &OptimizationProfile::max, 1));
    SKUA_RETURN_IF_ERROR(run_at(*this, record, &OptimizationProfile::min, 1));
  }
  may_record_ = true;
  SKUA_RETURN_IF_ERROR(run_at(*this, record, &OptimizationProfile::opt, record.profiles.empty() ? 1 : 2));
  // What a fault has left undone is done here and not in flight. Without another recording, which may have
  // been the fault.
  may_record_ = false;
  for (int more = 0; more < kMostMending && (needs_context_ || !has_result()); ++more)
    SKUA_RETURN_IF_ERROR(run_at(*this, record, &OptimizationProfile::opt, 1));
  return {};
}

/// A lane that cannot run now will not in the air. That the runs had no result means so too, unless their
/// data decided it.
Status TrtExecution::check_warm() const {
  if (is_behind_)
    return make_error(ErrorCode::kInference, Reason::kLaneBusy,
                      "expected the device to finish a run, found it still at work after a minute; start the "
                      "program again, and the device if it still hangs");
  if (!needs_context_ && (has_result() || has_dynamic_outputs_)) return {};
  return make_error(ErrorCode::kInference, Reason::kExecutionFailed,
                    "expected a run with a result, found " + std::to_string(kMostMending) +
                        " more that had none; compile the engine again on this host");
}

}  // namespace skua::tensorrt
