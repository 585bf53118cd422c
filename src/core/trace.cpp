#include "core/trace.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "core/trace_session.h"
#include "skua/ports.h"

namespace skua {
namespace {

struct KindText {
  std::string_view name, category;
};

constexpr std::array<KindText, kSpanKinds> kKindTexts{{
    {"take_off", "load"},    {"load_set", "load"},      {"set_gate", "load"},     {"signature", "load"},
    {"manifest", "load"},    {"file_list", "load"},     {"listed_files", "load"}, {"load_engine", "load"},
    {"engine_gate", "load"}, {"read_and_hash", "load"}, {"golden_file", "load"},  {"deserialise", "load"},
    {"place_lanes", "load"}, {"golden_check", "load"},  {"warm_up", "load"},      {"compose", "load"},
    {"index_map", "load"},   {"acquire", "frame"},      {"wait_due", "frame"},    {"frame", "frame"},
    {"vpr", "frame"},        {"features", "frame"},     {"rerank", "frame"},      {"match", "frame"},
    {"adhop", "frame"},      {"solve", "frame"},        {"infer", "run"},         {"run", "run"},
    {"bind_outputs", "run"}, {"copy_in", "run"},        {"enqueue", "run"},       {"graph_launch", "run"},
    {"sdk_run", "run"},      {"wait", "run"},           {"copy_out", "run"},
}};
static_assert(static_cast<std::size_t>(SpanKind::kCopyOut) + 1 == kSpanKinds);
static_assert(!kKindTexts.back().name.empty());

/// What this thread is called, as of which trace, and its number. Where the loader placed it, so that reading
/// it never allocates, whoever has opened libskua and when.
struct ThreadMark {
  std::uint32_t trace = 0;
  std::int32_t number = 0;
  std::array<char, 16> name{};
};
[[gnu::tls_model("initial-exec")]] thread_local ThreadMark this_thread;

/// The last byte stays 0.
template <std::size_t kSize>
void put_text(std::string_view text, std::array<char, kSize>& into) noexcept {
  std::copy_n(text.data(), std::min(text.size(), kSize - 1), into.data());
}

/// Once a trace: it asks the kernel.
void look_at_thread(std::uint32_t trace) noexcept {
  this_thread = {trace, static_cast<std::int32_t>(::gettid()), {}};
  static_cast<void>(::pthread_getname_np(::pthread_self(), this_thread.name.data(), this_thread.name.size()));
}

}  // namespace

std::atomic<bool> is_trace_on{false};

std::string_view to_string(SpanKind kind) noexcept {
  const auto index = static_cast<std::size_t>(kind);
  return index < kSpanKinds ? kKindTexts[index].name : std::string_view();
}

std::string_view category_of(SpanKind kind) noexcept {
  const auto index = static_cast<std::size_t>(kind);
  return index < kSpanKinds ? kKindTexts[index].category : std::string_view();
}

void Span::begin(SpanKind kind, const SpanSubject& subject) noexcept {
  std::construct_at(&details_, Details{subject, Reason::kNone, kind});
  begin_ns_ = system_clock().monotonic_ns();
}

void Span::keep() noexcept {
  const std::int64_t end_ns = system_clock().monotonic_ns();
  // First, and acquiring: start() sets ring and number before it switches on, so both are of this trace.
  if (is_trace_on.load(std::memory_order_acquire)) {
    const CurrentTrace current = current_trace();
    if (this_thread.trace != current.number) look_at_thread(current.number);
    TraceRecord record;
    record.begin_ns = begin_ns_;
    record.end_ns = end_ns;
    record.frame = details_.subject.frame;
    record.thread = this_thread.number;
    record.reason = details_.reason;
    record.kind = details_.kind;
    record.thread_name = this_thread.name;
    put_text(details_.subject.model, record.model);
    put_text(details_.subject.lane, record.lane);
    current.ring->push(record);
  }
  begin_ns_ = 0;
}

}  // namespace skua
