// The event thread's side of the pipeline.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "events/event_pipeline.h"
#include "events/event_queue.h"
#include "events/frame_ring.h"

namespace skua {

/// How far both queues are dealt with.
struct Settled {
  std::uint64_t events = 0, frames = 0;
};

/// What the threads share. The event thread and the pipeline both own it, so that a thread that is left
/// behind has all it may still touch.
struct PipelineState {
  explicit PipelineState(PipelineOptions given);

  /// Entries taken in so far.
  std::uint64_t emitted() const;
  /// Entries of these that were lost before an output had them.
  std::uint64_t dropped() const;

  /// `clock` is set, no recorder is null, and the own recorder stands at the head of `recorders` as well.
  /// Changed by the event thread alone, once is_stopping, when nobody else looks any more: it empties the
  /// outputs.
  PipelineOptions options;
  EventQueue queue;
  FrameRing frames;
  /// How many of `options.recorders` are served before the log.
  const std::size_t own_count;
  // Dropped because memory ran out: before the queue had them, and after.
  std::atomic<std::uint64_t> failed_before{0}, failed_after{0};
  std::atomic<bool> is_stopping{false};

  mutable std::mutex mutex;  ///< guards what follows; never held during a call of an output
  std::condition_variable changed;
  Settled settled;
  bool has_ended = false;
  PipelineCounts published;  ///< as of the last pass
};

/// Runs on the event thread; nothing of it is shared.
class EventWorker {
 public:
  explicit EventWorker(std::shared_ptr<PipelineState> state);
  /// Until `is_stopping`.
  void run();
  /// Behind it: hands what is left to the own recorder, and lets go of all outputs.
  void finish() noexcept;

 private:
  struct LossWatch {
    std::uint64_t reported = 0;
    std::int64_t next_report_ns = 0;
    bool has_problem = false;
  };
  struct HeldEvent {
    StampedEvent stamped;
    std::uint64_t position = 0;
  };

  /// One batch. True: there is more.
  bool pass();
  bool deliver_next();
  StampedEvent take_earlier();
  void hand_rest_to_own();
  void refill();
  Settled settled() const;
  /// Hands an event to all outputs but `except` (none: nullptr).
  void deliver(const StampedEvent& stamped, const void* except);
  void offer_to_log(const StampedEvent& stamped);
  void offer_to_own(const FlightRecord& record, const void* except);
  void offer_to_others(const FlightRecord& record, const void* except);
  void report(Event event, const void* except);
  void report_overrun();
  void report_losses();
  template <typename Output>
  void watch(const Output& output, LossWatch& watch, bool tells_problems_without_loss);
  void flush();
  void publish(const Settled& settled);

  const std::shared_ptr<PipelineState> state_;
  std::optional<HeldEvent> event_, frame_;  ///< the next of each queue
  PipelineCounts counts_;
  std::uint64_t reported_dropped_ = 0;
  std::uint64_t cut_short_ = 0;  ///< events that is_stopping kept from log or other recorders
  bool is_cut_short_ = false;    ///< the one that is being handed over
  LossWatch log_watch_;
  std::vector<LossWatch> recorder_watches_;
  int idle_passes_ = 0;
};

}  // namespace skua
