// A flight record as one line of strict JSON, the payload of the recorder's frames
// (docs/formats/flight-recorder.md). Stateless.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "skua/flight_recorder.h"
#include "skua/result.h"

namespace skua {

/// Longest line, in bytes, that encode_flight_record makes and decode_flight_record takes.
inline constexpr std::size_t kMaxRecordBytes = 64U << 10U;

/// The record, without a newline:
///   {"schema":1,"producer":"c7_inference","ts":"2026-03-01T12:00:00.000001Z","mono_ns":N,"kind":"...",
///    "payload":{...}}
/// Integers are written as they are, doubles as the shortest text that reads back as the same double and
/// always with a point or an exponent; NaN and infinities are null. Texts are made harmless by escape.h: one
/// that was cut ends in "...", bytes that are no UTF-8 are U+FFFD. Bounds: kind and keys 128 bytes, values
/// kLogTextLimit bytes (less, down to 16, where the line would pass kMaxRecordBytes), 64 keys; of several
/// that are written alike the first counts. Times outside the years 0 to 9999 are clamped. Allocates.
std::string encode_flight_record(const FlightRecord& record);

/// Reads such a line back. For every record within the bounds above decoding what was encoded gives the same
/// record, but for NaN and infinities, which come back as null. Whole numbers beyond 64 bits signed come back
/// as doubles. Kinds and keys are not compared with the table of kinds. Error: kMalformed, naming the field,
/// the expected and the found; also for control characters and for another schema or producer.
Result<FlightRecord> decode_flight_record(std::string_view line);

}  // namespace skua
