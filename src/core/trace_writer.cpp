#include "core/trace_writer.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <string>

namespace skua {
namespace {

std::int64_t trace_now_ns() noexcept { return system_clock().monotonic_ns(); }

}  // namespace

TraceWriter::TraceWriter(int fd, TraceRing& ring, const TraceOptions& options)
    : fd_(fd), ring_(ring), options_(options), begun_ns_(trace_now_ns()) {
  origin_.process = static_cast<int>(::getpid());
  TraceRecord stale;
  for (std::uint64_t position = 0; ring_.pop(stale, position);) continue;
  dropped_before_ = ring_.dropped_count();
}

TraceWriter::~TraceWriter() { ::close(fd_); }

TraceCounts TraceWriter::counts() const noexcept {
  return {written_.load(std::memory_order_relaxed),
          refused_.load(std::memory_order_relaxed) + overrun_.load(std::memory_order_relaxed)};
}

void TraceWriter::begin() noexcept {
  origin_.thread = static_cast<int>(::gettid());
  put(TraceLine::begin_of(origin_, options_.process));
  put(TraceLine::begun(origin_, begun_ns_, system_clock().utc_us()));
  flush();
}

void TraceWriter::drain() noexcept {
  TraceRecord record;
  for (std::uint64_t position = 0; ring_.pop(record, position);) {
    if (record.begin_ns < begun_ns_) continue;  // of a trace before this one
    put(TraceLine::of(origin_, record));
    if (!record.is_thread_name) ++buffered_;
  }
  put_losses();
  flush();
}

void TraceWriter::put_losses() noexcept {
  overrun_.store(overrun(), std::memory_order_relaxed);
  const std::uint64_t lost = counts().lost;
  if (lost == buffered_lost_) return;
  put(TraceLine::lost(origin_, trace_now_ns(), lost));
  buffered_lost_ = lost;
  if (overrun() > 0)
    tell_once(is_overrun_told_, "its disk is slower than the spans come: trace to another one");
}

void TraceWriter::finish() noexcept {
  drain();
  put_losses();  // of the last lines
  put(TraceLine::ended(origin_, trace_now_ns(), written_.load(std::memory_order_relaxed), counts().lost));
  flush();
}

void TraceWriter::put(const TraceLine& line) noexcept {
  if (size_ + line.text().size() > buffer_.size()) flush();
  std::memcpy(buffer_.data() + size_, line.text().data(), line.text().size());
  size_ += line.text().size();
}

/// A batch that the disk does not take whole is lost whole: what it took goes again, or the next line would
/// be glued to it.
void TraceWriter::flush() noexcept {
  if (size_ == 0) return;
  if (write_out()) {
    written_.fetch_add(buffered_, std::memory_order_relaxed);
    shown_lost_ = buffered_lost_;
  } else {
    refused_.fetch_add(buffered_, std::memory_order_relaxed);
    buffered_lost_ = shown_lost_;  // that line went too: the next batch says it again
  }
  size_ = 0;
  buffered_ = 0;
}

bool TraceWriter::write_out() noexcept {
  if (is_broken_) return false;
  const ssize_t written = ::write(fd_, buffer_.data(), size_);
  if (written == static_cast<ssize_t>(size_)) return true;
  const int problem = written < 0 ? errno : ENOSPC;
  if (written > 0) is_broken_ = ::ftruncate(fd_, ::lseek(fd_, -static_cast<off_t>(written), SEEK_CUR)) != 0;
  tell_once(is_refusal_told_, std::strerror(problem));
  return false;
}

void TraceWriter::tell_once(bool& is_told, const char* problem) noexcept {
  if (is_told) return;
  is_told = true;
  try {
    const std::string text = options_.file.string() + ": " + problem;
    options_.events->emit({Level::kWarn,
                           "c7.sink_lost",
                           "trace loses spans, and goes on: " + text,
                           {{"sink", std::string("trace")},
                            {"lost_count", static_cast<std::int64_t>(counts().lost + buffered_)},
                            {"problem", text}}});
  } catch (const std::exception&) {
    // No memory for the text: the counts stay.
  }
}

}  // namespace skua
