#include "events/log_record.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

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

/// An object of at most `limit` bytes that is JSON whatever is added to it.
class BoundedObject {
 public:
  explicit BoundedObject(std::size_t limit) : limit_(limit) {}

  /// False: there is no room, and nothing must follow. A key that was there is passed over: keys are compared
  /// as they are written, for escaping and cutting can make two alike, and an object must not name one twice.
  bool add(std::string_view key, const Event::Value& value) {
    std::string written;
    append_json_string(written, key, kMaxKeyBytes);
    if (std::find(keys_.begin(), keys_.end(), written) != keys_.end()) return true;
    std::string field = (keys_.empty() ? "" : ",") + written + ":";
    append_value(field, value);
    if (field.size() > limit_ - std::min(limit_, out_.size() + kReserve)) {
      if (std::find(keys_.begin(), keys_.end(), R"("...")") == keys_.end()) {
        out_ += keys_.empty() ? kLeftOut.substr(1) : kLeftOut;
      }
      return false;
    }
    out_ += field;
    keys_.push_back(std::move(written));
    return true;
  }
  std::string text() && { return std::move(out_) + "}"; }

 private:
  static constexpr std::string_view kLeftOut = R"(,"...":null)";
  static constexpr std::size_t kReserve = kLeftOut.size() + 1;  // and the last brace
  const std::size_t limit_;
  std::string out_ = "{";
  std::vector<std::string> keys_;
};

/// The fields that `is_wanted` takes, as an object; `skip` bytes of their keys are a prefix.
template <typename Predicate>
std::string object_of(const std::vector<Event::Field>& fields, std::size_t skip, std::size_t limit,
                      Predicate is_wanted) {
  BoundedObject object(limit);
  for (std::size_t i = 0; i < std::min(fields.size(), kMaxFields); ++i) {
    if (!is_wanted(fields[i])) continue;
    if (!object.add(std::string_view(fields[i].key).substr(skip), fields[i].value)) break;
  }
  return std::move(object).text();
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

std::string kv_json(const Event& event, std::size_t limit) {
  return object_of(event.fields, 0, limit,
                   [](const Event::Field& f) { return !is_frame_field(f) && !is_exception_field(f); });
}

std::string exc_json(const Event& event, std::size_t limit) {
  std::string exception = object_of(event.fields, kExceptionPrefix.size(), limit, is_exception_field);
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
