// Lists, maps and nested objects over ObjectReader: what records and manifests share when they are read and
// written.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/json_strict.h"
#include "core/json_types.h"

namespace skua {

inline constexpr std::size_t kMaxNameBytes = 255;
inline constexpr std::size_t kMaxMapEntries = 256;
inline constexpr std::size_t kMaxMapText = 65536;

/// Reads text that must be exactly `expected`.
void expect_text(ObjectReader& reader, std::string_view key, std::string_view expected);

/// A nested object by its own decoder; a default value after an error, which `reader` remembers.
template <typename T, typename Decode>
T read_object(ObjectReader& reader, std::string_view key, Decode decode) {
  const Json& json = reader.object(key);
  if (!reader.ok()) return T{};
  Result<T> value = decode(json, reader.path_of(key));
  if (value.ok()) return *std::move(value);
  reader.fail(value.error());
  return T{};
}

template <typename T, typename Decode>
std::vector<T> read_list(ObjectReader& reader, std::string_view key, std::size_t max_length, Decode decode) {
  std::vector<T> list;
  const std::vector<const Json*> elements = reader.array(key, max_length);
  for (std::size_t i = 0; i < elements.size() && reader.ok(); ++i) {
    Result<T> value = decode(*elements[i], reader.path_of(key) + "[" + std::to_string(i) + "]");
    if (!value.ok()) {
      reader.fail(value.error());
      break;
    }
    list.push_back(*std::move(value));
  }
  return list;
}

template <typename T, typename Encode>
Json list_to_json(const std::vector<T>& list, Encode encode) {
  Json json = Json::array();
  for (const T& element : list) json.push_back(encode(element));
  return json;
}

/// An object whose values are all text.
std::map<std::string, std::string> read_text_map(ObjectReader& reader, std::string_view key);
Json text_map_to_json(const std::map<std::string, std::string>& map);

/// The text of a file: two spaces of indentation, a final line end. Bytes that are no UTF-8 are replaced.
std::string file_text_of(const Json& json);

}  // namespace skua
