#include "flight/flight_loop.h"

#include <algorithm>
#include <new>

#include "core/trace.h"

namespace skua::flight {
namespace {

/// Time to reach the first frame's sleep in; nothing depends on it.
constexpr std::int64_t kLeadNs = 20'000'000;
constexpr double kNsPerMs = 1e6;

std::int64_t now_ns() noexcept { return system_clock().monotonic_ns(); }

}  // namespace

std::string_view to_string(FlightEnd end) noexcept {
  switch (end) {
    case FlightEnd::kSignal:
      return "signal";
    case FlightEnd::kDuration:
      return "duration";
    case FlightEnd::kFrames:
      return "frames";
    case FlightEnd::kDeviceLost:
      return "device_lost";
  }
  return "signal";
}

FlightLoop::FlightLoop(const LoopParts& parts, const FrameFormat& format, const FlightSettings& settings)
    : parts_(parts),
      format_(format),
      rate_hz_(settings.rate_hz),
      deadline_ns_(static_cast<std::int64_t>(settings.deadline_ms * kNsPerMs)),
      schedule_(0, settings.rate_hz, kLateNs) {}

/// The picture of a slot, before it is due where there is time.
Status FlightLoop::acquire(std::uint64_t slot) noexcept {
  Span span(SpanKind::kAcquire, {{}, {}, slot});
  const std::int64_t start_ns = now_ns();
  Status read;
  try {
    read = parts_.frames->read(slot, format_.width, format_.height, format_.channels);
  } catch (const std::bad_alloc&) {
    read = Error{ErrorCode::kOutOfMemory, Reason::kOutOfMemory, 0, {}};
  }
  acquire_ns_ = now_ns() - start_ns;
  if (!read.ok()) span.failed(read.error().reason);
  return read;
}

/// A slot that was missed took its picture with it: what is flown on is the newest.
FrameResult FlightLoop::work_up(std::uint64_t slot, std::uint64_t acquired, Status& picture) noexcept {
  if (slot != acquired) picture = acquire(slot);
  FrameResult result;
  if (picture.ok()) {
    InferOptions options;
    options.frame = slot;
    options.deadline_ns = schedule_.due_ns(slot) + deadline_ns_;
    result = parts_.pipeline->run(parts_.frames->image(), options);
  } else {
    result.frame = slot;
    result.reason = picture.error().reason;
    result.failed_stage = Stage::kAcquire;
    result.ended_ns = now_ns();
  }
  result.after_due_ns = result.ended_ns - schedule_.due_ns(slot);
  result.took(Stage::kAcquire) = acquire_ns_;
  return result;
}

/// A failed run has told itself; this tells that the frame has no answer, whatever the reason.
void FlightLoop::post_dropped(const FrameResult& result) noexcept {
  FrameEvent event;
  event.kind = FrameEvent::Kind::kFrameDropped;
  event.reason = result.reason;
  event.frame = result.frame;
  const std::string_view stage = to_string(result.failed_stage);
  std::copy(stage.begin(), stage.end(), event.backbone.begin());
  parts_.events->post(event);
}

void FlightLoop::account(const FrameResult& result) noexcept {
  statistics_.add(result);
  progress_.frames.store(statistics_.frames(), std::memory_order_relaxed);
  progress_.no_results.store(statistics_.no_results(), std::memory_order_relaxed);
  progress_.late.store(schedule_.late_count(), std::memory_order_relaxed);
  progress_.missed.store(schedule_.missed_count(), std::memory_order_relaxed);
  memory_.sample(result.frame);
  if (!result.has_position()) post_dropped(result);
  if (parts_.lines != nullptr) {
    const std::string_view tile =
        result.has_position() ? parts_.tiles->tile(result.tile).name : std::string_view();
    parts_.lines->write(result, parts_.frames->name(result.frame), tile);
  }
  parts_.supervisor->alive(now_ns());
}

/// When the next frame begins. Where every frame is flown once, a loop that is behind must not begin again
/// with the first ones: the last slot lasts until it is flown.
std::int64_t FlightLoop::begin_ns(bool repeats) const noexcept {
  return repeats ? now_ns() : std::min(now_ns(), schedule_.due_ns(parts_.frames->size()) - 1);
}

bool FlightLoop::wait_due(std::uint64_t slot) noexcept {
  const Span span(SpanKind::kWaitDue, {{}, {}, slot});
  return parts_.signals->sleep_until(schedule_.due_ns());
}

FlightEnd FlightLoop::run(std::optional<std::int64_t> duration_ns) noexcept {
  const std::int64_t start_ns = now_ns() + kLeadNs;
  schedule_ = FrameSchedule(start_ns, rate_hz_, kLateNs);
  for (;;) {
    const std::uint64_t wanted = schedule_.slot();
    flown_ns_ = now_ns() - start_ns;
    if (parts_.signals->is_requested()) return FlightEnd::kSignal;
    if (duration_ns && schedule_.due_ns() >= start_ns + *duration_ns) return FlightEnd::kDuration;
    if (!duration_ns && wanted >= parts_.frames->size()) return FlightEnd::kFrames;
    Status picture = acquire(wanted);
    if (!wait_due(wanted)) return FlightEnd::kSignal;
    const std::uint64_t slot = schedule_.begin(begin_ns(duration_ns.has_value()));
    const FrameResult result = work_up(slot, wanted, picture);
    schedule_.end();
    if (result.reason == Reason::kCancelled) return FlightEnd::kSignal;
    account(result);
    if (result.reason != Reason::kDeviceLost) continue;
    native_code_ = result.native_code;
    return FlightEnd::kDeviceLost;
  }
}

}  // namespace skua::flight
