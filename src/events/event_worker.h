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

  const PipelineOptions options;  ///< `clock` is set
  EventQueue queue;
  FrameRing frames;
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

 private:
  struct LossWatch {
    std::uint64_t reported = 0;
    std::int64_t next_report_ns = 0;
    bool is_losing = false;
  };
  struct HeldEvent {
    StampedEvent stamped;
    std::uint64_t position = 0;
  };

  /// One batch. True: there is more.
  bool pass();
  bool deliver_next();
  void refill();
  Settled settled() const;
  /// Hands an event to all outputs but `except` (none: nullptr).
  void deliver(const StampedEvent& stamped, const void* except);
  void offer_to_log(const StampedEvent& stamped);
  void offer_to_recorders(const StampedEvent& stamped, const void* except);
  void report(Event event, const void* except);
  void report_overrun();
  void report_losses();
  template <typename Output>
  void watch(const Output& output, LossWatch& watch);
  void flush();
  void publish(const Settled& settled);

  const std::shared_ptr<PipelineState> state_;
  std::optional<HeldEvent> event_, frame_;  ///< the next of each queue
  PipelineCounts counts_;
  std::uint64_t reported_dropped_ = 0;
  LossWatch log_watch_;
  std::vector<LossWatch> recorder_watches_;
  int idle_passes_ = 0;
};

}  // namespace skua
