// Short names for what tests of sources ask.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "telemetry/source.h"

namespace skua::test {

inline std::unique_ptr<ThermalSource> open_source(const std::string& name,
                                                  const std::filesystem::path& root) {
  ThermalSourceOptions options;
  options.source = name;
  options.root = root;
  options.nvml_libraries.clear();  // the machine's own library is none of a test's business
  return open_thermal_source(options).value();
}

inline ThermalReading read_once(ThermalSource& source) {
  ThermalReading reading;
  source.read(reading);
  return reading;
}

/// "value 52.5", "offline", "unsupported".
inline std::string text_of(const FieldReading& field) {
  const std::string status(to_string(field.status));
  if (field.status != FieldStatus::kValue) return status;
  std::string value = std::to_string(field.value);
  value.erase(value.find_last_not_of('0') + 1);
  if (value.ends_with('.')) value.pop_back();
  return status + " " + value;
}

inline void expect_field(ThermalSource& source, ThermalField field, const std::string& expected) {
  const FieldReading found = read_once(source)[field];
  EXPECT_EQ(text_of(found), expected) << source.origin(field) << " " << found.problem;
}

/// Why a field is offline now.
inline std::string_view problem_of(ThermalSource& source, ThermalField field) {
  return read_once(source)[field].problem;
}

/// Names of the causes in a reading, joined by blanks.
inline std::string causes_of(const ThermalSource& source, const ThermalReading& reading) {
  std::string text;
  for (const std::string_view cause : skua::causes_of(reading, source)) {
    text += (text.empty() ? "" : " ") + std::string(cause);
  }
  return text;
}

}  // namespace skua::test
