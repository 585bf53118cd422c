// Spans: what a thread is at, from when to when. Off, a span is one relaxed load and a branch; on, it takes
// the clock twice and puts one record of fixed size into memory that is there already, without a lock. Who
// begins and ends a trace: core/trace_session.h; every name: docs/formats/trace.md.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <limits>
#include <string_view>

#include "skua/reason.h"

namespace skua {

enum class SpanKind : std::uint8_t {
  // Take-off, from the whole to its parts.
  kTakeOff,
  kLoadSet,
  kSetGate,
  kSignature,
  kManifest,
  kFileList,
  kListedFiles,
  kLoadEngine,
  kEngineGate,
  kReadAndHash,
  kGoldenFile,
  kDeserialise,
  kPlaceLanes,
  kGoldenCheck,
  kWarmUp,
  kCompose,
  kIndexMap,
  // A frame, and what is between two of them.
  kAcquire,
  kWaitDue,
  kFrame,
  kVpr,
  kFeatures,
  kRerank,
  kMatch,
  kAdhop,
  kSolve,
  // A network's run, and what it does within.
  kInfer,
  kRun,
  kBindOutputs,
  kCopyIn,
  kEnqueue,
  kGraphLaunch,
  kSdkRun,
  kWait,
  kCopyOut,
};
inline constexpr std::size_t kSpanKinds = 35;
/// As it stands in a trace, e.g. "read_and_hash"; "" for what is no kind.
std::string_view to_string(SpanKind kind) noexcept;
/// "load", "frame" or "run".
std::string_view category_of(SpanKind kind) noexcept;

inline constexpr std::uint64_t kNoFrame = std::numeric_limits<std::uint64_t>::max();

/// What a span is about; whatever is not known stays as it is. The texts outlive the span.
struct SpanSubject {
  std::string_view model{}, lane{};
  std::uint64_t frame = kNoFrame;
};

/// A span that has ended, as it waits to be written. A text that is longer is cut. Each has its thread's
/// name: a name that were told once would be lost with the one record that told it.
struct TraceRecord {
  std::int64_t begin_ns = 0, end_ns = 0;  ///< monotonic
  std::uint64_t frame = kNoFrame;
  std::int32_t thread = 0;  ///< the kernel's number
  Reason reason = Reason::kNone;
  SpanKind kind = SpanKind::kTakeOff;
  std::array<char, 16> thread_name{};
  std::array<char, 65> model{};
  std::array<char, 40> lane{};
};

/// Whether spans are kept. libskua has the one switch of the process, which modules see too.
extern std::atomic<bool> is_trace_on;

/// From the constructor to end() or the destructor, on one thread. What it measures never depends on it: it
/// cannot fail, and a record that finds no room is lost and counted.
class Span {
 public:
  explicit Span(SpanKind kind) noexcept {
    if (is_trace_on.load(std::memory_order_relaxed)) [[unlikely]]
      begin(kind, SpanSubject());
  }
  Span(SpanKind kind, const SpanSubject& subject) noexcept {
    if (is_trace_on.load(std::memory_order_relaxed)) [[unlikely]]
      begin(kind, subject);
  }
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;
  ~Span() { end(); }

  void end() noexcept {
    if (begin_ns_ != 0) [[unlikely]]
      keep();
  }
  /// Why what it measures has no result.
  void failed(Reason reason) noexcept {
    if (begin_ns_ != 0) [[unlikely]]
      details_.reason = reason;
  }

 private:
  struct Details {
    SpanSubject subject;
    Reason reason;
    SpanKind kind;
  };

  void begin(SpanKind kind, const SpanSubject& subject) noexcept;
  void keep() noexcept;

  std::int64_t begin_ns_ = 0;  ///< 0: off
  union {
    Details details_;  ///< left as it is while off
  };
};

}  // namespace skua
