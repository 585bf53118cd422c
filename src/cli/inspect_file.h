// What one file or folder of Skua's says about itself. Nothing is loaded, and nothing is promised: judging is
// verify's.
#pragma once

#include <filesystem>

#include "cli/console.h"
#include "skua/result.h"

namespace skua {

/// Recognises a flight set, a folder of sets, an engine cache, a manifest, a build record, a sidecar, golden
/// vectors, a calibration cache, a source model and an engine, by name first, then by content.
/// InvalidArgumentError for what is none of these; what is recognised and damaged is the error of its own
/// decoder.
Status inspect_path(const std::filesystem::path& path, Console& console);

}  // namespace skua
