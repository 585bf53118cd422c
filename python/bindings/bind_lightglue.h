// skua.LightGlueRuntime.
#pragma once

#include "handles.h"

namespace skua::python {

/// `source`: the skua.InferenceRuntime whose engine it runs; what Python compares by identity.
nanobind::object wrap_lightglue(std::shared_ptr<LightGlueRuntime> lightglue, const OwnerPointer& owner,
                                nanobind::object source);

}  // namespace skua::python
