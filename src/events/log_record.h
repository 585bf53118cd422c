// The structured log's record: one JSON object a line, in the field order of the flight stack. The one
// encoder of the log; stateless and thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "skua/ports.h"

namespace skua {

/// The record of one event, without the newline:
///   {"ts":...,"level":...,"component":"c7_inference","frame_id":...,"kind":...,"msg":...,"kv":{...},"exc":...}
/// A field "frame_id" that is an integer fills `frame_id`; fields "exc.<key>" fill `exc` (else null); all
/// others are `kv`, in their order. Of several fields whose keys are written alike the first counts. Texts
/// are bounded (escape.h), at most 64 fields are kept; doubles that JSON cannot hold are null. Allocates.
std::string encode_log_record(const Event& event, std::int64_t utc_us);

/// One value as it stands in a record: a number, true, false, null or a quoted string. Allocates.
std::string json_of(const Event::Value& value);

/// The parts of that record which a flight record of kind "log" repeats.
std::optional<std::int64_t> frame_id_of(const Event& event) noexcept;
/// `kv` as JSON text of at most `limit` bytes (at least 16): the first field that would pass it and all
/// behind are left out, and `"...":null` stands in their place. Allocates.
std::string kv_json(const Event& event, std::size_t limit);
/// `exc` as JSON text, bounded likewise; "null" when there is none. Allocates.
std::string exc_json(const Event& event, std::size_t limit);

}  // namespace skua
