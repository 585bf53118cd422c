#include "telemetry/reading_json.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/json_strict.h"
#include "core/text.h"
#include "telemetry/sensors.h"

namespace skua {
namespace {

constexpr std::uint64_t kSchema = 1;
constexpr std::size_t kMaxCauses = 32, kMaxSourceName = 64, kMaxOrigin = 8192, kMaxCauseName = 256;

std::optional<FieldStatus> status_of(std::string_view text) {
  for (const auto status :
       {FieldStatus::kUnsupported, FieldStatus::kValue, FieldStatus::kOffline, FieldStatus::kStale}) {
    if (text == to_string(status)) return status;
  }
  return std::nullopt;
}

bool has_value(FieldStatus status) { return status == FieldStatus::kValue || status == FieldStatus::kStale; }

struct Range {
  double low = 0.0, high = 0.0;
  std::string_view text;
};

// What the sources themselves would call plausible.
Range range_of(const ThermalFieldInfo& info) {
  if (info.unit == "C") return {kLowestPlausibleC, kHighestPlausibleC, "a number from -40 to 150"};
  if (info.unit == "MHz") return {0.0, 1e6, "a number from 0 to 1000000"};
  if (info.field == ThermalField::kThrottle || info.field == ThermalField::kLimitReached)
    return {0.0, 1.0, "0 or 1"};
  return {0.0, 1e15, "a count from 0 to 10^15"};
}

bool is_in(const Range& range, double value) {
  const bool is_flag = range.high == 1.0;
  return value >= range.low && value <= range.high && (!is_flag || value == range.low || value == range.high);
}

// Names come from the machine. Cut so that a line stays within kMaxReadingLine whatever they hold: a byte
// that is no UTF-8 takes six.
std::string_view bounded(std::string_view text) {
  constexpr std::size_t kMostPlain = 4096, kMostForeign = 512;
  const bool is_plain = std::all_of(text.begin(), text.end(),
                                    [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
  return text.substr(0, is_plain ? kMostPlain : kMostForeign);
}

Json field_to_json(const ThermalSource& source, ThermalField field, const FieldReading& reading) {
  Json json = Json::object();
  json["status"] = to_string(reading.status);
  if (has_value(reading.status)) json["value"] = reading.value;
  if (reading.status == FieldStatus::kUnsupported) return json;
  json["origin"] = bounded(source.origin(field));
  if (reading.status == FieldStatus::kOffline && !reading.problem.empty()) json["problem"] = reading.problem;
  return json;
}

std::string optional_text(ObjectReader& reader, std::string_view key) {
  return reader.optional(key) != nullptr ? reader.text(key, kMaxOrigin) : std::string();
}

void decode_field(ObjectReader& fields, const ThermalFieldInfo& info, RecordedReading& into) {
  ObjectReader reader(fields.object(info.key), fields.path_of(info.key));
  const std::string status_text = reader.text("status");
  const auto status = status_of(status_text);
  if (!status) reader.fail("status", "unsupported, value, offline or stale", "text " + quote(status_text));
  FieldReading& field = into.reading[info.field];
  field.status = status.value_or(FieldStatus::kUnsupported);
  if (has_value(field.status)) field.value = reader.number("value");
  const Range range = range_of(info);
  if (has_value(field.status) && !is_in(range, field.value)) {
    reader.fail("value", range.text, print_double(field.value));
  }
  if (field.status != FieldStatus::kUnsupported) {
    into.origins[static_cast<std::size_t>(info.field)] = reader.text("origin", kMaxOrigin);
  }
  if (field.status == FieldStatus::kOffline) optional_text(reader, "problem");
  const Status end = reader.finish();
  if (!end.ok()) fields.fail(end.error());
}

Status decode_causes(ObjectReader& reader, RecordedReading& into) {
  for (const Json* cause : reader.array("throttle_causes", kMaxCauses)) {
    const std::string* text = cause->get_ptr<const std::string*>();
    if (text == nullptr || text->size() > kMaxCauseName) {
      reader.fail("throttle_causes", "texts of at most " + std::to_string(kMaxCauseName) + " bytes",
                  "another value");
      break;
    }
    into.reading.throttle_causes |= std::uint32_t{1} << into.causes.size();
    into.causes.push_back(*text);
  }
  return reader.finish();
}

}  // namespace

std::string encode_reading(const ThermalSource& source, const ThermalReading& reading,
                           std::int64_t measured_at_ns) {
  Json json = Json::object();
  json["schema"] = kSchema;
  json["source"] = source.name();
  json["measured_at_ns"] = measured_at_ns;
  Json& fields = json["fields"] = Json::object();
  for (const ThermalFieldInfo& info : thermal_field_table()) {
    fields[std::string(info.key)] = field_to_json(source, info.field, reading[info.field]);
  }
  Json& causes = json["throttle_causes"] = Json::array();
  for (const std::string_view cause : causes_of(reading, source)) causes.push_back(cause);
  return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

Result<RecordedReading> decode_reading(std::string_view line) {
  JsonLimits limits;
  limits.max_bytes = kMaxReadingLine;
  limits.max_depth = 4;
  SKUA_ASSIGN_OR_RETURN(const Json json, parse_json(line, limits));
  RecordedReading recorded;
  ObjectReader reader(json, "");
  const std::uint64_t schema = reader.unsigned_integer("schema");
  if (schema != kSchema) reader.fail("schema", std::to_string(kSchema), std::to_string(schema));
  recorded.source = reader.text("source", kMaxSourceName);
  recorded.measured_at_ns = reader.integer("measured_at_ns", 0, std::numeric_limits<std::int64_t>::max());
  ObjectReader fields(reader.object("fields"), "fields");
  for (const ThermalFieldInfo& info : thermal_field_table()) decode_field(fields, info, recorded);
  const Status end = fields.finish();
  if (!end.ok()) reader.fail(end.error());
  SKUA_RETURN_IF_ERROR(decode_causes(reader, recorded));
  return recorded;
}

}  // namespace skua
