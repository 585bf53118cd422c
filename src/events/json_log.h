// The structured log: one JSON object a line, in the field order of the flight stack's log record.
// Synchronous: `emit` writes before it returns. The queue that keeps a slow disk away from the caller,
// journald and the flight recorder come with the Telemetry release.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <mutex>
#include <string>

#include "skua/ports.h"

namespace skua {

/// The record of one event, without the newline:
///   {"ts":...,"level":...,"component":"c7_inference","frame_id":...,"kind":...,"msg":...,"kv":{...},"exc":...}
/// A field "frame_id" that is an integer fills `frame_id`; fields "exc.<key>" fill `exc` (else null); all
/// others are `kv`, in their order. Of several fields with one key the first counts. Texts are bounded
/// (escape.h), at most 64 fields are kept; doubles that JSON cannot hold are null.
std::string encode_log_record(const Event& event, std::int64_t utc_us);

/// Writes records to a stream and flushes after each. Thread-safe. A stream that fails is not an error of the
/// caller: the record is lost and counted.
class JsonLogSink : public EventSink {
 public:
  /// `out` and `clock` must outlive the sink. Events below `minimum` are dropped.
  JsonLogSink(std::ostream& out, Level minimum, Clock& clock = system_clock());
  void emit(const Event& event) noexcept override;
  /// Records that could not be written.
  std::uint64_t lost_count() const noexcept;

 private:
  std::ostream& out_;
  const Level minimum_;
  Clock& clock_;
  mutable std::mutex mutex_;
  std::uint64_t lost_ = 0;
};

}  // namespace skua
