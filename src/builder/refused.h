// What the system would not do for the confinement.
#pragma once

#include <string>

#include "skua/result.h"

namespace skua::builder {

/// EngineBuildError (builder_confinement): `what`, and errno as it is now.
Error refused(const std::string& what);

}  // namespace skua::builder
