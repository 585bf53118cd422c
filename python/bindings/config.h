// Configurations, as callers give them and as files hold them. Everything here needs the GIL.
#pragma once

#include <string>
#include <vector>

#include "errors.h"
#include "skua/airborne_bootstrap.h"
#include "skua/runtime_config.h"

namespace skua::python {

/// From a dict of the fields that are given. Each value is judged as it stands in a configuration file: what
/// is not allowed raises InvalidArgumentError naming the field.
RuntimeConfig config_from(nanobind::handle fields);

/// From a skua.AirborneConfig.
AirborneConfig airborne_config_from(nanobind::handle config);

/// "ground" or "airborne".
Role role_from(nanobind::handle role);

/// None: that of this process; else a mapping of names to values.
std::vector<std::string> environment_from(nanobind::handle environment);

}  // namespace skua::python
