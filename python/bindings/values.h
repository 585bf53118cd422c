// C++ values as the dataclasses of skua.types. Everything here needs the GIL.
#pragma once

#include <string_view>
#include <vector>

#include "errors.h"
#include "skua/airborne_bootstrap.h"
#include "skua/engine_cache_entry.h"
#include "skua/engine_set.h"
#include "skua/flight_recorder.h"
#include "skua/thermal_state.h"

namespace skua::python {

/// The attribute, or null with Python's error set.
nanobind::object attribute_or_null(nanobind::handle object, const char* name);
/// Looks up skua.types. Called once, by the module.
void register_types();
/// A class of skua.types.
nanobind::object type_named(const char* name);

nanobind::object to_python(std::string_view text);
nanobind::object to_python(const std::string& text);
nanobind::object to_python(Precision precision);
nanobind::object to_python(const Shape& shape);
nanobind::object to_python(const Sha256& digest);
nanobind::object to_python(const TensorSpec& spec);
nanobind::object to_python(const OptimizationProfile& profile);
nanobind::object to_python(const HostTuple& host);
nanobind::object to_python(const CalibrationProvenance& calibration);
nanobind::object to_python(const EngineCacheEntry& entry);
nanobind::object to_python(const EngineInfo& info);
nanobind::object to_python(const EngineLoadTimes& times);
nanobind::object to_python(const ThermalState& state);
nanobind::object to_python(const RuntimeConfig& config);
nanobind::object to_python(const AirborneConfig& config);
nanobind::object to_python(const FlightRecord& record);

template <typename T>
nanobind::object to_python(const std::optional<T>& value) {
  return value ? to_python(*value) : nanobind::none();
}

template <typename T>
nanobind::object tuple_of(const std::vector<T>& values) {
  nanobind::list items;
  for (const T& value : values) items.append(to_python(value));
  return nanobind::tuple(items);
}

}  // namespace skua::python
