// What a manifest says of an int8 or mixed engine beside its float32 source: the figures that decided, with
// the bounds that they kept.
#pragma once

#include <vector>

#include "cache/manifest.h"
#include "skua/build_config.h"

namespace skua {

/// Of every output of an engine that samples judged, from its record's proof; nothing for other precisions.
/// EngineBuildError, build_record_malformed: a record that lacks a figure, or has one beyond its bound.
Result<std::vector<AccuracyFigure>> accuracy_figures(const EngineRecord& record,
                                                     const AccuracyLimits& limits);

}  // namespace skua
