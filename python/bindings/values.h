// Values between C++ and the dataclasses of skua.types. Everything here needs the GIL. What a caller gave
// wrongly raises InvalidArgumentError naming the field.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "errors.h"
#include "skua/engine_cache_entry.h"
#include "skua/engine_set.h"
#include "skua/runtime_config.h"
#include "skua/thermal_state.h"

namespace skua::python {

/// Looks up skua.types. Called once, by the module.
void register_types();
/// A class of skua.types.
nanobind::object type_named(const char* name);

nanobind::object to_python(Precision precision);
nanobind::object to_python(const Shape& shape);
nanobind::object to_python(const Sha256& digest);
nanobind::object to_python(const TensorSpec& spec);
nanobind::object to_python(const OptimizationProfile& profile);
nanobind::object to_python(const HostTuple& host);
nanobind::object to_python(const EngineInfo& info);
nanobind::object to_python(const EngineLoadTimes& times);
nanobind::object to_python(const ThermalState& state);

template <typename T>
nanobind::object tuple_of(const std::vector<T>& values) {
  nanobind::list items;
  for (const T& value : values) items.append(to_python(value));
  return nanobind::tuple(items);
}

/// A str, or the value of an enumeration. `field` is for the message.
std::string text_from(nanobind::handle value, const char* field);
std::filesystem::path path_from(nanobind::handle value, const char* field);
Shape shape_from(nanobind::handle value, const char* field);
HostTuple host_from(nanobind::handle value);
GatePolicy policy_from(nanobind::handle value);
/// From a dict of the fields that are given; fields of their own kind are judged, all together are not yet.
RuntimeConfig config_from(nanobind::handle fields);

}  // namespace skua::python
