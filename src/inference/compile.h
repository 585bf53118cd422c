// Compiling from a model file into the engine cache, without a runtime instance (`skua compile`, the stack's
// provisioning). InferenceRuntime::compile_engine is this function.
#pragma once

#include <atomic>
#include <filesystem>
#include <optional>

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
  /// The build executable; empty: `skua-build` beside libskua's folder (../bin, ../libexec).
  std::filesystem::path build_executable;
};

/// Validates, builds in the build executable, publishes. Errors as compile_engine's.
Result<EngineRecord> compile_model(const std::filesystem::path& model_path, const BuildConfig& build,
                                   const CompileContext& context);

/// The record of a cache entry that may be reused for this model, build and host: name, sidecar, record,
/// sources and both hashes verify. nullopt: there is none, or it is of another variant; `why` then says so.
Result<std::optional<EngineRecord>> find_reusable(const std::filesystem::path& model_path,
                                                  const BuildConfig& build, const CompileContext& context,
                                                  std::string& why);

}  // namespace skua
