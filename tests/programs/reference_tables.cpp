// Prints the tables that docs/reference is made of (scripts/reference.py), as one JSON object: reasons,
// fields of the configuration, kinds of events. They are those that this build was compiled with.
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <exception>
#include <iostream>
#include <string>

#include "bootstrap/config_layers.h"
#include "core/config_fields.h"
#include "event_names.h"
#include "events/event_kinds.h"
#include "skua/reason.h"

namespace skua::test {
namespace {

using Json = nlohmann::ordered_json;

Json reasons() {
  Json rows = Json::array();
  for (const Reason reason : all_reasons())
    rows.push_back({{"code", to_string(reason)}, {"meaning", sentence_of(reason)}});
  return rows;
}

std::string variable_of(std::string_view field) {
  std::string variable(kVariablePrefix);
  for (const char letter : field)
    variable += static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  return variable;
}

Json fields() {
  Json rows = Json::array();
  const auto defaults = fields_of(RuntimeConfig());  // in the table's order
  for (std::size_t i = 0; i < defaults.size(); ++i) {
    const auto& [name, value] = defaults[i];
    rows.push_back({{"field", name},
                    {"variable", variable_of(name)},
                    {"default", value},
                    {"expected", config_fields()[i].expected}});
  }
  return rows;
}

Json events() {
  Json rows = Json::array();
  for (const EventKind& kind : event_kinds()) {
    Json keys = Json::array();
    for (const PayloadKey& key : kind.keys) keys.push_back({{"key", key.key}, {"type", name_of(key.type)}});
    rows.push_back({{"kind", kind.name},
                    {"level", to_string(kind.level)},
                    {"recorded", name_of(kind.recorded)},
                    {"keys", std::move(keys)}});
  }
  return rows;
}

}  // namespace
}  // namespace skua::test

int main() {
  try {
    const skua::test::Json tables = {{"reasons", skua::test::reasons()},
                                     {"fields", skua::test::fields()},
                                     {"events", skua::test::events()}};
    std::cout << tables.dump(1) << '\n';
    return std::cout.flush() ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << "reference_tables: " << error.what() << '\n';
    return 1;
  }
}
