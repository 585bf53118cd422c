// Where a build gets its timing cache from, and where it leaves the next one.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "runtimes/tensorrt/compile_steps.h"

namespace skua::tensorrt {

/// The blob of the cache that lies beside the engine; empty when there is none that may be used here. What
/// kept it from being used is a warning, never an error, and stands in the proof as "timing_cache": "not
/// used" until somebody says that it was.
std::vector<std::byte> find_timing_cache(CompileState& state);

/// TensorRT takes a blob that it cannot use as an empty cache and says so in a log line alone. A cache that
/// is as empty as a new one has not been taken: a warning, and the proof says so.
void note_timing_cache_refused(CompileState& state);
void note_timing_cache_used(CompileState& state);
/// Whether `blob` holds no more than a new cache: TensorRT answers the same either way.
bool is_empty_timing_cache(const nvinfer1::IBuilderConfig& config, std::span<const std::byte> blob);

/// Writes that blob where a tool reads it; false when there is none, or a warning why it cannot be written.
bool stage_timing_cache(CompileState& state, const std::filesystem::path& path);
/// Reads in the log of a tool that had one whether it has used it.
void judge_timing_cache(CompileState& state, std::string_view log);

/// What the build has measured, for the next one: into the staging folder, from where compile_model keeps it.
/// One in which nothing was measured is not kept.
Status keep_timing_cache(CompileState& state, std::span<const std::byte> blob);
/// The same from the file that a tool wrote; none is no error.
Status keep_timing_cache(CompileState& state, const std::filesystem::path& path);

}  // namespace skua::tensorrt
