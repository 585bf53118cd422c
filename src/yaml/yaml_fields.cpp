#include "yaml/yaml_fields.h"

#include "cache/json_fields.h"
#include "cache/utf8.h"
#include "core/filesystem.h"
#include "core/text.h"
#include "yaml/yaml_guard.h"

namespace skua {
namespace {

constexpr std::size_t kMostKeys = 1024;  // each is compared with the others; far beyond any mapping of ours

Error invalid(Reason reason, std::string message) {
  return make_error(ErrorCode::kInvalidArgument, reason, std::move(message));
}

std::string kind_of(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Map:
      return "a mapping";
    case YAML::NodeType::Sequence:
      return "a list";
    case YAML::NodeType::Scalar:
      return quote(node.Scalar());
    case YAML::NodeType::Null:
    case YAML::NodeType::Undefined:
      break;
  }
  return "nothing";
}

}  // namespace

std::string yaml_position(const std::string& file, const YAML::Mark& mark) {
  if (mark.is_null()) return file + ": ";
  return file + ":" + std::to_string(mark.line + 1) + ":" + std::to_string(mark.column + 1) + ": ";
}

Error yaml_error(const std::string& file, const YAML::Node& node, const std::string& message, Reason reason) {
  return invalid(reason, yaml_position(file, node.Mark()) + message);
}

std::string yaml_line(const std::string& file, const YAML::Node& node) {
  return file + ":" + std::to_string(node.Mark().line + 1);
}

Result<YAML::Node> parse_yaml(const std::string& text, const std::string& file) {
  SKUA_RETURN_IF_ERROR(check_yaml_shape(text, file));
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(text);
    if (documents.size() != 1) {
      return invalid(Reason::kMalformed,
                     file + ": expected one YAML document, found " + std::to_string(documents.size()));
    }
    return documents.front();
  } catch (const YAML::Exception&) {  // check_yaml_shape has read the same text by the same parser
    return invalid(Reason::kMalformed, file + ": not YAML");
  }
}

Result<YAML::Node> load_yaml(const std::filesystem::path& file) {
  const auto parent = file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
  auto folder = posix_file_system().open_folder(parent);
  auto text = folder.ok() ? read_text(**folder, file.filename().string(), kYamlLimitBytes)
                          : Result<std::string>(std::move(folder).error());
  if (!text.ok()) {
    return make_error(ErrorCode::kInvalidArgument, text.error().reason,
                      "cannot read " + file.string() + ": " + text.error().message, text.error().native_code);
  }
  return parse_yaml(*text, file.string());
}

Result<std::string> yaml_text(const YAML::Node& node, const std::string& file, const std::string& what) {
  if (node.IsScalar()) return node.Scalar();
  return yaml_error(file, node, what + ": expected a value, found " + kind_of(node));
}

YamlFields::YamlFields(const YAML::Node& map, std::string file, std::string where)
    : map_(map), file_(std::move(file)), where_(std::move(where)) {
  if (!map.IsMap()) {
    fail(map, prefix() + "expected a mapping, found " + kind_of(map));
    return;
  }
  for (const auto& pair : map) {
    if (entries_.size() == kMostKeys) {
      fail(pair.first, prefix() + "more than " + std::to_string(kMostKeys) + " keys");
    }
    if (!ok()) return;
    add_entry(pair.first, pair.second);
  }
}

void YamlFields::add_entry(const YAML::Node& key, const YAML::Node& value) {
  auto text = yaml_text(key, file_, prefix() + "a key");
  if (!text.ok()) return fail(text.error());
  if (text->size() > kMaxNameBytes || !is_printable_utf8(*text)) {  // messages name keys
    return fail(key, prefix() + "expected a key of at most " + std::to_string(kMaxNameBytes) +
                         " bytes without control characters, found " + quote(*text));
  }
  for (const Entry& entry : entries_) {
    if (entry.key == *text) return fail(key, name_of(*text) + " is given twice");
  }
  entries_.push_back({*std::move(text), key, value, false});
}

std::string YamlFields::prefix() const { return where_.empty() ? "" : where_ + ": "; }

std::string YamlFields::name_of(std::string_view key) const {
  return where_.empty() ? std::string(key) : where_ + "." + std::string(key);
}

YamlFields::Entry* YamlFields::find(std::string_view key) {
  for (Entry& entry : entries_) {
    if (entry.key != key) continue;
    entry.is_asked = true;
    return ok() ? &entry : nullptr;
  }
  return nullptr;
}

std::optional<YAML::Node> YamlFields::node(std::string_view key) {
  const Entry* entry = find(key);
  return entry != nullptr ? std::optional(entry->value) : std::nullopt;
}

std::optional<std::string> YamlFields::text(std::string_view key) {
  const Entry* entry = find(key);
  if (entry == nullptr) return std::nullopt;
  auto text = yaml_text(entry->value, file_, name_of(key));
  if (text.ok()) return *std::move(text);
  // yaml-cpp places what has no value at the next thing in the file, which may be lines away.
  const bool is_null = entry->value.IsNull();
  fail(is_null ? yaml_error(file_, entry->key_node, name_of(key) + ": expected a value, found nothing")
               : text.error());
  return std::nullopt;
}

std::optional<std::int64_t> YamlFields::integer(std::string_view key, std::int64_t min, std::int64_t max) {
  const auto given = text(key);
  if (!given) return std::nullopt;
  const auto value = parse_int64(*given);
  if (value && *value >= min && *value <= max) return value;
  fail(*node(key), name_of(key) + ": expected an integer from " + std::to_string(min) + " to " +
                       std::to_string(max) + ", found " + quote(*given));
  return std::nullopt;
}

std::optional<double> YamlFields::number(std::string_view key) {
  const auto given = text(key);
  if (!given) return std::nullopt;
  const auto value = parse_double(*given);
  if (!value) fail(*node(key), name_of(key) + ": expected a number, found " + quote(*given));
  return value;
}

std::optional<bool> YamlFields::boolean(std::string_view key) {
  const auto given = text(key);
  if (!given) return std::nullopt;
  if (*given == "true") return true;
  if (*given == "false") return false;
  fail(*node(key), name_of(key) + ": expected true or false, found " + quote(*given));
  return std::nullopt;
}

std::vector<YAML::Node> YamlFields::sequence(std::string_view key) {
  const auto found = node(key);
  if (!found) return {};
  if (!found->IsSequence()) {
    fail(*found, name_of(key) + ": expected a list, found " + kind_of(*found));
    return {};
  }
  return {found->begin(), found->end()};
}

std::optional<std::vector<std::string>> YamlFields::texts(std::string_view key) {
  if (!node(key)) return std::nullopt;
  std::vector<std::string> values;
  for (const YAML::Node& element : sequence(key)) {
    auto text = yaml_text(element, file_, name_of(key));
    if (!text.ok()) {
      fail(text.error());
      return std::nullopt;
    }
    values.push_back(*std::move(text));
  }
  return values;
}

std::vector<std::pair<std::string, YAML::Node>> YamlFields::mapping(std::string_view key) {
  const auto found = node(key);
  if (!found) return {};
  YamlFields inner(*found, file_, name_of(key));
  auto entries = inner.remaining();
  if (const Status status = inner.finish(); !status.ok()) fail(status.error());
  return entries;
}

std::vector<std::pair<std::string, YAML::Node>> YamlFields::remaining() {
  std::vector<std::pair<std::string, YAML::Node>> rest;
  for (Entry& entry : entries_) {
    if (!entry.is_asked) rest.emplace_back(entry.key, entry.value);
    entry.is_asked = true;
  }
  return rest;
}

void YamlFields::require(std::string_view key) {
  if (ok() && find(key) == nullptr) fail(map_, name_of(key) + " is missing; it has no default");
}

void YamlFields::fail(const YAML::Node& node, const std::string& message, Reason reason) {
  fail(yaml_error(file_, node, message, reason));
}

void YamlFields::fail(const Error& error) {
  if (!error_) error_ = error;
}

Status YamlFields::finish() {
  if (error_) return *error_;
  for (const Entry& entry : entries_) {
    if (entry.is_asked) continue;
    return yaml_error(file_, entry.key_node,
                      "unknown key " + quote(name_of(entry.key)) + "; remove or correct it");
  }
  return {};
}

}  // namespace skua
