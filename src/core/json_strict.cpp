#include "core/json_strict.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "core/text.h"

namespace skua {
namespace {

Error malformed(std::string message) {
  return make_error(ErrorCode::kInvalidArgument, Reason::kMalformed, std::move(message));
}

// Builds the value from the parser's events, in a time that grows with the text: nlohmann's own builders go
// through all siblings of a value again, for every value (with a callback) or for every key (ordered_json).
// Each handler answers whether to go on; `refusal()` tells why not.
class Builder {
 public:
  explicit Builder(const JsonLimits& limits)
      : max_depth_(static_cast<std::size_t>(std::max(limits.max_depth, 0))), max_values_(limits.max_values) {}

  bool null() { return add(Json()); }
  bool boolean(bool value) { return add(Json(value)); }
  bool number_integer(Json::number_integer_t value) { return add(Json(value)); }
  bool number_unsigned(Json::number_unsigned_t value) { return add(Json(value)); }
  bool number_float(Json::number_float_t value, const std::string& /*text*/) { return add(Json(value)); }
  bool string(std::string& value) { return add(Json(std::move(value))); }
  bool binary(Json::binary_t& value) { return add(Json(std::move(value))); }  // never in a text
  bool start_object(std::size_t /*elements*/) { return open(); }
  bool start_array(std::size_t /*elements*/) { return open(); }
  bool key(std::string& name) {
    open_.back().keys.push_back(std::move(name));
    return true;
  }
  bool end_array() { return close(Json(std::move(open_.back().values))); }
  bool end_object();
  bool parse_error(std::size_t /*position*/, const std::string& /*token*/, const Json::exception& error) {
    return refuse("JSON text cannot be read: " + quote(error.what(), 200));
  }

  const std::string& refusal() const noexcept { return refusal_; }
  Json take() { return std::move(value_); }

 private:
  struct Open {  // an array or an object whose end has not been read
    std::vector<std::string> keys;
    Json::array_t values;
  };
  bool open() {
    if (open_.size() >= max_depth_)
      return refuse("JSON is nested deeper than " + std::to_string(max_depth_) + " levels");
    open_.emplace_back();
    return true;
  }
  bool close(Json value) {
    open_.pop_back();
    return add(std::move(value));
  }
  bool add(Json value) {
    if (++values_ > max_values_)
      return refuse("JSON text has more than " + std::to_string(max_values_) + " values");
    if (open_.empty()) {
      value_ = std::move(value);
    } else {
      open_.back().values.push_back(std::move(value));
    }
    return true;
  }
  bool refuse(std::string message) {
    refusal_ = std::move(message);
    return false;
  }

  std::size_t max_depth_, max_values_;
  std::size_t values_ = 0;
  std::vector<Open> open_;
  Json value_;
  std::string refusal_;
};

// A key that stands twice among `keys`.
std::optional<std::string_view> repeated(const std::vector<std::string>& keys) {
  std::vector<std::string_view> sorted(keys.begin(), keys.end());
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice == sorted.end()) return std::nullopt;
  return *twice;
}

bool Builder::end_object() {
  auto& [keys, values] = open_.back();
  if (const auto key = repeated(keys))
    return refuse("JSON key " + quote(*key) + " stands twice in one object");
  Json::object_t object;
  object.reserve(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i)
    object.emplace_back(std::move(keys[i]),
                        std::move(values[i]));  // vector's: object_t's own looks at all keys
  return close(Json(std::move(object)));
}

// What a value is, for "found": short scalars by value, the rest by kind.
std::string found_text(const Json& value) {
  if (value.is_string()) return "text " + quote(value.get_ref<const std::string&>());
  if (value.is_number_float()) return print_double(value.get<double>());
  if (value.is_number_unsigned()) return std::to_string(value.get<std::uint64_t>());
  if (value.is_number_integer()) return std::to_string(value.get<std::int64_t>());
  if (value.is_boolean()) return value.get<bool>() ? "true" : "false";
  if (value.is_array()) return "an array of " + std::to_string(value.size());
  return value.is_object() ? "an object" : "null";
}

const Json& empty_object() {
  static const Json empty = Json::object();
  return empty;
}

std::optional<std::int64_t> as_int64(const Json& value) {
  if (!value.is_number_integer()) return std::nullopt;
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > kMax) return std::nullopt;
  return value.get<std::int64_t>();
}

}  // namespace

Result<Json> parse_json(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return make_error(ErrorCode::kInvalidArgument, Reason::kMalformed,
                      "JSON text has " + std::to_string(text.size()) + " bytes; expected at most " +
                          std::to_string(limits.max_bytes));
  }
  // The parser takes a NUL byte for the end of the text: whatever follows it would go unread.
  if (text.find('\0') != std::string_view::npos)
    return malformed("JSON text cannot be read: it holds a NUL byte");
  // It would skip a byte order mark: a second text for the same value, and one that RFC 8259 forbids to
  // write.
  if (text.starts_with("\xef\xbb\xbf"))
    return malformed("JSON text cannot be read: it begins with a byte order mark");
  Builder builder(limits);
  if (!Json::sax_parse(text.begin(), text.end(), &builder)) return malformed(builder.refusal());
  return builder.take();
}

ObjectReader::ObjectReader(const Json& object, std::string path)
    : object_(object.is_object() ? object : empty_object()), path_(std::move(path)) {
  if (!object.is_object()) {
    fail(malformed((path_.empty() ? "JSON text" : path_) + " is " + found_text(object) +
                   "; expected an object"));
  }
}

std::string ObjectReader::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

void ObjectReader::fail(const Error& error) {
  if (ok()) error_ = error;
}

void ObjectReader::fail(std::string_view key, std::string_view expected, std::string_view found) {
  if (!ok()) return;
  error_ = malformed(path_of(key) + " is " + std::string(found) + "; expected " + std::string(expected));
}

const Json* ObjectReader::optional(std::string_view key) {
  seen_.push_back(key);
  if (!ok()) return nullptr;
  const auto it = object_.find(std::string(key));
  return it == object_.end() || it->is_null() ? nullptr : &*it;
}

const Json* ObjectReader::find(std::string_view key) {
  seen_.push_back(key);
  if (!ok()) return nullptr;
  const auto it = object_.find(std::string(key));
  if (it != object_.end()) return &*it;
  fail(malformed(path_of(key) + " is missing"));
  return nullptr;
}

std::string ObjectReader::text(std::string_view key, std::size_t max_length) {
  const Json* value = find(key);
  if (value == nullptr) return {};
  const std::string* text = value->get_ptr<const std::string*>();
  // A NUL would end the text early wherever it meets the operating system.
  if (text != nullptr && text->size() <= max_length && text->find('\0') == std::string::npos) return *text;
  fail(key, "text of at most " + std::to_string(max_length) + " bytes without NUL", found_text(*value));
  return {};
}

std::uint64_t ObjectReader::unsigned_integer(std::string_view key, std::uint64_t max) {
  const Json* value = find(key);
  if (value == nullptr) return 0;
  if (value->is_number_unsigned() && value->get<std::uint64_t>() <= max) return value->get<std::uint64_t>();
  fail(key, "a whole number from 0 to " + std::to_string(max), found_text(*value));
  return 0;
}

std::int64_t ObjectReader::integer(std::string_view key, std::int64_t min, std::int64_t max) {
  const Json* value = find(key);
  if (value == nullptr) return 0;
  const auto number = as_int64(*value);
  if (number && *number >= min && *number <= max) return *number;
  fail(key, "a whole number from " + std::to_string(min) + " to " + std::to_string(max), found_text(*value));
  return 0;
}

double ObjectReader::number(std::string_view key) {
  const Json* value = find(key);
  if (value == nullptr) return 0.0;
  if (value->is_number() && std::isfinite(value->get<double>())) return value->get<double>();
  fail(key, "a finite number", found_text(*value));
  return 0.0;
}

bool ObjectReader::boolean(std::string_view key) {
  const Json* value = find(key);
  if (value == nullptr) return false;
  if (value->is_boolean()) return value->get<bool>();
  fail(key, "true or false", found_text(*value));
  return false;
}

Sha256 ObjectReader::digest(std::string_view key) {
  const std::string hex = text(key);
  if (!ok()) return {};
  const auto digest = Sha256::from_hex(hex);
  if (digest.ok()) return *digest;
  fail(key, "64 lower-case hex digits", "text " + quote(hex));
  return {};
}

std::vector<const Json*> ObjectReader::array(std::string_view key, std::size_t max_length) {
  const Json* value = find(key);
  if (value == nullptr) return {};
  if (!value->is_array() || value->size() > max_length) {
    fail(key, "an array of at most " + std::to_string(max_length) + " elements", found_text(*value));
    return {};
  }
  std::vector<const Json*> elements;
  for (const Json& element : *value) elements.push_back(&element);
  return elements;
}

const Json& ObjectReader::object(std::string_view key) {
  const Json* value = find(key);
  if (value == nullptr) return empty_object();
  if (value->is_object()) return *value;
  fail(key, "an object", found_text(*value));
  return empty_object();
}

Status ObjectReader::finish() {
  if (!ok()) return *error_;
  for (const auto& [key, value] : object_.items()) {
    if (std::find(seen_.begin(), seen_.end(), key) != seen_.end()) continue;
    std::set<std::string_view> known(seen_.begin(), seen_.end());
    return malformed(path_of(quote(key)) + " is unknown; expected only " +
                     join(std::vector<std::string>(known.begin(), known.end())));
  }
  return {};
}

}  // namespace skua
