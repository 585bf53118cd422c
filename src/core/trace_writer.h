// The writer's side of a trace: from the ring into the file.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string_view>

#include "core/descriptor.h"
#include "core/trace_session.h"
#include "core/trace_text.h"

namespace skua {

/// Runs on the writer's thread, but for counts() and leave_behind().
class TraceWriter {
 public:
  /// Entries that a past trace left in the ring go.
  TraceWriter(TraceRing& ring, const TraceOptions& options);
  TraceWriter(const TraceWriter&) = delete;
  TraceWriter& operator=(const TraceWriter&) = delete;

  /// `file` is empty.
  void begin(Descriptor file) noexcept;
  /// Everything that is in the ring by now.
  void drain() noexcept;
  /// The rest, and the file's end; then closes it.
  void finish() noexcept;
  /// Any thread.
  TraceCounts counts() const noexcept;
  /// Any other thread, once no more spans are kept: the writer's may stand in a call of the disk for ever.
  /// Tells it; when this returns, the sink of events may go. What is not in the file by now is lost, until it
  /// is.
  void leave_behind() noexcept;

 private:
  static constexpr std::size_t kBufferBytes = 64 * 1024;

  void put_header() noexcept;
  void put(const TraceLine& line) noexcept;
  void put_span(const TraceRecord& record) noexcept;
  void put_losses() noexcept;
  void drain_to_the_end() noexcept;
  void count_unread() noexcept;
  bool flush() noexcept;
  int write_out() noexcept;
  void tell_once(bool& is_told, const char* problem, std::uint64_t lost) noexcept;
  void tell(const char* problem, std::uint64_t lost) noexcept;
  std::uint64_t overrun() const noexcept { return ring_.dropped_count() - dropped_before_; }
  /// Spans of this trace, whatever has become of them.
  std::uint64_t total() const noexcept {
    return ring_.pushed_count() - gone_before_ - skipped_.load(std::memory_order_relaxed);
  }
  /// What the writer has come across.
  std::uint64_t seen_lost() const noexcept {
    return refused_.load(std::memory_order_relaxed) + overrun_.load(std::memory_order_relaxed) +
           unread_.load(std::memory_order_relaxed);
  }

  std::optional<Descriptor> file_;  ///< from begin() on
  TraceRing& ring_;
  const TraceOptions& options_;
  TraceOrigin origin_;
  std::int64_t begun_ns_, begun_utc_us_;        ///< the same moment on both clocks
  std::uint64_t dropped_before_, gone_before_;  ///< of the ring, by earlier traces
  std::array<char, kBufferBytes> buffer_{};
  std::size_t size_ = 0;
  std::uint64_t buffered_ = 0;       ///< spans in the buffer
  std::uint64_t buffered_lost_ = 0;  ///< as the buffer's end says
  std::uint64_t shown_lost_ = 0;     ///< as the file says
  bool has_header_ = false;          ///< the file begins as an array
  int broken_by_ = 0;                ///< errno; not 0: the file ends in a piece of a line
  bool is_overrun_told_ = false, is_refusal_told_ = false, is_unread_told_ = false;
  /// Threads whose names the file has, each at its number's place: one that shares it is told again.
  std::array<std::int32_t, 256> named_{};
  std::atomic<std::uint64_t> written_{0}, refused_{0}, overrun_{0};
  std::atomic<std::uint64_t> unread_{0};   ///< spans that nobody could take out of the ring at the end
  std::atomic<std::uint64_t> skipped_{0};  ///< spans that a trace before this one had begun

  std::mutex events_mutex_;  ///< guards events_, while an event is told as well
  EventSink* events_;        ///< null: left behind
  std::atomic<bool> is_left_behind_{false};
  std::uint64_t left_total_ = 0;  ///< of both counts; set before is_left_behind_
};

}  // namespace skua
