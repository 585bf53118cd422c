// One function for each group of classes; module.cpp calls them all.
#pragma once

#include "nanobind/nanobind.h"

namespace skua::python {

void bind_handles(nanobind::module_& module);
void bind_runtime(nanobind::module_& module);
void bind_bound(nanobind::module_& module);
void bind_keys(nanobind::module_& module);
void bind_lightglue(nanobind::module_& module);
void bind_config(nanobind::module_& module);
void bind_airborne(nanobind::module_& module);
void bind_files(nanobind::module_& module);
void bind_gate(nanobind::module_& module);
void bind_errors(nanobind::module_& module);

}  // namespace skua::python
