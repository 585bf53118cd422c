#include "events/log_record.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <string_view>

#include "events/escape.h"
#include "events/timestamp.h"

namespace skua {
namespace {

constexpr std::size_t kMaxFields = 64;
constexpr std::size_t kMaxKeyBytes = 128;
constexpr std::string_view kFrameKey = "frame_id";
constexpr std::string_view kExceptionPrefix = "exc.";

template <typename Number>
void append_number(std::string& out, Number value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  out.append(text.data(), end);
}

void append_value(std::string& out, const Event::Value& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    append_number(out, *integer);
  } else if (const auto* real = std::get_if<double>(&value)) {
    if (std::isfinite(*real)) {
      append_number(out, *real);
    } else {
      out += "null";
    }
  } else if (const auto* flag = std::get_if<bool>(&value)) {
    out += *flag ? "true" : "false";
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    append_json_string(out, *text);
  } else {
    out += "null";
  }
}

bool is_frame_field(const Event::Field& field) {
  return field.key == kFrameKey && std::holds_alternative<std::int64_t>(field.value);
}

bool is_exception_field(const Event::Field& field) { return field.key.starts_with(kExceptionPrefix); }

/// Whether an earlier field has the same key: a JSON object must not name one twice.
bool is_repeated(const std::vector<Event::Field>& fields, std::size_t index) {
  const auto end = fields.begin() + static_cast<std::ptrdiff_t>(index);
  return std::any_of(fields.begin(), end, [&](const Event::Field& f) { return f.key == fields[index].key; });
}

/// The fields that `is_wanted` takes, as an object; `skip` bytes of their keys are a prefix.
template <typename Predicate>
std::string object_of(const std::vector<Event::Field>& fields, std::size_t skip, std::size_t soft_limit,
                      Predicate is_wanted) {
  std::string out = "{";
  for (std::size_t i = 0; i < std::min(fields.size(), kMaxFields) && out.size() <= soft_limit; ++i) {
    if (!is_wanted(fields[i]) || is_repeated(fields, i)) continue;
    if (out.size() > 1) out += ',';
    append_json_string(out, std::string_view(fields[i].key).substr(skip), kMaxKeyBytes);
    out += ':';
    append_value(out, fields[i].value);
  }
  return out + "}";
}

}  // namespace

std::string json_of(const Event::Value& value) {
  std::string out;
  append_value(out, value);
  return out;
}

std::optional<std::int64_t> frame_id_of(const Event& event) noexcept {
  const auto found = std::find_if(event.fields.begin(), event.fields.end(), is_frame_field);
  if (found == event.fields.end()) return std::nullopt;
  return *std::get_if<std::int64_t>(&found->value);
}

std::string kv_json(const Event& event, std::size_t soft_limit) {
  return object_of(event.fields, 0, soft_limit,
                   [](const Event::Field& f) { return !is_frame_field(f) && !is_exception_field(f); });
}

std::string exc_json(const Event& event, std::size_t soft_limit) {
  std::string exception = object_of(event.fields, kExceptionPrefix.size(), soft_limit, is_exception_field);
  return exception == "{}" ? "null" : exception;
}

std::string encode_log_record(const Event& event, std::int64_t utc_us) {
  constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();
  const auto frame = frame_id_of(event);
  std::string out = "{\"ts\":\"" + iso8601_utc(utc_us) + "\",\"level\":\"";
  out += to_string(event.level);
  out += "\",\"component\":\"c7_inference\",\"frame_id\":";
  out += frame ? std::to_string(*frame) : "null";
  out += ",\"kind\":";
  append_json_string(out, event.kind, kMaxKeyBytes);
  out += ",\"msg\":";
  append_json_string(out, event.message);
  out += ",\"kv\":" + kv_json(event, kNoLimit) + ",\"exc\":" + exc_json(event, kNoLimit) + "}";
  return out;
}

}  // namespace skua
