#include "skua/ports.h"

#include <ctime>
#include <limits>

namespace skua {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

std::int64_t read_ns(clockid_t id) noexcept {
  timespec now{};
  clock_gettime(id, &now);  // cannot fail for these two clocks
  return static_cast<std::int64_t>(now.tv_sec) * kNsPerSecond + now.tv_nsec;
}

class SystemClock final : public Clock {
 public:
  std::int64_t monotonic_ns() const noexcept override { return read_ns(CLOCK_MONOTONIC); }
  std::int64_t utc_us() const noexcept override { return read_ns(CLOCK_REALTIME) / 1000; }
};

class NullEventSink final : public EventSink {
 public:
  void emit(const Event&) noexcept override {}
  void post(const FrameEvent&) noexcept override {}
};

/// A frame number beyond what a log record holds is left out, never changed.
std::optional<std::int64_t> frame_id_of(const FrameEvent& event) {
  if (!event.frame || *event.frame > std::numeric_limits<std::int64_t>::max()) return std::nullopt;
  return static_cast<std::int64_t>(*event.frame);
}

std::string subject_of(const FrameEvent& event, const char* separator) {
  const std::string frame = event.frame ? std::to_string(*event.frame) : "none";
  return "backbone=" + std::string(event.backbone.data()) + separator + "frame=" + frame;
}

Event timing_event(const FrameEvent& event) {
  constexpr std::int64_t kNsPerMs = 1'000'000;
  return {Level::kDebug,
          "c7.infer",
          "C7 infer " + subject_of(event, " ") + " took=" + std::to_string(event.took_ns / kNsPerMs) + "ms",
          {{"backbone", std::string(event.backbone.data())}, {"took_ns", event.took_ns}}};
}

Event failure_event(const FrameEvent& event) {
  const bool is_memory = event.kind == FrameEvent::Kind::kOutOfMemory;
  return {is_memory ? Level::kError : Level::kWarn,
          is_memory ? "c7.out_of_memory" : "c7.inference_failed",
          (is_memory ? "C7 OOM during infer; " : "C7 inference failed; ") + subject_of(event, "; ") + ": " +
              std::string(sentence_of(event.reason)),
          {{"backbone", std::string(event.backbone.data())},
           {"reason", std::string(to_string(event.reason))},
           {"native_code", std::int64_t{event.native_code}}}};
}

Event dropped_event(const FrameEvent& event) {
  const std::string frame = event.frame ? std::to_string(*event.frame) : "none";
  const std::string stage = event.backbone.data();
  return {
      Level::kWarn,
      "c7.frame_dropped",
      "C7 frame dropped; stage=" + stage + "; frame=" + frame + ": " + std::string(sentence_of(event.reason)),
      {{"stage", stage}, {"reason", std::string(to_string(event.reason))}}};
}

Event without_frame(const FrameEvent& event) {
  if (event.kind == FrameEvent::Kind::kTiming) return timing_event(event);
  return event.kind == FrameEvent::Kind::kFrameDropped ? dropped_event(event) : failure_event(event);
}

}  // namespace

Event to_event(const FrameEvent& event) {
  Event result = without_frame(event);
  if (const auto frame = frame_id_of(event)) result.fields.push_back({"frame_id", *frame});
  return result;
}

void EventSink::post(const FrameEvent& event) noexcept {
  try {
    emit(to_event(event));
  } catch (...) {
    // Out of memory while telling about something: the caller's own error still says it.
  }
}

Clock& system_clock() noexcept {
  static SystemClock clock;
  return clock;
}

std::string_view to_string(Level level) noexcept {
  switch (level) {
    case Level::kDebug:
      return "DEBUG";
    case Level::kInfo:
      return "INFO";
    case Level::kWarn:
      return "WARN";
    case Level::kError:
      return "ERROR";
  }
  return "ERROR";
}

EventSink& null_event_sink() noexcept {
  static NullEventSink sink;
  return sink;
}

}  // namespace skua
