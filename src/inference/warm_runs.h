// Runs that are made for what they leave behind: pages, kernels, graphs.
#pragma once

#include "cache/engine_record.h"
#include "inference/strategy.h"

namespace skua {

/// Puts every input that has a profile to that side of it.
Status set_shapes(Execution& execution, const EngineRecord& record, Shape OptimizationProfile::*side);

/// set_shapes, and `runs` runs. The inputs hold whatever they hold, so a run that fails is no error; a lost
/// device or spent memory is.
Status run_at(Execution& execution, const EngineRecord& record, Shape OptimizationProfile::*side, int runs);

}  // namespace skua
