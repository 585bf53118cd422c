#include "core/trace_writer.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <string>
#include <thread>
#include <utility>

namespace skua {
namespace {

constexpr std::chrono::milliseconds kEndLook{1};

std::int64_t trace_now_ns() noexcept { return system_clock().monotonic_ns(); }

}  // namespace

TraceWriter::TraceWriter(TraceRing& ring, const TraceOptions& options)
    : ring_(ring),
      options_(options),
      begun_ns_(trace_now_ns()),
      begun_utc_us_(system_clock().utc_us()),
      events_(options.events) {
  origin_.process = static_cast<int>(::getpid());
  TraceRecord stale;
  for (std::uint64_t position = 0; ring_.pop(stale, position);) continue;
  dropped_before_ = ring_.dropped_count();
  // Not what was pushed: a span that is stuck in the ring, of a thread that was interrupted while it kept it,
  // is skipped later, as one that a trace before this one had begun.
  gone_before_ = ring_.gone_count();
}

TraceCounts TraceWriter::counts() const noexcept {
  const std::uint64_t written = written_.load(std::memory_order_relaxed);
  if (!is_left_behind_.load(std::memory_order_acquire)) return {written, seen_lost()};
  return {written, left_total_ - std::min(written, left_total_)};
}

void TraceWriter::leave_behind() noexcept {
  const std::lock_guard lock(events_mutex_);
  left_total_ = total();
  is_left_behind_.store(true, std::memory_order_release);
  tell("its disk stands still, and its writer is left behind", counts().lost);
  events_ = nullptr;
}

void TraceWriter::begin(Descriptor file) noexcept {
  file_.emplace(std::move(file));
  origin_.thread = static_cast<int>(::gettid());
  put_header();
  flush();
}

/// At the front of every batch until one is taken: without it the file is no trace.
void TraceWriter::put_header() noexcept {
  put(TraceLine::begin_of(origin_, options_.process));
  put(TraceLine::begun(origin_, begun_ns_, begun_utc_us_));
}

void TraceWriter::drain() noexcept {
  TraceRecord record;
  for (std::uint64_t position = 0; ring_.pop(record, position);) {
    record.begin_ns < begun_ns_ ? static_cast<void>(skipped_.fetch_add(1, std::memory_order_relaxed))
                                : put_span(record);
  }
  overrun_.store(overrun(), std::memory_order_relaxed);
  put_losses();
  flush();
}

void TraceWriter::put_span(const TraceRecord& record) noexcept {
  std::int32_t& named = named_[static_cast<std::uint32_t>(record.thread) % named_.size()];
  if (named != record.thread) {
    put(TraceLine::thread_name(origin_, record));
    named = record.thread;
  }
  put(TraceLine::of(origin_, record));
  ++buffered_;
}

void TraceWriter::put_losses() noexcept {
  const std::uint64_t lost = seen_lost();
  if (lost == buffered_lost_) return;
  put(TraceLine::lost(origin_, trace_now_ns(), lost));
  buffered_lost_ = lost;
  if (overrun() > 0)
    tell_once(is_overrun_told_, "its disk is slower than the spans come: trace to another one", lost);
  if (unread_.load(std::memory_order_relaxed) > 0)
    tell_once(is_unread_told_, "a thread was stopped in the middle of keeping a span when the trace ended",
              lost);
}

/// A thread that was interrupted while it kept a span holds up all that others have kept since. It is waited
/// for, but not so long that stop() would leave this thread behind.
void TraceWriter::drain_to_the_end() noexcept {
  const std::int64_t last_ns = trace_now_ns() + std::chrono::nanoseconds(options_.end_limit / 4).count();
  for (drain(); ring_.head() != ring_.tail() && trace_now_ns() < last_ns; drain())
    std::this_thread::sleep_for(kEndLook);
}

/// From the totals, as in leave_behind(): whatever kept a span from this thread, it is not in the file.
void TraceWriter::count_unread() noexcept {
  overrun_.store(overrun(), std::memory_order_relaxed);
  const std::uint64_t known = written_.load(std::memory_order_relaxed) + seen_lost();
  unread_.store(std::max(total(), known) - known, std::memory_order_relaxed);
}

void TraceWriter::finish() noexcept {
  drain_to_the_end();
  count_unread();
  put_losses();  // of the last lines, too
  put(TraceLine::ended(origin_, trace_now_ns(), written_.load(std::memory_order_relaxed), seen_lost()));
  if (!flush()) tell_once(is_refusal_told_, "its disk did not take its end", seen_lost());
  file_->close();
}

void TraceWriter::put(const TraceLine& line) noexcept {
  if (size_ + line.text().size() > buffer_.size()) flush();
  std::memcpy(buffer_.data() + size_, line.text().data(), line.text().size());
  size_ += line.text().size();
}

/// A batch that the disk does not take whole is lost whole: what it took goes again, or the next line would
/// be glued to it. That is told where spans were in it.
bool TraceWriter::flush() noexcept {
  if (size_ == 0) return true;
  const int problem = write_out();
  if (problem == 0) {
    written_.fetch_add(buffered_, std::memory_order_relaxed);
    shown_lost_ = buffered_lost_;
    has_header_ = true;
  } else {
    refused_.fetch_add(buffered_, std::memory_order_relaxed);
    if (buffered_ > 0) tell_once(is_refusal_told_, std::strerror(problem), seen_lost());
    buffered_lost_ = shown_lost_;  // that line went too: the next batch says it again
    named_.fill(0);                // so did names
  }
  size_ = 0;
  buffered_ = 0;
  if (!has_header_) put_header();
  return problem == 0;
}

/// 0, or the errno for which the file is as it was.
int TraceWriter::write_out() noexcept {
  if (broken_by_ != 0) return broken_by_;
  const ssize_t written = ::write(file_->get(), buffer_.data(), size_);
  if (written == static_cast<ssize_t>(size_)) return 0;
  const int problem = written < 0 ? errno : ENOSPC;
  const auto taken = static_cast<off_t>(std::max<ssize_t>(written, 0));
  if (taken > 0 && ::ftruncate(file_->get(), ::lseek(file_->get(), -taken, SEEK_CUR)) != 0)
    broken_by_ = problem;
  return problem;
}

/// Under the mutex to its end, so that who leaves the writer behind waits for an event that is being told,
/// and none comes after.
void TraceWriter::tell_once(bool& is_told, const char* problem, std::uint64_t lost) noexcept {
  const std::lock_guard lock(events_mutex_);
  if (!std::exchange(is_told, true)) tell(problem, lost);
}

/// Requires the mutex.
void TraceWriter::tell(const char* problem, std::uint64_t lost) noexcept {
  if (events_ == nullptr) return;
  try {
    const std::string text = options_.file.string() + ": " + problem;
    events_->emit({Level::kWarn,
                   "c7.sink_lost",
                   "trace loses spans: " + text,
                   {{"sink", std::string("trace")},
                    {"lost_count", static_cast<std::int64_t>(lost)},
                    {"problem", text}}});
  } catch (const std::exception&) {
    // No memory for the text: the counts stay.
  }
}

}  // namespace skua
