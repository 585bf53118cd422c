// Every field of the configuration wrong in every way, generated from the table of fields.
#include <gmock/gmock.h>

#include <string>
#include <variant>
#include <vector>

#include "bootstrap/config_layers.h"
#include "core/config_fields.h"

namespace skua {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kHead[] = "mode: live\ncomponents:\n  c7_inference:\n";

/// A value as YAML that the field takes: its default.
std::string default_of(const ConfigField& field) {
  for (const auto& [name, value] : fields_of(RuntimeConfig())) {
    if (name == field.name) return value.empty() ? "\"\"" : value;
  }
  return "no such field";
}

struct WrongValue {
  std::string what, yaml;
};

/// Out of the type's range or of the field's own.
struct OutOfRange {
  std::vector<std::string> operator()(std::string RuntimeConfig::*) const { return {"No such value"}; }
  std::vector<std::string> operator()(std::filesystem::path RuntimeConfig::*) const {
    return {"not/absolute"};
  }
  std::vector<std::string> operator()(double RuntimeConfig::*) const { return {"-1", "1e9", ".nan", ".inf"}; }
  std::vector<std::string> operator()(bool RuntimeConfig::*) const { return {"2", "yes"}; }
  std::vector<std::string> operator()(std::uint64_t RuntimeConfig::*) const {
    return {"-1", "18446744073709551616", "1.5"};
  }
  std::vector<std::string> operator()(int RuntimeConfig::*) const { return {"-2", "2147483648", "0.5"}; }
};

std::vector<WrongValue> wrong_values(const ConfigField& field) {
  std::vector<WrongValue> wrong = {
      {"a list", "[1]"}, {"a mapping", "{a: 1}"}, {"nothing", ""}, {"null", "~"}};
  for (std::string& value : std::visit(OutOfRange(), field.member)) {
    wrong.push_back({"out of range: " + value, value});
  }
  if (default_of(field) != "\"\"") wrong.push_back({"empty text", "\"\""});
  return wrong;
}

/// The whole table, each field at its default, with `line` in the place of `field`'s.
std::string file_with(std::string_view field, const std::string& line) {
  std::string text = kHead;
  for (const ConfigField& other : config_fields()) {
    text += other.name == field ? line : "    " + std::string(other.name) + ": " + default_of(other) + "\n";
  }
  return text;
}

std::size_t line_of(const ConfigField& field) {
  std::size_t line = 4;
  for (const ConfigField& other : config_fields()) {
    if (other.name == field.name) break;
    ++line;
  }
  return line;
}

void expect_refused(const std::string& text, const ConfigField& field, std::size_t line, std::size_t column,
                    const std::string& what) {
  const auto read = parse_config_yaml(text, "c.yaml");
  ASSERT_FALSE(read.ok()) << field.name << ": " << what;
  EXPECT_EQ(read.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(read.error().message,
              StartsWith("c.yaml:" + std::to_string(line) + ":" + std::to_string(column) + ": "))
      << what;
  EXPECT_THAT(read.error().message, HasSubstr(std::string(field.name))) << what;
}

TEST(WrongConfiguration, TheTableItselfIsAccepted) {
  const auto read = parse_config_yaml(file_with("", ""), "c.yaml");
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->sources.size(), config_fields().size());
  for (const ConfigField& field : config_fields()) {
    const std::string same = "    " + std::string(field.name) + ": " + default_of(field) + "\n";
    EXPECT_EQ(file_with(field.name, same), file_with("", "")) << field.name;
  }
}

TEST(WrongConfiguration, EveryFieldWithEveryWrongValueNamesFieldLineAndColumn) {
  std::size_t cases = 0;
  for (const ConfigField& field : config_fields()) {
    for (const WrongValue& wrong : wrong_values(field)) {
      const std::string line = "    " + std::string(field.name) + ": " + wrong.yaml + "\n";
      const bool has_value = wrong.what != "nothing" && wrong.what != "null";
      const std::size_t column = has_value ? 7 + field.name.size() : 5;
      expect_refused(file_with(field.name, line), field, line_of(field), column, wrong.what);
      ++cases;
    }
  }
  EXPECT_GE(cases, 5 * config_fields().size());
}

TEST(WrongConfiguration, EveryFieldGivenTwiceIsRefusedWhereItIsRepeated) {
  for (const ConfigField& field : config_fields()) {
    const std::string line = "    " + std::string(field.name) + ": " + default_of(field) + "\n";
    expect_refused(file_with(field.name, line + line), field, line_of(field) + 1, 5, "twice");
  }
}

TEST(WrongConfiguration, EveryMisspelledFieldIsUnknown) {
  for (const ConfigField& field : config_fields()) {
    const std::string name(field.name);
    for (const std::string& misspelled : {name + "s", name.substr(1), "X" + name}) {
      const std::string line = "    " + misspelled + ": " + default_of(field) + "\n";
      expect_refused(file_with(field.name, line), field, line_of(field), 7 + misspelled.size(), misspelled);
    }
  }
}

TEST(WrongConfiguration, EveryVariableWithEveryWrongValueIsNamed) {
  const auto name_of = [](const ConfigField& field) {
    std::string name(kVariablePrefix);
    for (const char letter : field.name) name += static_cast<char>(std::toupper(letter));
    return name;
  };
  for (const ConfigField& field : config_fields()) {
    const std::string name = name_of(field);
    for (const std::string& value : std::visit(OutOfRange(), field.member)) {
      const auto refused = with_environment({}, std::vector<std::string>{name + "=" + value});
      ASSERT_FALSE(refused.ok()) << name << "=" << value;
      EXPECT_THAT(refused.error().message, StartsWith("environment variable " + name + ": "));
      EXPECT_THAT(refused.error().message, HasSubstr(std::string(field.name)));
    }
    const auto unknown = with_environment({}, std::vector<std::string>{name + "S=1"});
    ASSERT_FALSE(unknown.ok()) << name;
    EXPECT_THAT(unknown.error().message, HasSubstr("'" + name + "S' is unknown"));
    const std::string good = default_of(field) == "\"\"" ? "" : default_of(field);
    EXPECT_TRUE(with_environment({}, std::vector<std::string>{name + "=" + good}).ok()) << name;
  }
}

}  // namespace
}  // namespace skua
