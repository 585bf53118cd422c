#include "events/event_worker.h"

#include <algorithm>
#include <utility>

#include "events/event_kinds.h"
#include "events/log_record.h"

namespace skua {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kIdleWait{20};   // how late a posted frame event may be: post() wakes nobody
constexpr int kIdlePassesPerFlush = 5;  // about 100 ms
constexpr int kBatch = 256;             // entries between two looks at losses, flushes and waiting drains
constexpr std::int64_t kReportInterval_ns = 1'000'000'000;

std::shared_ptr<const Clock> clock_or_system(std::shared_ptr<const Clock> clock) {
  if (clock != nullptr) return clock;
  return {std::shared_ptr<const Clock>(), &system_clock()};  // static: nobody owns it
}

PipelineOptions completed(PipelineOptions options) {
  options.clock = clock_or_system(std::move(options.clock));
  auto& recorders = options.recorders;
  recorders.insert(recorders.begin(), options.own_recorder);
  recorders.erase(std::remove(recorders.begin(), recorders.end(), nullptr), recorders.end());
  return options;
}

Event overrun_event(std::uint64_t count, std::string_view cause) {
  return {Level::kWarn,
          "overrun",
          std::string(cause) + " " + std::to_string(count) + " events; their sinks are too slow",
          {{"producer_id", std::string(FlightRecord::kProducer)},
           {"dropped_count", static_cast<std::int64_t>(count)}}};
}

Event loss_event(std::string_view sink, std::uint64_t count, const std::string& problem) {
  const std::string subject(sink);
  const std::string message =
      problem.empty()
          ? subject + " works again; " + std::to_string(count) + " records were lost since the start"
      : count == 0 ? subject + " does not work; no record was lost yet: " + problem
                   : subject + " has lost " + std::to_string(count) + " records since the start: " + problem;
  return {Level::kWarn,
          "c7.sink_lost",
          message,
          {{"sink", subject}, {"lost_count", static_cast<std::int64_t>(count)}, {"problem", problem}}};
}

}  // namespace

PipelineState::PipelineState(PipelineOptions given)
    : options(completed(std::move(given))),
      queue(options.event_capacity),
      frames(options.frame_capacity),
      own_count(options.own_recorder != nullptr ? 1 : 0) {
  published.recorder_lost.resize(options.recorders.size());
}

std::uint64_t PipelineState::emitted() const { return queue.tail() + failed_before + frames.pushed_count(); }

std::uint64_t PipelineState::dropped() const {
  return queue.dropped_count() + frames.dropped_count() + failed_before + failed_after;
}

EventWorker::EventWorker(std::shared_ptr<PipelineState> state)
    : state_(std::move(state)), recorder_watches_(state_->options.recorders.size()) {
  counts_.recorder_lost.resize(state_->options.recorders.size());
}

void EventWorker::run() {
  while (!state_->is_stopping) {
    bool has_more = false;
    try {
      has_more = pass();
    } catch (...) {
      // Out of memory while telling what was lost: the next batch tells it.
    }
    if (!has_more) state_->queue.wait(kIdleWait);
  }
}

bool EventWorker::pass() {
  int count = 0;
  while (count < kBatch && deliver_next()) ++count;
  if (state_->is_stopping) return false;
  // Taken before the reports: whoever waits for these positions finds the losses up to them reported too.
  const Settled reached = settled();
  report_overrun();
  report_losses();
  if (count > 0 || ++idle_passes_ >= kIdlePassesPerFlush) flush();
  publish(reached);
  return count == kBatch;
}

void EventWorker::refill() {
  if (!event_) {
    HeldEvent next;
    if (state_->queue.pop(next.stamped, next.position)) event_ = std::move(next);
  }
  if (!frame_) {
    StampedFrame frame;
    std::uint64_t position = 0;
    if (state_->frames.pop(frame, position)) {
      frame_ = {{frame.utc_us, frame.monotonic_ns, to_event(frame.event)}, position};
    }
  }
}

bool EventWorker::deliver_next() {
  if (state_->is_stopping) return false;
  try {
    refill();
    if (!event_ && !frame_) return false;
    deliver(take_earlier(), nullptr);
    ++counts_.handed;
  } catch (...) {
    ++state_->failed_after;  // out of memory: this entry is gone
  }
  return true;
}

/// Of the two that are held; there is at least one.
StampedEvent EventWorker::take_earlier() {
  const bool is_frame = !event_ || (frame_ && frame_->stamped.monotonic_ns < event_->stamped.monotonic_ns);
  auto& held = is_frame ? frame_ : event_;
  StampedEvent taken = std::move(held->stamped);
  held.reset();
  return taken;
}

/// is_stopping: nobody but the own recorder gets it.
void EventWorker::hand_rest_to_own() {
  for (refill(); event_ || frame_; refill()) deliver(take_earlier(), nullptr);
}

void EventWorker::finish() noexcept {
  try {
    hand_rest_to_own();
    const std::uint64_t count = cut_short_;
    report_overrun();
    if (count > 0) {
      report(overrun_event(count, "the end came before log and other recorders had the last"), nullptr);
    }
  } catch (...) {
    // Out of memory at the end: nobody is left to be told.
  }
  // Here, and not on the thread of whoever comes last: a recorder syncs when it goes, as slowly as its disk.
  auto& options = state_->options;
  options.log.reset();
  options.own_recorder.reset();
  options.recorders.clear();
}

Settled EventWorker::settled() const {
  return {event_ ? event_->position : state_->queue.head(),
          frame_ ? frame_->position : state_->frames.head()};
}

void EventWorker::deliver(const StampedEvent& stamped, const void* except) {
  const auto& options = state_->options;
  std::optional<FlightRecord> record;
  if (!options.recorders.empty()) {
    record = flight_record_of(stamped.event, stamped.utc_us, stamped.monotonic_ns);
  }
  is_cut_short_ = false;
  if (record) offer_to_own(*record, except);
  if (options.log != nullptr && options.log.get() != except) offer_to_log(stamped);
  if (record) offer_to_others(*record, except);
  if (is_cut_short_) ++cut_short_;
}

void EventWorker::offer_to_log(const StampedEvent& stamped) {
  if (stamped.event.level < state_->options.minimum) return;
  if (state_->is_stopping) {
    is_cut_short_ = true;
    return;
  }
  const std::string record = encode_log_record(stamped.event, stamped.utc_us);
  ++counts_.log_offered;
  state_->options.log->write(stamped.event, record);
}

void EventWorker::offer_to_own(const FlightRecord& record, const void* except) {
  const auto& own = state_->options.own_recorder;
  if (own != nullptr && own.get() != except) own->record(record);
}

void EventWorker::offer_to_others(const FlightRecord& record, const void* except) {
  const auto& recorders = state_->options.recorders;
  for (std::size_t i = state_->own_count; i < recorders.size(); ++i) {
    if (state_->is_stopping) {
      is_cut_short_ = true;
      return;
    }
    if (recorders[i].get() != except) recorders[i]->record(record);
  }
}

void EventWorker::report(Event event, const void* except) {
  const Clock& clock = *state_->options.clock;
  ++counts_.reports;
  deliver({clock.utc_us(), clock.monotonic_ns(), std::move(event)}, except);
}

void EventWorker::report_overrun() {
  const std::uint64_t dropped = state_->dropped();
  if (dropped == reported_dropped_) return;
  report(overrun_event(dropped - reported_dropped_, "a full queue dropped its oldest"), nullptr);
  reported_dropped_ = dropped;
}

template <typename Output>
void EventWorker::watch(const Output& output, LossWatch& watch, bool tells_problems_without_loss) {
  const std::uint64_t lost = output.lost_count();
  const std::string problem = output.last_problem();
  const bool has_problem = !problem.empty();
  const bool is_news = watch.has_problem ? !has_problem : has_problem && tells_problems_without_loss;
  if (lost == watch.reported && !is_news) return;
  const std::int64_t now = state_->options.clock->monotonic_ns();
  if (now < watch.next_report_ns) return;
  // An output that does not work would lose the report of it too, until it works again.
  report(loss_event(output.name(), lost, problem), has_problem ? &output : nullptr);
  watch = {lost, now + kReportInterval_ns, has_problem};
}

void EventWorker::report_losses() {
  // A reader of the log may be slow for a moment. A recorder that began on a full disk has a problem before
  // it has lost a record.
  if (state_->options.log != nullptr) watch(*state_->options.log, log_watch_, false);
  for (std::size_t i = 0; i < recorder_watches_.size(); ++i) {
    watch(*state_->options.recorders[i], recorder_watches_[i], true);
  }
}

void EventWorker::flush() {
  idle_passes_ = 0;
  for (std::size_t i = 0; i < state_->own_count; ++i) state_->options.recorders[i]->flush();
  if (state_->options.log != nullptr && !state_->is_stopping) state_->options.log->flush();
  for (std::size_t i = state_->own_count; i < state_->options.recorders.size(); ++i) {
    if (!state_->is_stopping) state_->options.recorders[i]->flush();
  }
}

void EventWorker::publish(const Settled& settled) {
  if (state_->options.log != nullptr) {
    counts_.log_written = state_->options.log->written_count();
    counts_.log_lost = state_->options.log->lost_count();
  }
  for (std::size_t i = 0; i < counts_.recorder_lost.size(); ++i) {
    counts_.recorder_lost[i] = state_->options.recorders[i]->lost_count();
  }
  {
    const std::lock_guard lock(state_->mutex);
    state_->settled = settled;
    state_->published = counts_;
  }
  state_->changed.notify_all();
}

}  // namespace skua
