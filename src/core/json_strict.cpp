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

// Thrown inside the parser's callback, the only way to stop it early; caught in parse_json.
struct Refusal {
  std::string message;
};

// Watches the parser's events: keys of the open objects, and how deep it is.
class Watch {
 public:
  explicit Watch(int max_depth) : max_depth_(static_cast<std::size_t>(std::max(max_depth, 0))) {}

  bool on_event(Json::parse_event_t event, const Json& value) {
    using Parse = Json::parse_event_t;
    if (event == Parse::object_start || event == Parse::array_start) open();
    if (event == Parse::object_end || event == Parse::array_end) keys_.pop_back();
    if (event == Parse::key) add_key(value.get_ref<const std::string&>());
    return true;
  }

 private:
  void open() {
    if (keys_.size() >= max_depth_) {
      throw Refusal{"JSON is nested deeper than " + std::to_string(max_depth_) + " levels"};
    }
    keys_.emplace_back();
  }
  void add_key(const std::string& key) {
    if (!keys_.back().insert(key).second)
      throw Refusal{"JSON key " + quote(key) + " stands twice in one object"};
  }
  std::size_t max_depth_;
  std::vector<std::set<std::string>> keys_;
};

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
  try {
    Watch watch(limits.max_depth);
    return Json::parse(text.begin(), text.end(), [&](int, Json::parse_event_t event, Json& value) {
      return watch.on_event(event, value);
    });
  } catch (const Refusal& refusal) {
    return malformed(refusal.message);
  } catch (const nlohmann::json::exception& error) {
    return malformed("JSON text cannot be read: " + quote(error.what(), 200));
  }
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
