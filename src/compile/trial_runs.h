// The artifact runs at the ends of its profiles: it must be able to.
#pragma once

#include "compile/compilation.h"
#include "inference/strategy.h"

namespace skua::compile {

/// Runs a placed execution at the profiles' min, opt and max shapes, or once where there are no profiles. The
/// inputs are made up; those of the user's golden file are taken where they fit, that is without profiles.
/// EngineBuildError with the run's reason, which names the shapes and the remedy; OutOfMemoryError stays one.
Status run_trials(const Compilation& compilation, Execution& execution);

}  // namespace skua::compile
