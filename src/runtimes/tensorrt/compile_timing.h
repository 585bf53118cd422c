// Where a build gets its timing cache from, and where it leaves the next one.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

#include "runtimes/tensorrt/compile_steps.h"

namespace skua::tensorrt {

/// The blob of the cache that lies beside the engine; empty when there is none that may be used here. What
/// kept it from being used is a warning, never an error, and stands in the proof as "timing_cache".
std::vector<std::byte> find_timing_cache(CompileState& state);

/// TensorRT takes a blob that it cannot use as an empty cache and says so in a log line alone. A cache that
/// is as empty as a new one has not been taken: a warning, and the proof says so.
void note_timing_cache_refused(CompileState& state);

/// Writes that blob where a tool reads it; false when there is none.
bool stage_timing_cache(CompileState& state, const std::filesystem::path& path);

/// What the build has measured, for the next one: into the staging folder, from where compile_model keeps it.
Status keep_timing_cache(CompileState& state, std::span<const std::byte> blob);
/// The same from the file that a tool wrote; none is no error.
Status keep_timing_cache(CompileState& state, const std::filesystem::path& path);

}  // namespace skua::tensorrt
