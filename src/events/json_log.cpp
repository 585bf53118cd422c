#include "events/json_log.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <ostream>
#include <string_view>

#include "events/escape.h"
#include "events/timestamp.h"

namespace skua {
namespace {

constexpr std::size_t kMaxFields = 64;
constexpr std::size_t kMaxKeyBytes = 128;
constexpr std::string_view kFrameKey = "frame_id";
constexpr std::string_view kExceptionPrefix = "exc.";

std::string_view level_name(Level level) {
  switch (level) {
    case Level::kDebug:
      return "DEBUG";
    case Level::kInfo:
      return "INFO";
    case Level::kWarn:
      return "WARN";
    case Level::kError:
      break;
  }
  return "ERROR";  // a level that is none of ours must not be overlooked
}

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
std::string object_of(const std::vector<Event::Field>& fields, std::size_t skip, Predicate is_wanted) {
  std::string out = "{";
  for (std::size_t i = 0; i < std::min(fields.size(), kMaxFields); ++i) {
    if (!is_wanted(fields[i]) || is_repeated(fields, i)) continue;
    if (out.size() > 1) out += ',';
    append_json_string(out, std::string_view(fields[i].key).substr(skip), kMaxKeyBytes);
    out += ':';
    append_value(out, fields[i].value);
  }
  return out + "}";
}

std::string frame_of(const std::vector<Event::Field>& fields) {
  const auto found = std::find_if(fields.begin(), fields.end(), is_frame_field);
  return found == fields.end() ? "null" : std::to_string(std::get<std::int64_t>(found->value));
}

}  // namespace

std::string encode_log_record(const Event& event, std::int64_t utc_us) {
  std::string out = "{\"ts\":\"" + iso8601_utc(utc_us) + "\",\"level\":\"";
  out += level_name(event.level);
  out += "\",\"component\":\"c7_inference\",\"frame_id\":" + frame_of(event.fields) + ",\"kind\":";
  append_json_string(out, event.kind, kMaxKeyBytes);
  out += ",\"msg\":";
  append_json_string(out, event.message);
  out += ",\"kv\":";
  out += object_of(event.fields, 0,
                   [](const Event::Field& f) { return !is_frame_field(f) && !is_exception_field(f); });
  const std::string exception = object_of(event.fields, kExceptionPrefix.size(), is_exception_field);
  out += ",\"exc\":" + (exception == "{}" ? std::string("null") : exception) + "}";
  return out;
}

JsonLogSink::JsonLogSink(std::ostream& out, Level minimum, Clock& clock)
    : out_(out), minimum_(minimum), clock_(clock) {}

void JsonLogSink::emit(const Event& event) noexcept {
  if (event.level < minimum_) return;
  // A log must never take its program down: neither a full memory nor a stream with exceptions switched on.
  try {
    std::string line = encode_log_record(event, clock_.utc_us());
    line += '\n';
    const std::lock_guard lock(mutex_);
    out_.clear();  // a full disk may have room again
    out_.write(line.data(), static_cast<std::streamsize>(line.size())).flush();
    if (!out_) ++lost_;
  } catch (...) {
    const std::lock_guard lock(mutex_);
    ++lost_;
  }
}

std::uint64_t JsonLogSink::lost_count() const noexcept {
  const std::lock_guard lock(mutex_);
  return lost_;
}

}  // namespace skua
