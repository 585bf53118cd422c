// docs/reference/configuration.md says what the table of fields says.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "bootstrap/config_layers.h"
#include "core/config_fields.h"
#include "core/text.h"

namespace skua {
namespace {

/// Rows of tables whose first cell is `name`, by that name; cells are trimmed, without their backticks.
std::map<std::string, std::vector<std::string>> rows_of(const std::string& page) {
  std::map<std::string, std::vector<std::string>> rows;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| `")) continue;
    std::vector<std::string> cells;
    std::istringstream parts(line.substr(1));
    for (std::string part; std::getline(parts, part, '|');) {
      std::string cell(trimmed(part));
      if (cell.size() > 1 && cell.front() == '`' && cell.back() == '`')
        cell = cell.substr(1, cell.size() - 2);
      cells.push_back(std::move(cell));
    }
    const std::string name = cells.front();
    EXPECT_TRUE(rows.emplace(name, std::move(cells)).second) << name << " stands twice";
  }
  return rows;
}

std::string page() {
  std::ifstream stream(SKUA_SOURCE_DIR "/docs/reference/configuration.md", std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

std::string default_of(std::string_view field) {
  for (const auto& [name, value] : fields_of(RuntimeConfig())) {
    if (name == field) return value;
  }
  return "no such field";
}

/// What differs between the page and the table of fields.
std::vector<std::string> differences(const std::string& text) {
  auto rows = rows_of(text);
  std::vector<std::string> found;
  for (const ConfigField& field : config_fields()) {
    const std::string name(field.name);
    const std::vector<std::string> row = rows[name];
    rows.erase(name);
    const auto variable = row.size() > 3 ? with_environment({}, std::vector{row[1] + "=" + default_of(name)})
                                         : Result<ConfigFile>(make_error({}, {}, ""));
    if (!variable.ok() || variable->source_of(name) != row[1]) found.push_back(name + ": variable");
    if (row.size() > 3 && row[2] != default_of(name)) found.push_back(name + ": default");
    if (row.size() > 3 && row[3] != field.expected) found.push_back(name + ": expected");
  }
  for (const char* other : {"lanes", "mode", "components"}) {
    if (rows.erase(other) == 0) found.push_back(std::string(other) + ": missing");
  }
  for (const auto& [name, row] : rows) found.push_back(name + ": no such field");
  return found;
}

TEST(ConfigurationPage, NamesEveryFieldWithItsVariableDefaultAndRule) {
  EXPECT_EQ(differences(page()), std::vector<std::string>());
}

TEST(ConfigurationPage, ADifferenceIsNoticed) {
  const auto with = [](const std::string& from, const std::string& to) {
    std::string text = page();
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return differences(text.replace(at, from.size(), to));
  };
  using Found = std::vector<std::string>;
  EXPECT_EQ(with("`SKUA_C7_DEVICE`", "`SKUA_C7_ARITHMETIC`"), Found{"device: variable"});
  EXPECT_EQ(with("| `600` |", "| `60` |"), Found{"trtexec_timeout_s: default"});
  EXPECT_EQ(with("from 1 to 8 |", "from 1 to 9 |"), Found{"lightglue_lanes: expected"});
  EXPECT_EQ(with("| `log_sink` |", "| `log_sinks` |"),
            (Found{"log_sink: variable", "log_sinks: no such field"}));
  EXPECT_EQ(with("| `lanes` |", "| lanes |"), Found{"lanes: missing"});
}

}  // namespace
}  // namespace skua
