#include "cache/json_fields.h"

#include "core/json_strict.h"
#include "core/text.h"

namespace skua {

void expect_text(ObjectReader& reader, std::string_view key, std::string_view expected) {
  const std::string found = reader.text(key, kMaxNameBytes);
  if (reader.ok() && found != expected) reader.fail(key, quote(expected, 100), quote(found, 100));
}

std::map<std::string, std::string> read_text_map(ObjectReader& reader, std::string_view key) {
  std::map<std::string, std::string> map;
  const Json& object = reader.object(key);
  if (object.size() > kMaxMapEntries) reader.fail(key, "at most 256 entries", std::to_string(object.size()));
  for (const auto& [name, value] : object.items()) {
    if (!reader.ok()) break;
    const std::string* const text = value.is_string() ? value.get_ptr<const std::string*>() : nullptr;
    const bool is_bounded = text != nullptr && text->size() <= kMaxMapText && name.size() <= kMaxNameBytes;
    if (!is_bounded) {
      reader.fail(std::string(key) + "." + name, "text of at most 65536 bytes under a name of at most 255",
                  value.type_name());
      break;
    }
    map[name] = *text;
  }
  return map;
}

Json text_map_to_json(const std::map<std::string, std::string>& map) {
  Json json = Json::object();
  for (const auto& [name, value] : map) json[name] = value;
  return json;
}

std::string file_text_of(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace skua
