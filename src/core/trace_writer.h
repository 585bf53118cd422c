// The writer's side of a trace: from the ring into the file.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "core/trace_session.h"
#include "core/trace_text.h"

namespace skua {

/// Runs on the writer's thread, but for counts().
class TraceWriter {
 public:
  /// `fd`, which is closed in the end, is empty. Entries that a past trace left in the ring go.
  TraceWriter(int fd, TraceRing& ring, const TraceOptions& options);
  TraceWriter(const TraceWriter&) = delete;
  TraceWriter& operator=(const TraceWriter&) = delete;
  ~TraceWriter();

  void begin() noexcept;
  /// Everything that is in the ring by now.
  void drain() noexcept;
  /// The rest, and the file's end.
  void finish() noexcept;
  /// Any thread.
  TraceCounts counts() const noexcept;

 private:
  static constexpr std::size_t kBufferBytes = 64 * 1024;

  void put(const TraceLine& line) noexcept;
  void put_losses() noexcept;
  void flush() noexcept;
  bool write_out() noexcept;
  void tell_once(bool& is_told, const char* problem) noexcept;
  std::uint64_t overrun() const noexcept { return ring_.dropped_count() - dropped_before_; }

  const int fd_;
  TraceRing& ring_;
  const TraceOptions& options_;
  TraceOrigin origin_;
  std::int64_t begun_ns_;
  std::uint64_t dropped_before_;  ///< of the ring, by earlier traces
  std::array<char, kBufferBytes> buffer_{};
  std::size_t size_ = 0;
  std::uint64_t buffered_ = 0;       ///< spans in the buffer
  std::uint64_t buffered_lost_ = 0;  ///< as the buffer's end says
  std::uint64_t shown_lost_ = 0;     ///< as the file says
  bool is_broken_ = false;           ///< the file ends in a piece of a line
  bool is_overrun_told_ = false, is_refusal_told_ = false;
  std::atomic<std::uint64_t> written_{0}, refused_{0}, overrun_{0};
};

}  // namespace skua
