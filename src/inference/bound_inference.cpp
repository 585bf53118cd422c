#include "inference/frame_events.h"
#include "inference/runtime_state.h"

namespace skua {

BoundInference::BoundInference(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
BoundInference::BoundInference(BoundInference&&) noexcept = default;
BoundInference& BoundInference::operator=(BoundInference&&) noexcept = default;
BoundInference::~BoundInference() = default;

std::size_t BoundInference::input_count() const noexcept { return impl_->engine->record.inputs.size(); }
std::size_t BoundInference::output_count() const noexcept { return impl_->engine->record.outputs.size(); }

TensorView BoundInference::input(std::size_t index) const noexcept {
  return impl_->slot->execution->input(index);
}

Result<TensorView> BoundInference::input(std::string_view name) const {
  SKUA_ASSIGN_OR_RETURN(const std::size_t index, index_of(impl_->engine->record.inputs, name, "input"));
  return input(index);
}

TensorView BoundInference::output(std::size_t index) const noexcept {
  TensorView view = impl_->slot->execution->output(index);
  if (!impl_->slot->has_result) view.data = nullptr;
  return view;
}

Result<TensorView> BoundInference::output(std::string_view name) const {
  SKUA_ASSIGN_OR_RETURN(const std::size_t index, index_of(impl_->engine->record.outputs, name, "output"));
  return output(index);
}

Status BoundInference::set_shape(std::string_view name, const Shape& shape) {
  const EngineRecord& record = impl_->engine->record;
  SKUA_ASSIGN_OR_RETURN(const std::size_t index, index_of(record.inputs, name, "input"));
  SKUA_RETURN_IF_ERROR(check_input_shape(record, index, shape));
  const LaneHold hold(*impl_->lane);
  if (!hold.is_held()) {
    return make_error(ErrorCode::kInference, Reason::kLaneBusy,
                      "lane '" + impl_->lane->consumer + "' is in use; one thread at a time");
  }
  if (!is_usable(*impl_->engine)) {
    return make_error(ErrorCode::kInference, Reason::kEngineReleased,
                      record.model + " was released, or its runtime is gone");
  }
  impl_->slot->has_result = false;
  return impl_->slot->execution->set_input_shape(index, shape);
}

Status BoundInference::run(const InferOptions& options) noexcept {
  const LaneHold hold(*impl_->lane);
  Status status = hold.is_held() ? run_slot(*impl_->engine, *impl_->slot, options, *impl_->clock)
                                 : Status(Error{ErrorCode::kInference, Reason::kLaneBusy, 0, {}});
  // With the runtime its event sink may be gone.
  if (!status.ok() && impl_->engine->runtime->is_alive.load(std::memory_order_acquire)) {
    impl_->events->post(failed_frame(impl_->engine->record, options, status.error()));
  }
  return status;
}

}  // namespace skua
