#include "events/flight_record_json.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "core/json_strict.h"
#include "core/text.h"
#include "events/escape.h"
#include "events/timestamp.h"

namespace skua {
namespace {

constexpr std::size_t kMaxKeys = 64;
constexpr std::size_t kMaxKeyBytes = 128;
constexpr std::size_t kMaxKindBytes = kMaxKeyBytes * 3 + 3;  // every byte replaced by U+FFFD, and the "..."
// At this bound 64 keys and values of nothing but escapes still fit into kMaxRecordBytes:
// 64 * ((128 + 16) * 6 + 12) = 56,064 bytes.
constexpr std::size_t kSmallestTextLimit = 16;

using Value = FlightRecord::Value;

void append_real(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  const std::string text = print_double(value);
  out += text;
  if (text.find_first_of(".e") == std::string::npos) out += ".0";  // else it would read back as an integer
}

void append_value(std::string& out, const Value& value, std::size_t text_limit) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    out += std::to_string(*integer);
  } else if (const auto* real = std::get_if<double>(&value)) {
    append_real(out, *real);
  } else if (const auto* flag = std::get_if<bool>(&value)) {
    out += *flag ? "true" : "false";
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    append_json_string(out, *text, text_limit);
  } else {
    out += "null";
  }
}

void append_payload(std::string& out, const FlightRecord& record, std::size_t text_limit) {
  const auto begin = record.payload.begin();
  const auto end = begin + static_cast<std::ptrdiff_t>(std::min(record.payload.size(), kMaxKeys));
  char separator = '{';
  std::vector<std::string> keys;  // as written: escaping and cutting can make two alike
  for (auto pair = begin; pair != end; ++pair) {
    std::string key;
    append_json_string(key, pair->first, kMaxKeyBytes);
    if (std::find(keys.begin(), keys.end(), key) != keys.end())
      continue;  // an object must not name one twice
    out += std::exchange(separator, ',');
    out += key;
    keys.push_back(std::move(key));
    out += ':';
    append_value(out, pair->second, text_limit);
  }
  out += separator == '{' ? "{}" : "}";
}

std::string encode_with(const FlightRecord& record, std::size_t text_limit) {
  std::string out = "{\"schema\":" + std::to_string(FlightRecord::kSchemaVersion) + ",\"producer\":\"";
  out += FlightRecord::kProducer;
  out += "\",\"ts\":\"" + iso8601_utc(record.utc_us);
  out += "\",\"mono_ns\":" + std::to_string(record.monotonic_ns) + ",\"kind\":";
  append_json_string(out, record.kind, kMaxKeyBytes);
  out += ",\"payload\":";
  append_payload(out, record, text_limit);
  return out += '}';
}

Value value_of(const Json& json) {
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (json.is_number_unsigned() && json.get<std::uint64_t>() > kMax) return json.get<double>();
  if (json.is_number_integer()) return json.get<std::int64_t>();
  if (json.is_number_float()) return json.get<double>();
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_string()) return json.get<std::string>();
  return std::monostate{};
}

Error malformed(std::string message) {
  return make_error(ErrorCode::kInvalidArgument, Reason::kMalformed, std::move(message));
}

void read_payload(const Json& payload, FlightRecord& record, ObjectReader& reader) {
  for (const auto& [key, value] : payload.items()) {
    if (value.is_structured()) {
      reader.fail("payload." + quote(key), "null, a number, true, false or text", "an object or an array");
    }
    record.payload.emplace_back(key, value_of(value));
  }
}

/// Not reader.text(): whatever the kind was, what was written can be read, NUL included.
std::string read_kind(ObjectReader& reader) {
  const Json* kind = reader.optional("kind");
  const auto* text = kind == nullptr ? nullptr : kind->get_ptr<const std::string*>();
  if (text != nullptr && text->size() <= kMaxKindBytes) return *text;
  reader.fail("kind", "text of at most " + std::to_string(kMaxKindBytes) + " bytes",
              text != nullptr   ? "longer"
              : kind != nullptr ? "none"
                                : "missing");
  return {};
}

/// Our writer escapes every control character, so a raw one is damage, and a line break would forge a line.
Status check_line(std::string_view line) {
  if (line.size() > kMaxRecordBytes) {
    return malformed("the record has " + std::to_string(line.size()) + " bytes; expected at most " +
                     std::to_string(kMaxRecordBytes));
  }
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20; };
  if (std::none_of(line.begin(), line.end(), is_control)) return {};
  return malformed("the record holds a control character; expected one line in which they are escaped");
}

}  // namespace

std::string encode_flight_record(const FlightRecord& record) {
  std::string out = encode_with(record, kLogTextLimit);
  for (std::size_t limit = kLogTextLimit; out.size() > kMaxRecordBytes && limit > kSmallestTextLimit;) {
    limit /= 2;
    out = encode_with(record, limit);
  }
  return out;
}

Result<FlightRecord> decode_flight_record(std::string_view line) {
  SKUA_RETURN_IF_ERROR(check_line(line));
  SKUA_ASSIGN_OR_RETURN(const Json json, parse_json(line, {.max_bytes = kMaxRecordBytes, .max_depth = 3}));
  ObjectReader reader(json, "");
  const std::uint64_t schema = reader.unsigned_integer("schema");
  const std::string producer = reader.text("producer");
  const std::string ts = reader.text("ts");
  FlightRecord record;
  constexpr auto kLimits = std::numeric_limits<std::int64_t>();
  record.monotonic_ns = reader.integer("mono_ns", kLimits.min(), kLimits.max());
  record.kind = read_kind(reader);
  read_payload(reader.object("payload"), record, reader);
  if (schema != FlightRecord::kSchemaVersion) {
    reader.fail("schema", std::to_string(FlightRecord::kSchemaVersion), std::to_string(schema));
  }
  if (producer != FlightRecord::kProducer) reader.fail("producer", FlightRecord::kProducer, quote(producer));
  const auto utc_us = parse_iso8601_utc(ts);
  if (!utc_us) reader.fail("ts", "a time as 2026-03-01T12:00:00.000001Z", quote(ts));
  SKUA_RETURN_IF_ERROR(reader.finish());
  record.utc_us = utc_us.value_or(0);
  return record;
}

}  // namespace skua
