#include "events/event_pipeline.h"

#include <pthread.h>
#include <signal.h>

#include <array>
#include <system_error>
#include <utility>

#include "core/blocked_signals.h"
#include "events/event_kinds.h"
#include "events/event_worker.h"

namespace skua {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

void run_event_thread(const std::shared_ptr<PipelineState>& state, EventWorker& worker) {
  ::pthread_setname_np(::pthread_self(), "skua-events");
  worker.run();
  worker.finish();
  {
    const std::lock_guard lock(state->mutex);
    state->has_ended = true;
  }
  state->changed.notify_all();
}

bool is_wanted(const Event& event, const PipelineOptions& options) {
  if (options.log != nullptr && event.level >= options.minimum) return true;
  return !options.recorders.empty() && is_recorded(event.kind, event.level);
}

}  // namespace

EventPipeline::EventPipeline(std::shared_ptr<PipelineState> state) : state_(std::move(state)) {}

Result<std::unique_ptr<EventPipeline>> EventPipeline::start(PipelineOptions options) {
  auto state = std::make_shared<PipelineState>(std::move(options));
  std::unique_ptr<EventPipeline> pipeline(new EventPipeline(state));
  try {
    const BlockedSignals inherited;
    pipeline->thread_ =
        std::thread([state, worker = EventWorker(state)]() mutable { run_event_thread(state, worker); });
  } catch (const std::system_error& error) {
    return make_error(ErrorCode::kOutOfMemory, Reason::kOutOfMemory,
                      "event thread: expected a new thread, the system gives none (" +
                          std::string(error.what()) + "); raise the limit on threads (ulimit -u, TasksMax)",
                      error.code().value());
  }
  return pipeline;
}

EventPipeline::~EventPipeline() {
  if (!thread_.joinable()) return;
  constexpr milliseconds kGrace{20};  // for the call that is in progress, after a drain in vain
  const auto deadline = steady_clock::now() + state_->options.shutdown_limit;
  drain(state_->options.shutdown_limit - kGrace);
  state_->is_stopping = true;
  state_->queue.wake();
  bool has_ended = false;
  {
    std::unique_lock lock(state_->mutex);
    has_ended = state_->changed.wait_until(lock, deadline, [this] { return state_->has_ended; });
  }
  if (has_ended) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

void EventPipeline::emit(const Event& event) noexcept {
  if (!is_wanted(event, state_->options)) return;
  const Clock& clock = *state_->options.clock;
  try {
    state_->queue.push({clock.utc_us(), clock.monotonic_ns(), event});
  } catch (...) {
    ++state_->failed_before;
  }
}

void EventPipeline::post(const FrameEvent& event) noexcept {
  const PipelineOptions& options = state_->options;
  // Only a DEBUG log wants timings; taken in for nobody, they would push failures out of the ring.
  const bool has_debug_log = options.log != nullptr && options.minimum == Level::kDebug;
  if (event.kind == FrameEvent::Kind::kTiming && !has_debug_log) return;
  state_->frames.push({options.clock->utc_us(), options.clock->monotonic_ns(), event});
}

bool EventPipeline::drain(milliseconds limit) {
  const Settled wanted{state_->queue.tail(), state_->frames.tail()};
  state_->queue.wake();
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_for(lock, limit, [&] {
    return state_->settled.events >= wanted.events && state_->settled.frames >= wanted.frames;
  });
}

PipelineCounts EventPipeline::counts() const {
  PipelineCounts counts;
  {
    const std::lock_guard lock(state_->mutex);
    counts = state_->published;
  }
  counts.emitted = state_->emitted();
  counts.dropped = state_->dropped();
  return counts;
}

}  // namespace skua
