#include "config.h"

#include "bootstrap/airborne_config.h"
#include "bootstrap/config_layers.h"
#include "fields.h"
#include "module.h"
#include "nanobind/stl/string.h"
#include "values.h"

namespace skua::python {
namespace {

namespace nb = nanobind;
using nb::literals::operator""_a;

/// What the field's default is, in words; an unknown field is set_field's to refuse.
std::string_view kind_of(const char* field) {
  const nb::object fields = type_named("RuntimeConfig").attr("__dataclass_fields__");
  if (PyMapping_HasKeyString(fields.ptr(), field) == 0) return "a text, a number, True or False";
  const nb::object usual = fields[field].attr("default");
  if (PyBool_Check(usual.ptr()) != 0) return "True or False";
  if (PyLong_Check(usual.ptr()) != 0) return "a whole number";
  return PyFloat_Check(usual.ptr()) != 0 ? "a number" : "a text or a path";
}

/// A number as Python's own: NumPy's are written otherwise. Invalid: it is none.
nb::object plain_number(nb::handle value) {
  const bool is_whole = PyIndex_Check(value.ptr()) != 0;
  const bool is_number = is_whole || PyFloat_Check(value.ptr()) != 0 || nb::hasattr(value, "__float__");
  if (!is_number) return {};
  nb::object number = nb::steal(is_whole ? PyNumber_Index(value.ptr()) : PyNumber_Float(value.ptr()));
  static_cast<void>(take_refusal());
  return number;
}

/// As a configuration file has it.
std::string field_text(nb::handle value, const char* field) {
  if (PyBool_Check(value.ptr()) != 0) return value.ptr() == Py_True ? "true" : "false";
  if (PyUnicode_Check(value.ptr()) != 0) return read_as<std::string>(value, field);
  if (const nb::object number = plain_number(value); number.is_valid()) return shown(number);
  if (!nb::hasattr(value, "__fspath__") && PyBytes_Check(value.ptr()) == 0)
    refuse_field(field, kind_of(field), value);
  return read_as<std::filesystem::path>(value, field).string();
}

void add_lanes(RuntimeConfig& config, nb::handle lanes) {
  for (const nb::object& lane : Fields::items_of(lanes, "lanes")) {
    LaneDeclaration& added = config.lanes.emplace_back();
    Fields(lane, "lanes", "LaneDeclaration")("consumer", added.consumer)("engine", added.engine);
  }
}

/// What is neither is no flight: who meant a replay must not take off.
FlightMode mode_from(nb::handle mode) {
  const auto name = read_as<std::string>(mode, "mode");
  if (name == "live") return FlightMode::kLive;
  if (name == "replay") return FlightMode::kReplay;
  refuse_field("mode", "live or replay", mode);
}

nb::object read_config_file(nb::handle file, nb::handle environment) {
  const auto path = read_as<std::filesystem::path>(file, "config");
  return to_python(unwrap(read_config(path, environment_from(environment))).config);
}

nb::object read_airborne_file(nb::handle file, nb::handle environment) {
  const auto path = read_as<std::filesystem::path>(file, "config");
  return to_python(unwrap(read_airborne_config(path, environment_from(environment))));
}

}  // namespace

RuntimeConfig config_from(nb::handle fields) {
  RuntimeConfig config;
  for (const auto& [key, value] : nb::cast<nb::dict>(fields)) {
    const auto name = read_as<std::string>(key, "configuration key");
    if (name == "lanes") {
      add_lanes(config, value);
    } else {
      unwrap(set_field(config, name, field_text(value, name.c_str())));
    }
  }
  return config;
}

AirborneConfig airborne_config_from(nb::handle given) {
  const Fields fields(given, "config", "AirborneConfig");
  AirborneConfig config;
  config.mode = mode_from(fields.attribute("mode"));
  fields("has_inference_block", config.has_inference_block)("consumers", config.consumers);
  const nb::object inference = fields.attribute("inference");
  static_cast<void>(Fields(inference, "inference", "RuntimeConfig"));  // and nothing that only looks alike
  config.inference = config_from(nb::object(inference.attr("__dict__")));
  return config;
}

Role role_from(nb::handle role) {
  const auto name = read_as<std::string>(role, "role");
  if (name == "ground") return Role::kGround;
  if (name == "airborne") return Role::kAirborne;
  refuse_field("role", "ground or airborne", role);
}

std::vector<std::string> environment_from(nb::handle environment) {
  if (environment.is_none()) return process_environment();
  std::vector<std::string> variables;
  for (const auto& [name, value] : nb::cast<nb::dict>(environment)) {
    variables.push_back(read_as<std::string>(name, "environment") + "=" +
                        read_as<std::string>(value, "environment"));
  }
  return variables;
}

void bind_config(nb::module_& module) {
  module.def("_read_config", &read_config_file, "file"_a, "environment"_a.none());
  module.def("_read_airborne_config", &read_airborne_file, "file"_a, "environment"_a.none());
}

}  // namespace skua::python
