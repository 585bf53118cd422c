#include "inference/frame_events.h"

#include <algorithm>

namespace skua {
namespace {

FrameEvent frame_of(FrameEvent::Kind kind, const EngineRecord& record, const InferOptions& options) noexcept {
  FrameEvent event;
  event.kind = kind;
  event.frame = options.frame;
  const std::size_t length = std::min(record.model.size(), event.backbone.size() - 1);
  std::copy_n(record.model.data(), length, event.backbone.data());
  return event;
}

}  // namespace

FrameEvent failed_frame(const EngineRecord& record, const InferOptions& options,
                        const Error& error) noexcept {
  const bool is_memory = error.code == ErrorCode::kOutOfMemory;
  FrameEvent event = frame_of(is_memory ? FrameEvent::Kind::kOutOfMemory : FrameEvent::Kind::kInferenceFailed,
                              record, options);
  event.reason = error.reason;
  event.native_code = error.native_code;
  return event;
}

FrameEvent timed_frame(const EngineRecord& record, const InferOptions& options,
                       std::int64_t took_ns) noexcept {
  FrameEvent event = frame_of(FrameEvent::Kind::kTiming, record, options);
  event.took_ns = took_ns;
  return event;
}

}  // namespace skua
