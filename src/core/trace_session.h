// One trace: a file that Perfetto and chrome://tracing open, written while spans end (docs/formats/trace.md).
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "core/bounded_ring.h"
#include "core/descriptor.h"
#include "core/trace.h"
#include "skua/ports.h"
#include "skua/result.h"

namespace skua {

using TraceRing = BoundedRing<TraceRecord>;

/// Where spans go. The ring is made by the first trace of the process and never freed: a thread may be in the
/// middle of a push whenever a trace ends.
struct CurrentTrace {
  TraceRing* ring = nullptr;
  std::uint32_t number = 0;  ///< of the trace, from 1
};
CurrentTrace current_trace() noexcept;

struct TraceOptions {
  std::filesystem::path file;
  std::string process;  ///< what Perfetto calls this process
  /// Opens the file, empty; called once, on the writer's thread, and given up where the disk stands still: it
  /// owns what it touches. None: open_output.
  std::function<Result<Descriptor>()> open;
  /// Outlives the session. A writer that is left behind tells it nothing more. Its emit() does not call back.
  EventSink* events = &null_event_sink();
  std::chrono::milliseconds interval{20};         ///< between two looks of the writer
  std::chrono::milliseconds begin_limit{10'000};  ///< how long start() waits for the disk
  std::chrono::milliseconds end_limit{500};       ///< how long stop() does
};

struct TraceCounts {
  std::uint64_t written = 0;  ///< spans that are in the file
  std::uint64_t lost = 0;     ///< pushed out of a full ring, stuck in it, refused by the disk, or left behind
};

struct TraceState;

/// Spans of all threads are kept from start() to stop(). A thread ("skua-trace", all signals blocked) opens
/// the file and writes them every `interval`; what stands still while the disk does is that thread alone. The
/// file has no end until stop(): a reader takes it without. What is lost is counted, told in the file, and
/// once as c7.sink_lost with sink `trace` for each way to lose it: a full ring, a disk that takes nothing, a
/// thread that is stopped at the end, a writer that is left behind. One trace at a time in a process.
class TraceSession {
 public:
  static constexpr std::size_t kCapacity = 8192;  ///< of the ring: spans between two looks of the writer
  static constexpr int kFormatVersion = 1;

  /// Creates or empties the file. InvalidArgumentError: what `open` says, or it does not answer within
  /// `begin_limit`, or another trace is going on; OutOfMemoryError: no memory or no thread.
  static Result<std::unique_ptr<TraceSession>> start(TraceOptions options);
  TraceSession(const TraceSession&) = delete;
  TraceSession& operator=(const TraceSession&) = delete;
  /// As stop().
  ~TraceSession();

  /// Ends the trace and its file; does nothing the second time. Where the disk stands still for `end_limit`,
  /// the writer is left behind with the file: this call tells it, no event comes any more, and no other trace
  /// begins until the writer has ended.
  void stop() noexcept;
  /// Of what the writer has dealt with until now; after stop() of all spans that had ended when it was
  /// called: one that is not in the file is lost. One that ends meanwhile is counted, or of no trace.
  TraceCounts counts() const noexcept;

 private:
  explicit TraceSession(std::shared_ptr<TraceState> state) noexcept;
  Status await_file();
  std::shared_ptr<TraceState> state_;
  std::thread thread_;
};

}  // namespace skua
