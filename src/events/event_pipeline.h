// What happened goes from any thread to the log and the flight recorders, by one thread of its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "events/log_sink.h"
#include "skua/flight_recorder.h"
#include "skua/ports.h"
#include "skua/result.h"

namespace skua {

struct PipelineOptions {
  Level minimum = Level::kInfo;  ///< of the log; the recorders have rules of their own (event_kinds.h)
  std::shared_ptr<LogSink> log;  ///< null: no log
  /// The embedded recorder (null: none), served before the log and `recorders`: nothing that belongs to
  /// somebody else, and may stand still, keeps from it the event that is being handed over.
  std::shared_ptr<FlightRecorder> own_recorder;
  std::vector<std::shared_ptr<FlightRecorder>> recorders;  ///< served behind the log; nulls are dropped
  std::shared_ptr<const Clock> clock;                      ///< null: system_clock()
  std::size_t event_capacity = 1024;                       ///< of emit()'s queue
  std::size_t frame_capacity = 1024;                       ///< of post()'s ring; rounded up to a power of two
  std::chrono::milliseconds shutdown_limit{200};           ///< how long the destructor may take
};

/// Each figure since the start. Once drain() has answered true and nobody emits:
///   emitted == handed + dropped,   log_offered == log_written + log_lost,
/// with one line missing in the latter while stdout's reader stands still in the middle of it.
struct PipelineCounts {
  std::uint64_t emitted = 0;  ///< taken in; what neither the log nor a recorder wants is not counted
  std::uint64_t dropped = 0;  ///< pushed out of a full queue, or lost to a full memory
  std::uint64_t handed = 0;   ///< given to the log and the recorders, as far as each wants it
  std::uint64_t reports =
      0;  ///< of the pipeline's own ("overrun", "c7.sink_lost"); in no other figure but the log's
  std::uint64_t log_offered = 0, log_written = 0, log_lost = 0;
  std::vector<std::uint64_t> recorder_lost;  ///< the own one's first, then in the order of the options
};

struct PipelineState;

/// Takes events and frame events, in bounded queues that lose their oldest entry when they are full, and
/// hands them over on the event thread ("skua-events"), merged by time. Stamps are taken when an event
/// happens, not when it is written; entries that threads hand in at the same moment may stand in either
/// order. What got lost is told: "overrun" for the queues, with the batch in which it was noticed;
/// "c7.sink_lost" for an output, to the others, at most once a second, and once to all when it works again,
/// with the total.
///
/// Threading: emit, post and counts may be called from any thread at any time between start and the
/// destructor, drain from any but the event thread. The event thread has all signals blocked.
class EventPipeline final : public EventSink {
 public:
  /// Starts the thread. Error: OutOfMemoryError when the system gives none.
  static Result<std::unique_ptr<EventPipeline>> start(PipelineOptions options);

  EventPipeline(const EventPipeline&) = delete;
  EventPipeline& operator=(const EventPipeline&) = delete;
  /// Drains, then ends the thread, which lets go of log and recorders before it ends: what they do when they
  /// go (a last sync) is waited for as well. After `shutdown_limit` it returns all the same: the thread is
  /// then left behind inside the call of an output that stands still. When that call returns, the thread
  /// hands what is left in the queues to the own recorder alone, with an `overrun` that counts it, and ends;
  /// it calls neither log nor `recorders` again, but keeps them and the clock alive until then. What a
  /// CallbackRecorder's function refers to must outlive that one call. A process that ends first takes along
  /// what the thread had not written.
  ~EventPipeline() override;

  /// Copies the event. Holds a lock for the exchange of one entry; never waits for an output. Allocates.
  void emit(const Event& event) noexcept override;
  /// No lock, no allocation, no system call beside the clock's.
  void post(const FrameEvent& event) noexcept override;

  /// Waits until everything that was emitted or posted before the call has been handed over or dropped, and
  /// the recorders were flushed; one with a sync interval may still keep its sync for the interval's end.
  /// False: `limit` passed first.
  bool drain(std::chrono::milliseconds limit);
  /// Takes two locks for a moment. Allocates.
  PipelineCounts counts() const;

 private:
  explicit EventPipeline(std::shared_ptr<PipelineState> state);

  std::shared_ptr<PipelineState> state_;
  std::thread thread_;
};

}  // namespace skua
