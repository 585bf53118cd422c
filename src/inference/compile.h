// Compiling from a model file into the engine cache, without a runtime instance (`skua compile`, the stack's
// provisioning). InferenceRuntime::compile_engine is this function.
#pragma once

#include <atomic>
#include <filesystem>
#include <string>

#include "cache/engine_record.h"
#include "core/filesystem.h"
#include "skua/inference_runtime.h"

namespace skua {

struct CompileContext {
  RuntimeConfig config;  ///< `runtime` is the label, `engine_cache_dir` the cache
  HostTuple host;
  FileSystem* files = &posix_file_system();
  EventSink* events = &null_event_sink();
  const std::atomic<bool>* cancel_requested = nullptr;
  bool unproven = false;
  bool strict_calibration = false;  ///< a calibration cache that may not be trusted stops the build
  /// The build executable; empty: `skua-build` beside libskua's folder (../bin, ../libexec).
  std::filesystem::path build_executable;
};

/// Validates, builds in the build executable, publishes. Errors as compile_engine's.
Result<EngineRecord> compile_model(const std::filesystem::path& model_path, const BuildConfig& build,
                                   const CompileContext& context);

/// The file name that an engine of this model, build and host has in a cache or set. InvalidArgumentError.
Result<std::string> artifact_name(const std::filesystem::path& model_path, const BuildConfig& build,
                                  const CompileContext& context);

/// The build executable that a compile half or compile_model starts: beside libskua's folder.
std::filesystem::path default_build_executable();

/// What a build has measured of kernels is kept beside the engine under this name, for the next build of it.
std::string timing_cache_name(std::string_view artifact);

/// A regular file with something in it: EngineBuildError, model_missing, model_unreadable, model_empty.
Status check_model_file(const std::filesystem::path& model_path);

}  // namespace skua
